/* SPDX-License-Identifier: Apache-2.0 */
#include "grpc_side.h"

#include "unit/unit.h"

#include <stdlib.h>
#include <string.h>

#include "api/pb.h"
#include "base/buf.h"
#include "base/mem.h"
#include "base/str.h"

void talk(struct side *s, const void *data, size_t size)
{
	s->alive = grpc_conn_ops.input(s->conn, data, size);
}

void say(struct side *s, int type, int flags, uint32_t stream, const void *data, size_t size)
{
	unsigned char *frame = arena_alloc(&s->arena, 9 + size);

	memcpy(frame,
			(unsigned char[]){ (unsigned char)(size >> 16),
					(unsigned char)(size >> 8), (unsigned char)size,
					(unsigned char)type, (unsigned char)flags,
					(unsigned char)(stream >> 24),
					(unsigned char)(stream >> 16),
					(unsigned char)(stream >> 8), (unsigned char)stream },
			9);
	if (size > 0)
		memcpy(frame + 9, data, size);
	talk(s, frame, 9 + size);
}

struct side *begin_with(const struct rpc_limits *limits)
{
	struct side *s = xzalloc(sizeof(*s));

	toy_init(&s->toy);
	s->loop = loop_new();
	s->server = rpc_server_new(s->loop, NULL, NULL, limits);
	rpc_server_add(s->server, RPC_GRPC, &toy_service, &s->toy);
	s->conn = grpc_conn_new(s->server);
	arena_init(&s->arena, SIZE_MAX);
	assert_int_equal(nghttp2_hd_deflate_new(&s->deflater, 4096), 0);
	assert_int_equal(nghttp2_hd_inflate_new(&s->inflater), 0);
	return s;
}

void hear(struct side *s);

struct side *begin_limited(const struct rpc_limits *limits)
{
	struct side *s = begin_with(limits);

	talk(s, PREFACE, strlen(PREFACE));
	say(s, NGHTTP2_SETTINGS, 0, 0, NULL, 0);
	hear(s);
	say(s, NGHTTP2_SETTINGS, ACK, 0, NULL, 0);
	/* as the settings say */
	assert_int_equal(nghttp2_hd_deflate_change_table_size(s->deflater, 0), 0);
	return s;
}

struct side *begin(void)
{
	return begin_limited(NULL);
}

void end(struct side *s)
{
	if (s->conn != NULL)
		grpc_conn_ops.closed(s->conn);
	toy_finish_parked(&s->toy, NULL);
	rpc_server_free(s->server);
	loop_free(s->loop);
	nghttp2_hd_deflate_del(s->deflater);
	nghttp2_hd_inflate_del(s->inflater);
	arena_done(&s->arena);
	toy_done(&s->toy);
	free(s);
}

static const char *inflate(struct side *s, const unsigned char *data, size_t size)
{
	struct buf b = { .limit = SIZE_MAX };
	const char *text;

	for (;;) {
		nghttp2_nv nv;
		int flags = 0;
		ssize_t n = nghttp2_hd_inflate_hd2(s->inflater, &nv, &flags, data, size, 1);

		assert_true(n >= 0);
		data += n;
		size -= (size_t)n;
		if (flags & NGHTTP2_HD_INFLATE_EMIT)
			buf_addf(&b, "%s: %s\n", (const char *)nv.name, (const char *)nv.value);
		if (flags & NGHTTP2_HD_INFLATE_FINAL)
			break;
	}
	nghttp2_hd_inflate_end_headers(s->inflater);
	text = arena_strdup(&s->arena, b.data);
	buf_done(&b);
	return text;
}

/* What the server says now. */
void hear(struct side *s)
{
	struct buf all = { .limit = SIZE_MAX };
	unsigned char room[1000];
	size_t n, at = 0;

	loop_run_once(s->loop, 0);
	s->count = 0;
	while ((n = grpc_conn_ops.output(s->conn, room, sizeof(room))) > 0)
		buf_add(&all, room, n);
	while (at < all.size) {
		const unsigned char *p = arena_memdup(&s->arena, all.data + at, all.size - at);
		struct frame *f = &s->frames[s->count++];

		assert_true(s->count < 2000 && all.size - at >= 9);
		*f = (struct frame){ .type = p[3], .flags = p[4] };
		f->size = (size_t)p[0] << 16 | (size_t)p[1] << 8 | p[2];
		f->stream = (uint32_t)p[5] << 24 | (uint32_t)p[6] << 16 | (uint32_t)p[7] << 8 |
			    p[8];
		f->data = p + 9;
		assert_true(all.size - at >= 9 + f->size);
		if (f->type == NGHTTP2_HEADERS)
			f->headers = inflate(s, f->data, f->size);
		at += 9 + f->size;
	}
	buf_done(&all);
}

const struct frame *find(const struct side *s, int type, size_t nth)
{
	for (size_t i = 0; i < s->count; i++)
		if (s->frames[i].type == type && nth-- == 0)
			return &s->frames[i];
	return NULL;
}

void add_header(nghttp2_nv *nv, size_t *n, const char *name, const char *value)
{
	if (value != NULL)
		nv[(*n)++] = (nghttp2_nv){ (uint8_t *)name, (uint8_t *)value, strlen(name),
			strlen(value), NGHTTP2_NV_FLAG_NO_INDEX };
}

void say_headers(struct side *s, uint32_t stream, int flags, const nghttp2_nv *nv, size_t n)
{
	size_t room = nghttp2_hd_deflate_bound(s->deflater, nv, n), at = 0;
	unsigned char *block = arena_alloc(&s->arena, room);
	ssize_t size = nghttp2_hd_deflate_hd(s->deflater, block, room, nv, n);
	int type = NGHTTP2_HEADERS;

	assert_true(size >= 0);
	while ((size_t)size - at > 16000) {
		say(s, type, type == NGHTTP2_HEADERS ? flags : 0, stream, block + at, 16000);
		type = NGHTTP2_CONTINUATION;
		at += 16000;
	}
	say(s, type, (type == NGHTTP2_HEADERS ? flags : 0) | END_HEADERS, stream, block + at,
			(size_t)size - at);
}

void ask(struct side *s, const struct request *r)
{
	nghttp2_nv nv[16];
	size_t n = 0;

	add_header(nv, &n, ":method", str_or(r->method, "POST"));
	add_header(nv, &n, ":scheme", "http");
	add_header(nv, &n, ":path", r->path);
	add_header(nv, &n, ":authority", "localhost");
	add_header(nv, &n, "content-type", str_or(r->type, "application/grpc"));
	add_header(nv, &n, "te", "trailers");
	for (size_t i = 0; i < 8 && r->extra[i] != NULL; i += 2)
		add_header(nv, &n, r->extra[i], r->extra[i + 1]);
	say_headers(s, r->stream, r->flags, nv, n);
}

void say_message(struct side *s, uint32_t stream, int flags, const char *text)
{
	size_t size;
	const unsigned char *packed =
			pb_encode_arena(&toy_any(&s->arena, text, 0)->base, &s->arena, &size);
	unsigned char *framed = arena_alloc(&s->arena, 5 + size);

	framed[4] = (unsigned char)size;
	memcpy(framed + 5, packed, size);
	say(s, NGHTTP2_DATA, flags, stream, framed, 5 + size);
}

void call(struct side *s, uint32_t stream, const char *method, const char *text)
{
	struct request r = { stream, 0,
		.path = arena_printf(&s->arena, "/" TOY "/%s", method) };

	ask(s, &r);
	say_message(s, stream, END_STREAM, text);
}

void expect_in(const char *text, const char *part)
{
	if (text == NULL || strstr(text, part) == NULL)
		fail_msg("no \"%s\" in \"%s\"", part, text == NULL ? "nothing" : text);
}

void expect_status(struct side *s, uint32_t stream, const char *http, const char *status,
		const char *message)
{
	const struct frame *f;

	hear(s);
	f = find(s, NGHTTP2_HEADERS, 0);
	assert_non_null(f);
	assert_int_equal(f->stream, stream);
	assert_true(f->flags & END_STREAM);
	expect_in(f->headers, arena_printf(&s->arena, ":status: %s\n", http));
	expect_in(f->headers, arena_printf(&s->arena, "grpc-status: %s\n", status));
	expect_in(f->headers, arena_printf(&s->arena, "grpc-message: %s", message));
	expect_in(f->headers, "content-type: application/grpc\n");
	assert_null(find(s, NGHTTP2_DATA, 0));
	assert_null(find(s, NGHTTP2_GOAWAY, 0));
}

uint32_t u32(const unsigned char *p)
{
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

void expect_reset(struct side *s, uint32_t stream, uint32_t code)
{
	const struct frame *f;

	hear(s);
	f = find(s, NGHTTP2_RST_STREAM, 0);
	assert_non_null(f);
	assert_int_equal(f->stream, stream);
	assert_int_equal(u32(f->data), code);
	assert_true(s->alive);
}

void expect_goaway(struct side *s, uint32_t code)
{
	const struct frame *f;

	hear(s);
	f = find(s, NGHTTP2_GOAWAY, 0);
	assert_non_null(f);
	assert_int_equal(u32(f->data + 4), code);
}

void expect_alive(struct side *s, uint32_t stream)
{
	call(s, stream, "Echo", "alive");
	hear(s);
	expect_in(find(s, NGHTTP2_HEADERS, 1)->headers, "grpc-status: 0\n");
}
