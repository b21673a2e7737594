/* SPDX-License-Identifier: Apache-2.0 */
/* The serving side of gRPC, frame by frame, without sockets or threads. */
#include "rpc/grpc/grpc_serve_priv.h"

#include "toy.h"
#include "unit/unit.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <nghttp2/nghttp2.h>

#include "api/pb.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/mem.h"
#include "base/str.h"
#include "rpc/grpc/grpc_gzip_priv.h"
#include "rpc/grpc/grpc_reader_priv.h"

#define PREFACE "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"

enum {
	END_STREAM = 1,
	ACK = 1,
	END_HEADERS = 4,
};

struct frame {
	int type, flags;
	uint32_t stream;
	size_t size;
	const unsigned char *data;
	const char *headers; /* "name: value\n" … */
};

struct side {
	struct toy toy;
	struct loop *loop;
	struct rpc_server *server;
	struct grpc_conn *conn;
	struct arena arena;
	nghttp2_hd_deflater *deflater;
	nghttp2_hd_inflater *inflater;
	struct frame frames[2000];
	size_t count;
	bool alive;
};

static void talk(struct side *s, const void *data, size_t size)
{
	s->alive = grpc_conn_ops.input(s->conn, data, size);
}

static void say(struct side *s, int type, int flags, uint32_t stream, const void *data,
		size_t size)
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

static struct side *begin_with(const struct rpc_limits *limits)
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

static void hear(struct side *s);

static struct side *begin_limited(const struct rpc_limits *limits)
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

static struct side *begin(void)
{
	return begin_limited(NULL);
}

static void end(struct side *s)
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
static void hear(struct side *s)
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

static const struct frame *find(const struct side *s, int type, size_t nth)
{
	for (size_t i = 0; i < s->count; i++)
		if (s->frames[i].type == type && nth-- == 0)
			return &s->frames[i];
	return NULL;
}

struct request {
	uint32_t stream;
	int flags; /* END_STREAM */
	const char *method, *path, *type;
	const char *extra[8]; /* name, value … */
};

static void add(nghttp2_nv *nv, size_t *n, const char *name, const char *value)
{
	if (value != NULL)
		nv[(*n)++] = (nghttp2_nv){ (uint8_t *)name, (uint8_t *)value, strlen(name),
			strlen(value), NGHTTP2_NV_FLAG_NO_INDEX };
}

static void say_headers(
		struct side *s, uint32_t stream, int flags, const nghttp2_nv *nv, size_t n)
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

static void ask(struct side *s, const struct request *r)
{
	nghttp2_nv nv[16];
	size_t n = 0;

	add(nv, &n, ":method", str_or(r->method, "POST"));
	add(nv, &n, ":scheme", "http");
	add(nv, &n, ":path", r->path);
	add(nv, &n, ":authority", "localhost");
	add(nv, &n, "content-type", str_or(r->type, "application/grpc"));
	add(nv, &n, "te", "trailers");
	for (size_t i = 0; i < 8 && r->extra[i] != NULL; i += 2)
		add(nv, &n, r->extra[i], r->extra[i + 1]);
	say_headers(s, r->stream, r->flags, nv, n);
}

static void say_message(struct side *s, uint32_t stream, int flags, const char *text)
{
	size_t size;
	const unsigned char *packed =
			pb_encode_arena(&toy_any(&s->arena, text, 0)->base, &s->arena, &size);
	unsigned char *framed = arena_alloc(&s->arena, 5 + size);

	framed[4] = (unsigned char)size;
	memcpy(framed + 5, packed, size);
	say(s, NGHTTP2_DATA, flags, stream, framed, 5 + size);
}

static void call(struct side *s, uint32_t stream, const char *method, const char *text)
{
	struct request r = { stream, 0,
		.path = arena_printf(&s->arena, "/" TOY "/%s", method) };

	ask(s, &r);
	say_message(s, stream, END_STREAM, text);
}

static void expect_in(const char *text, const char *part)
{
	if (text == NULL || strstr(text, part) == NULL)
		fail_msg("no \"%s\" in \"%s\"", part, text == NULL ? "nothing" : text);
}

/* One answer that is nothing but a status. */
static void expect_status(struct side *s, uint32_t stream, const char *http, const char *status,
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

static uint32_t u32(const unsigned char *p)
{
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static void expect_reset(struct side *s, uint32_t stream, uint32_t code)
{
	const struct frame *f;

	hear(s);
	f = find(s, NGHTTP2_RST_STREAM, 0);
	assert_non_null(f);
	assert_int_equal(f->stream, stream);
	assert_int_equal(u32(f->data), code);
	assert_true(s->alive);
}

static void expect_goaway(struct side *s, uint32_t code)
{
	const struct frame *f;

	hear(s);
	f = find(s, NGHTTP2_GOAWAY, 0);
	assert_non_null(f);
	assert_int_equal(u32(f->data + 4), code);
}

/* The connection is still good for calls. */
static void expect_alive(struct side *s, uint32_t stream)
{
	call(s, stream, "Echo", "alive");
	hear(s);
	expect_in(find(s, NGHTTP2_HEADERS, 1)->headers, "grpc-status: 0\n");
}

static void the_server_speaks_first(void **state)
{
	struct side *s = begin_with(NULL);
	const struct frame *f;

	hear(s);
	f = find(s, NGHTTP2_SETTINGS, 0);
	assert_non_null(f);
	assert_int_equal(f->size, 24);
	f = find(s, NGHTTP2_WINDOW_UPDATE, 0);
	assert_non_null(f);
	assert_int_equal(f->stream, 0);
	assert_true(u32(f->data) >= 4 * 1024 * 1024 - 65535);
	end(s);
}

static void expect_echo(struct side *s, uint32_t stream)
{
	const struct frame *f = find(s, NGHTTP2_HEADERS, 0);

	assert_non_null(f);
	assert_int_equal(f->stream, stream);
	assert_int_equal(f->flags, END_HEADERS);
	expect_in(f->headers, ":status: 200\n");
	expect_in(f->headers, "content-type: application/grpc\n");
	f = find(s, NGHTTP2_DATA, 0);
	assert_non_null(f);
	assert_int_equal(f->flags, 0);
	assert_int_equal(f->data[0], 0);
	assert_int_equal(u32(f->data + 1), f->size - 5);
	assert_null(find(s, NGHTTP2_DATA, 1));
	f = find(s, NGHTTP2_HEADERS, 1);
	assert_non_null(f);
	assert_true(f->flags & END_STREAM);
	assert_string_equal(f->headers, "grpc-status: 0\n");
}

static void an_answer_is_headers_data_and_trailers(void **state)
{
	struct side *s = begin();

	call(s, 1, "Echo", "hello");
	hear(s);
	expect_echo(s, 1);
	assert_int_equal(rpc_server_calls(s->server), 0);
	end(s);
}

static void an_empty_message_is_a_message(void **state)
{
	struct side *s = begin();

	call(s, 1, "Echo", "");
	hear(s);
	expect_echo(s, 1);
	end(s);
}

/* A whole conversation as bytes, cut in two at every place, and into single bytes. */
static void cutting_the_bytes_changes_nothing(void **state)
{
	static const unsigned char headers[] = { 0x83, 0x86, /* POST, http */
		0x04, 0x10, '/', 't', 'o', 'y', '.', 'v', '1', '.', 'T', 'o', 'y', '/', 'E',
		'c', 'h', 'o', 0x0f, 0x10, 0x10, 'a', 'p', 'p', 'l', 'i', 'c', 'a', 't', 'i',
		'o', 'n', '/', 'g', 'r', 'p', 'c' };
	static const unsigned char data[] = { 0, 0, 0, 0, 4, 0x0a, 2, 'h', 'i' };
	struct buf wire = { .limit = SIZE_MAX };

	buf_add_str(&wire, PREFACE);
	buf_add(&wire, "\0\0\0\4\0\0\0\0\0", 9);
	buf_add(&wire, (unsigned char[]){ 0, 0, sizeof(headers), 1, 4, 0, 0, 0, 1 }, 9);
	buf_add(&wire, headers, sizeof(headers));
	buf_add(&wire, (unsigned char[]){ 0, 0, sizeof(data), 0, 1, 0, 0, 0, 1 }, 9);
	buf_add(&wire, data, sizeof(data));
	for (size_t cut = 0; cut <= wire.size; cut++) {
		struct side *s = begin_with(NULL);

		if (cut > 0)
			talk(s, wire.data, cut);
		for (size_t at = cut; at < wire.size;) {
			size_t n = cut == 0 ? 1 : wire.size - cut;

			talk(s, wire.data + at, n);
			at += n;
		}
		hear(s);
		expect_echo(s, 1);
		end(s);
	}
	buf_done(&wire);
}

static void failures_are_trailers_only(void **state)
{
	struct side *s = begin();

	call(s, 1, "Fail", "a%\xc3\xa4");
	expect_status(s, 1, "200", "5", "thing a%25%C3%A4: not found");
	expect_alive(s, 3);
	end(s);
}

static void unknown_paths_are_unimplemented(void **state)
{
	static const char *const rows[][2] = {
		{ "/no.Such/Thing", "unknown service no.Such" },
		{ "/" TOY "/Thing", "unknown method Thing for service " TOY },
		{ "/" TOY "/", "unknown method  for service " TOY },
		{ "//Echo", "unknown service " },
		{ "/a/b/c", "unknown service a/b" },
		{ "/nothing", "malformed method name: \"/nothing\"" },
		{ TOY "/Echo", "malformed method name: \"" TOY "/Echo\"" },
		{ "*", "malformed method name: \"*\"" },
		{ "", "malformed method name: \"\"" },
	};
	struct side *s = begin();
	uint32_t stream = 1;

	for (size_t i = 0; i < ARRAY_LEN(rows); i++, stream += 2) {
		struct request r = { stream, 0, .path = rows[i][0] };

		ask(s, &r);
		say_message(s, stream, END_STREAM, "x");
		expect_status(s, stream, "200", "12", rows[i][1]);
	}
	expect_alive(s, stream);
	end(s);
}

static void what_is_not_grpc_gets_an_http_error(void **state)
{
	struct side *s = begin();
	struct request json = { 1, END_STREAM, .path = "/" TOY "/Echo",
		.type = "application/json" };
	struct request get = { 3, END_STREAM, .path = "/" TOY "/Echo", .method = "GET" };
	struct request timeout = { 5, END_STREAM, .path = "/" TOY "/Echo",
		.extra = { "grpc-timeout", "12" } };
	struct request proto = { 7, 0, .path = "/" TOY "/Fail",
		.type = "application/grpc+proto" };

	ask(s, &json);
	expect_status(s, 1, "415", "3",
			"invalid gRPC request content-type \"application/json\"");
	ask(s, &get);
	expect_status(s, 3, "405", "13", "Received a HEADERS frame with :method \"GET\"");
	ask(s, &timeout);
	expect_status(s, 5, "400", "13", "malformed grpc-timeout: \"12\"");
	ask(s, &proto);
	say_message(s, 7, END_STREAM, "x");
	expect_status(s, 7, "200", "5", "thing x");
	end(s);
}

static void other_codecs_are_not_implemented(void **state)
{
	struct side *s = begin();
	struct request snappy = { 1, 0, .path = "/" TOY "/Echo",
		.extra = { "grpc-encoding", "snappy" } };
	struct request identity = { 3, 0, .path = "/" TOY "/Fail",
		.extra = { "grpc-encoding", "identity" } };

	ask(s, &snappy);
	say_message(s, 1, END_STREAM, "x");
	expect_status(s, 1, "200", "12",
			"grpc: Decompressor is not installed for grpc-encoding \"snappy\"");
	ask(s, &identity);
	say_message(s, 3, END_STREAM, "x");
	expect_status(s, 3, "200", "5", "thing x: not found");
	call(s, 5, "Echo", "x");
	hear(s);
	ask(s, &(struct request){ 7, 0, .path = "/" TOY "/Echo" });
	say(s, NGHTTP2_DATA, END_STREAM, 7, "\1\0\0\0\1x", 6);
	expect_status(s, 7, "200", "13",
			"grpc: compressed flag set with identity or empty encoding");
	end(s);
}

static struct rpc_msg *packed_any(struct side *s, const char *text, size_t size)
{
	struct rpc_msg *m = rpc_msg_pack(&toy_any(&s->arena, text, size)->base);

	grpc_gzip.pack(&m);
	assert_true(m->packed);
	grpc_prefix(m);
	return m;
}

static void ask_in_gzip(struct side *s, uint32_t stream, const char *method)
{
	ask(s, &(struct request){ stream, 0,
			       .path = arena_printf(&s->arena, "/" TOY "/%s", method),
			       .extra = { "grpc-encoding", "gzip" } });
}

static void say_packed(struct side *s, uint32_t stream, const char *text, size_t size)
{
	AUTO(rpc_msg_free) struct rpc_msg *m = packed_any(s, text, size);

	say(s, NGHTTP2_DATA, END_STREAM, stream, rpc_msg_wire(m), rpc_msg_wire_size(m));
}

/* The message in a DATA frame. */
static Google__Protobuf__Any *unpack_any(struct side *s, const struct frame *f)
{
	struct rpc_msg *m = rpc_msg_new(f->data + 5, f->size - 5);
	AUTO_ERR struct err err = { 0 };
	ProtobufCMessage *any;

	assert_int_equal(f->data[0], 1);
	assert_ok(grpc_gzip.unpack(&m, 1 << 20, &err), &err);
	assert_ok(pb_decode(&google__protobuf__any__descriptor, rpc_msg_payload(m), m->size,
				  &s->arena, NULL, &any, &err),
			&err);
	rpc_msg_free(m);
	return (Google__Protobuf__Any *)any;
}

static void gzip_is_answered_with_gzip(void **state)
{
	struct side *s = begin();
	const Google__Protobuf__Any *any;

	ask_in_gzip(s, 1, "Echo");
	say_packed(s, 1, "x", 10000);
	hear(s);
	expect_in(find(s, NGHTTP2_HEADERS, 0)->headers, "grpc-encoding: gzip\n");
	assert_true(find(s, NGHTTP2_DATA, 0)->size < 200);
	any = unpack_any(s, find(s, NGHTTP2_DATA, 0));
	assert_string_equal(any->type_url, "x");
	assert_int_equal(any->value.len, 10000);
	expect_in(find(s, NGHTTP2_HEADERS, 1)->headers, "grpc-status: 0\n");
	ask_in_gzip(s, 3, "Fail");
	say_packed(s, 3, "x", 0);
	expect_status(s, 3, "200", "5", "thing x: not found");
	expect_alive(s, 5);
	end(s);
}

static void plain_messages_may_stand_among_packed_ones(void **state)
{
	struct side *s = begin();

	ask_in_gzip(s, 1, "Echo");
	say_message(s, 1, END_STREAM, "plain");
	hear(s);
	assert_string_equal(unpack_any(s, find(s, NGHTTP2_DATA, 0))->type_url, "plain");
	/* nothing is packed smaller than it is */
	ask_in_gzip(s, 3, "Echo");
	say(s, NGHTTP2_DATA, END_STREAM, 3, "\0\0\0\0\0", 5);
	hear(s);
	assert_int_equal(find(s, NGHTTP2_DATA, 0)->size, 5);
	assert_memory_equal(find(s, NGHTTP2_DATA, 0)->data, "\0\0\0\0\0", 5);
	end(s);
}

static void what_is_no_gzip_is_refused(void **state)
{
	struct side *s = begin();
	AUTO(rpc_msg_free) struct rpc_msg *m = packed_any(s, "x", 10);
	unsigned char cut[200];

	ask_in_gzip(s, 1, "Echo");
	say(s, NGHTTP2_DATA, END_STREAM, 1, "\1\0\0\0\1x", 6);
	expect_status(s, 1, "200", "13", "grpc: failed to ");
	ask_in_gzip(s, 3, "Echo");
	say(s, NGHTTP2_DATA, END_STREAM, 3, "\1\0\0\0\0", 5);
	expect_status(s, 3, "200", "13", "grpc: failed to ");
	memcpy(cut, rpc_msg_wire(m), rpc_msg_wire_size(m) - 4);
	cut[4] -= 4;
	ask_in_gzip(s, 5, "Echo");
	say(s, NGHTTP2_DATA, END_STREAM, 5, cut, rpc_msg_wire_size(m) - 4);
	expect_status(s, 5, "200", "13",
			"grpc: failed to read decompressed data: unexpected EOF");
	expect_alive(s, 7);
	end(s);
}

static void a_gzip_bomb_is_refused(void **state)
{
	struct side *s = begin_limited(&(struct rpc_limits){ .max_recv_message = 1000000 });

	ask_in_gzip(s, 1, "Echo");
	say_packed(s, 1, "x", 1000000);
	expect_status(s, 1, "200", "8",
			"grpc: received message after decompression larger than max 1000000");
	expect_alive(s, 3);
	end(s);
}

struct on_loop {
	struct loop_task task;
	struct side *s;
};

static void say_two_mib(struct loop_task *task)
{
	say_packed(container_of(task, struct on_loop, task)->s, 1, "x", 2 << 20);
}

static void on_the_loop_less_may_be_in_gzip(void **state)
{
	struct side *s = begin();
	struct on_loop on = { .task.run = say_two_mib, .s = s };

	ask_in_gzip(s, 1, "Echo");
	loop_post(s->loop, &on.task);
	expect_status(s, 1, "200", "8",
			"grpc: received message after decompression larger than max 1048576");
	expect_alive(s, 3);
	end(s);
}

static void malformed_headers_reset_the_stream(void **state)
{
	static const char *const rows[][2] = {
		{ ":path", "/again" },
		{ ":weird", "x" },
		{ "Upper", "x" },
		{ "connection", "close" },
		{ "sp ace", "x" },
		{ "x", "bad\1value" },
	};
	struct side *s = begin();
	uint32_t stream = 1;

	for (size_t i = 0; i < ARRAY_LEN(rows); i++, stream += 2) {
		struct request r = { stream, END_STREAM, .path = "/" TOY "/Echo",
			.extra = { rows[i][0], rows[i][1] } };

		ask(s, &r);
		expect_reset(s, stream, NGHTTP2_PROTOCOL_ERROR);
	}
	ask(s, &(struct request){ stream, END_STREAM, .path = NULL });
	expect_reset(s, stream, NGHTTP2_PROTOCOL_ERROR);
	expect_alive(s, stream + 2);
	end(s);
}

static void a_nul_in_a_header_resets_the_stream(void **state)
{
	struct side *s = begin();
	nghttp2_nv nv[5];
	size_t n = 0;

	add(nv, &n, ":method", "POST");
	add(nv, &n, ":scheme", "http");
	add(nv, &n, ":path", "/" TOY "/Echo");
	add(nv, &n, "content-type", "application/grpc");
	add(nv, &n, "containerd-namespace", "k8s.io");
	nv[4].value = (uint8_t *)"a\0b";
	nv[4].valuelen = 3;
	say_headers(s, 1, END_STREAM, nv, n);
	expect_reset(s, 1, NGHTTP2_PROTOCOL_ERROR);
	end(s);
}

static char *long_text(struct side *s, size_t size)
{
	char *text = arena_alloc(&s->arena, size + 1);

	memset(text, 'a', size);
	return text;
}

static void too_many_headers_are_refused(void **state)
{
	struct side *s = begin();
	struct request fits = { 1, 0, .path = "/" TOY "/Fail",
		.extra = { "x", long_text(s, 15000) } };
	struct request big = { 3, END_STREAM, .path = "/" TOY "/Echo",
		.extra = { "x", long_text(s, 9000), "y", long_text(s, 9000) } };

	ask(s, &fits);
	say_message(s, 1, END_STREAM, "x");
	expect_status(s, 1, "200", "5", "thing x");
	ask(s, &big);
	hear(s);
	assert_true(find(s, NGHTTP2_HEADERS, 0)->flags & END_STREAM);
	expect_in(find(s, NGHTTP2_HEADERS, 0)->headers, "grpc-status: 8\n");
	expect_in(find(s, NGHTTP2_HEADERS, 0)->headers,
			"received header list size larger than max");
	expect_alive(s, 5);
	end(s);
}

/* One header in the table, named a thousand times by one byte each. */
/* From a client that has not taken our settings yet: later there is no table for it. */
static void a_header_bomb_is_cut_off(void **state)
{
	struct side *s = begin_with(NULL);
	unsigned char block[4 + 3000 + 1000] = { 0x40, 1, 'x', 0x7f };
	size_t at = 4, left = 3000 - 127;

	for (; left >= 128; left >>= 7)
		block[at++] = (unsigned char)(left | 128);
	block[at++] = (unsigned char)left;
	memset(block + at, 'a', 3000);
	at += 3000;
	memset(block + at, 0x80 | 62, 900);
	at += 900;
	talk(s, PREFACE, strlen(PREFACE));
	say(s, NGHTTP2_SETTINGS, 0, 0, NULL, 0);
	hear(s);
	say(s, NGHTTP2_HEADERS, END_HEADERS | END_STREAM, 1, block, at);
	expect_reset(s, 1, NGHTTP2_INTERNAL_ERROR);
	end(s);
}

static void messages_over_the_limit_are_refused_by_their_prefix(void **state)
{
	struct rpc_limits limits = { .max_recv_message = 100 };
	struct side *s = begin_with(&limits);

	talk(s, PREFACE, strlen(PREFACE));
	say(s, NGHTTP2_SETTINGS, 0, 0, NULL, 0);
	ask(s, &(struct request){ 1, 0, .path = "/" TOY "/Echo" });
	say(s, NGHTTP2_DATA, 0, 1, "\0\0\0\0\x65", 5);
	expect_status(s, 1, "200", "8", "grpc: received message larger than max (101 vs. 100)");
	assert_non_null(find(s, NGHTTP2_RST_STREAM, 0)); /* and the client may stop */
	expect_alive(s, 3);
	end(s);
}

static void requests_hold_exactly_one_message(void **state)
{
	struct side *s = begin();

	ask(s, &(struct request){ 1, END_STREAM, .path = "/" TOY "/Echo" });
	expect_status(s, 1, "200", "13", "grpc: no message");
	ask(s, &(struct request){ 3, 0, .path = "/" TOY "/Echo" });
	say_message(s, 3, 0, "x");
	say_message(s, 3, END_STREAM, "x");
	expect_status(s, 3, "200", "13", "grpc: more than one message");
	ask(s, &(struct request){ 5, 0, .path = "/" TOY "/Echo" });
	say(s, NGHTTP2_DATA, END_STREAM, 5, "\0\0\0\0\4a", 6);
	expect_status(s, 5, "200", "13", "unexpected EOF");
	ask(s, &(struct request){ 7, 0, .path = "/" TOY "/Echo" });
	say(s, NGHTTP2_DATA, END_STREAM, 7, "\0\0\0\0\2\xff\xff", 7);
	expect_status(s, 7, "200", "13", "grpc: error unmarshalling request: proto: ");
	ask(s, &(struct request){ 9, 0, .path = "/" TOY "/Echo" });
	say(s, NGHTTP2_DATA, END_STREAM, 9, "\0\0\0\0\3\x0a\1\xff", 8);
	expect_status(s, 9, "200", "13", "grpc: error unmarshalling request: proto: ");
	expect_alive(s, 11);
	end(s);
}

static void the_first_of_repeated_headers_counts(void **state)
{
	struct side *s = begin();
	const struct frame *f;

	ask(s, &(struct request){ 1, 0, .path = "/" TOY "/Who",
			       .extra = { "containerd-namespace", "one", "containerd-namespace",
					       "two", "containerd-lease", "l" } });
	say_message(s, 1, END_STREAM, "containerd-namespace");
	hear(s);
	f = find(s, NGHTTP2_DATA, 0);
	assert_non_null(memmem(f->data, f->size, "one l one", 9));
	end(s);
}

static void a_reset_cancels_the_call(void **state)
{
	struct side *s = begin();

	call(s, 1, "Park", "x");
	call(s, 3, "Park", "x");
	assert_int_equal(rpc_server_calls(s->server), 2);
	say(s, NGHTTP2_RST_STREAM, 0, 1, "\0\0\0\x08", 4);
	assert_int_equal(s->toy.cancelled, 1);
	assert_int_equal(rpc_server_calls(s->server), 1);
	toy_finish_parked(&s->toy, NULL);
	hear(s);
	assert_int_equal(find(s, NGHTTP2_DATA, 0)->stream, 3);
	assert_null(find(s, NGHTTP2_DATA, 1));
	expect_alive(s, 5);
	end(s);
}

static void a_reset_before_the_message_starts_nothing(void **state)
{
	struct side *s = begin();

	ask(s, &(struct request){ 1, 0, .path = "/" TOY "/Park" });
	say(s, NGHTTP2_RST_STREAM, 0, 1, "\0\0\0\x08", 4);
	assert_int_equal(s->toy.parked_count, 0);
	assert_int_equal(rpc_server_calls(s->server), 0);
	end(s);
}

static void a_lost_connection_cancels_all_calls(void **state)
{
	struct side *s = begin();

	call(s, 1, "Park", "x");
	call(s, 3, "Park", "x");
	grpc_conn_ops.closed(take_ptr(s->conn));
	assert_int_equal(s->toy.cancelled, 2);
	assert_int_equal(rpc_server_calls(s->server), 0);
	end(s);
}

static void a_deadline_is_answered_in_time(void **state)
{
	struct side *s = begin();

	ask(s, &(struct request){ 1, 0, .path = "/" TOY "/Park",
			       .extra = { "grpc-timeout", "20m" } });
	say_message(s, 1, END_STREAM, "x");
	while (s->toy.cancelled == 0)
		loop_run_once(s->loop, 1000);
	expect_status(s, 1, "200", "4", "context deadline exceeded");
	toy_finish_parked(&s->toy, NULL); /* too late, and harmless */
	hear(s);
	assert_int_equal(s->count, 0);
	expect_alive(s, 3);
	end(s);
}

static void an_answer_in_time_is_not_lost_to_the_deadline(void **state)
{
	struct side *s = begin();
	struct request r = { 1, 0, .path = "/" TOY "/Park",
		.extra = { "grpc-timeout", "50m" } };
	int64_t until;

	ask(s, &r);
	say_message(s, 1, END_STREAM, "x");
	until = clock_mono_ns() + 60 * NS_PER_MS;
	assert_int_equal(s->toy.parked_count, 1);
	toy_finish_parked(&s->toy, NULL);
	/* the timer is due before the loop hears of the answer */
	while (clock_mono_ns() < until)
		continue;
	hear(s);
	assert_non_null(find(s, NGHTTP2_DATA, 0));
	expect_in(find(s, NGHTTP2_HEADERS, 1)->headers, "grpc-status: 0\n");
	end(s);
}

static void streams_beyond_the_limit_are_refused(void **state)
{
	struct rpc_limits limits = { .max_streams = 2 };
	struct side *s = begin_with(&limits);

	talk(s, PREFACE, strlen(PREFACE));
	say(s, NGHTTP2_SETTINGS, 0, 0, NULL, 0);
	call(s, 1, "Park", "x");
	call(s, 3, "Park", "x");
	call(s, 5, "Park", "x");
	expect_reset(s, 5, NGHTTP2_REFUSED_STREAM);
	assert_int_equal(s->toy.parked_count, 2);
	end(s);
}

static void pings_are_answered(void **state)
{
	struct side *s = begin();
	const struct frame *f;

	say(s, NGHTTP2_PING, 0, 0, "\2\4\x10\x10\xe\xe\7\7", 8);
	hear(s);
	f = find(s, NGHTTP2_PING, 0);
	assert_non_null(f);
	assert_int_equal(f->flags, ACK);
	assert_memory_equal(f->data, "\2\4\x10\x10\xe\xe\7\7", 8);
	end(s);
}

/* grpc-go's clients ping after each answer: that must never add up. */
static void pings_between_answers_are_welcome(void **state)
{
	struct side *s = begin();

	for (uint32_t i = 0; i < 50; i++) {
		call(s, i * 2 + 1, "Echo", "x");
		hear(s);
		say(s, NGHTTP2_PING, 0, 0, "12345678", 8);
		hear(s);
		assert_null(find(s, NGHTTP2_GOAWAY, 0));
	}
	assert_true(s->alive);
	end(s);
}

static void idle_pings_are_counted(void **state)
{
	struct side *s = begin();
	const struct frame *f;

	for (int i = 0; i < 3; i++) {
		say(s, NGHTTP2_PING, 0, 0, "12345678", 8);
		hear(s);
		assert_null(find(s, NGHTTP2_GOAWAY, 0));
	}
	say(s, NGHTTP2_PING, 0, 0, "12345678", 8);
	assert_false(s->alive);
	expect_goaway(s, NGHTTP2_ENHANCE_YOUR_CALM);
	f = find(s, NGHTTP2_GOAWAY, 0);
	assert_memory_equal(f->data + 8, "too_many_pings", 14);
	end(s);
}

static void cheap_frames_in_masses_end_the_connection(void **state)
{
	static const struct {
		int type;
		const char *data;
		size_t size;
		uint32_t stream;
	} rows[] = {
		{ NGHTTP2_DATA, "", 0, 1 },
		{ NGHTTP2_PRIORITY, "\0\0\0\0\1", 5, 3 },
		{ NGHTTP2_WINDOW_UPDATE, "\0\0\0\1", 4, 1 },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct side *s = begin();
		int n = 0;

		ask(s, &(struct request){ 1, 0, .path = "/" TOY "/Echo" });
		for (; n < 1000000 && s->alive; n++) {
			say(s, rows[i].type, 0, rows[i].stream, rows[i].data, rows[i].size);
			if (n % 1000 == 0)
				arena_reset(&s->arena);
		}
		assert_in_range(n, 15000, 999999);
		expect_goaway(s, NGHTTP2_ENHANCE_YOUR_CALM);
		end(s);
	}
}

static void streaming_clients_are_no_flood(void **state)
{
	struct side *s = begin();

	ask(s, &(struct request){ 1, 0, .path = "/" TOY "/Echo" });
	say(s, NGHTTP2_DATA, 0, 1, "\0\0\x04\0\0", 5);
	for (int i = 0; i < 100000; i++) {
		say(s, NGHTTP2_DATA, 0, 1, "x", 1);
		if (i % 1000 == 0) {
			arena_reset(&s->arena);
			hear(s);
		}
	}
	assert_true(s->alive);
	end(s);
}

static void garbage_ends_the_connection(void **state)
{
	struct side *s = begin_with(NULL);

	talk(s, "GET / HTTP/1.1\r\n\r\n", 18);
	assert_false(s->alive);
	end(s);
	s = begin();
	say(s, NGHTTP2_CONTINUATION, 0, 1, "xyz", 3);
	expect_goaway(s, NGHTTP2_PROTOCOL_ERROR);
	end(s);
	s = begin();
	say(s, NGHTTP2_HEADERS, END_HEADERS, 1, "\xff\xff\xff\xff\xff\xff\xff", 7);
	expect_goaway(s, NGHTTP2_COMPRESSION_ERROR);
	assert_true(grpc_conn_ops.finished(s->conn));
	end(s);
}

static void unknown_frames_are_ignored(void **state)
{
	struct side *s = begin();

	say(s, 0xbe, 0, 0, "xyz", 3);
	expect_alive(s, 1);
	end(s);
}

static void shutting_down_lets_calls_end(void **state)
{
	struct side *s = begin();
	struct rpc_conn *base = grpc_conn_base(s->conn);
	const struct frame *f;

	call(s, 1, "Park", "x");
	base->ops->shutdown(base);
	hear(s);
	f = find(s, NGHTTP2_GOAWAY, 0);
	assert_int_equal(u32(f->data), 0x7fffffff);
	f = find(s, NGHTTP2_PING, 0);
	assert_non_null(f);
	call(s, 3, "Park", "x"); /* it was on its way */
	say(s, NGHTTP2_PING, ACK, 0, f->data, 8);
	hear(s);
	f = find(s, NGHTTP2_GOAWAY, 0);
	assert_int_equal(u32(f->data), 3);
	assert_int_equal(u32(f->data + 4), NGHTTP2_NO_ERROR);
	call(s, 5, "Park", "x"); /* too late: ignored, the client knows */
	assert_int_equal(s->toy.parked_count, 2);
	assert_false(grpc_conn_ops.finished(s->conn));
	toy_finish_parked(&s->toy, NULL);
	hear(s);
	assert_non_null(find(s, NGHTTP2_DATA, 1));
	assert_true(grpc_conn_ops.finished(s->conn));
	end(s);
}

static void an_idle_connection_shuts_down_at_once(void **state)
{
	struct side *s = begin();
	struct rpc_conn *base = grpc_conn_base(s->conn);

	base->ops->shutdown(base);
	hear(s);
	say(s, NGHTTP2_PING, ACK, 0, find(s, NGHTTP2_PING, 0)->data, 8);
	expect_goaway(s, NGHTTP2_NO_ERROR);
	assert_true(grpc_conn_ops.finished(s->conn));
	end(s);
}

static void set_keepalive(void *arg)
{
	struct toy_server *s = arg;

	s->server->keepalive_ms = 30;
	s->server->keepalive_timeout_ms = 30;
}

static void a_silent_peer_is_asked_and_then_left(void **state)
{
	struct toy_server *s = toy_serve(1, NULL, grpc_listen);
	unsigned char got[200];
	struct buf all = { .limit = SIZE_MAX };
	ssize_t n;
	int fd;

	toy_on_loop(s, set_keepalive, s);
	fd = toy_connect_raw(s->grpc);
	while ((n = read(fd, got, sizeof(got))) > 0)
		buf_add(&all, got, (size_t)n);
	assert_int_equal(n, 0);
	assert_non_null(memmem(all.data, all.size, "alive?", 6));
	close(fd);
	buf_done(&all);
	toy_stop(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(the_server_speaks_first),
		TEST(an_answer_is_headers_data_and_trailers),
		TEST(an_empty_message_is_a_message),
		TEST(cutting_the_bytes_changes_nothing),
		TEST(failures_are_trailers_only),
		TEST(unknown_paths_are_unimplemented),
		TEST(what_is_not_grpc_gets_an_http_error),
		TEST(other_codecs_are_not_implemented),
		TEST(gzip_is_answered_with_gzip),
		TEST(plain_messages_may_stand_among_packed_ones),
		TEST(what_is_no_gzip_is_refused),
		TEST(a_gzip_bomb_is_refused),
		TEST(on_the_loop_less_may_be_in_gzip),
		TEST(malformed_headers_reset_the_stream),
		TEST(a_nul_in_a_header_resets_the_stream),
		TEST(too_many_headers_are_refused),
		TEST(a_header_bomb_is_cut_off),
		TEST(messages_over_the_limit_are_refused_by_their_prefix),
		TEST(requests_hold_exactly_one_message),
		TEST(the_first_of_repeated_headers_counts),
		TEST(a_reset_cancels_the_call),
		TEST(a_reset_before_the_message_starts_nothing),
		TEST(a_lost_connection_cancels_all_calls),
		TEST(a_deadline_is_answered_in_time),
		TEST(an_answer_in_time_is_not_lost_to_the_deadline),
		TEST(streams_beyond_the_limit_are_refused),
		TEST(pings_are_answered),
		TEST(pings_between_answers_are_welcome),
		TEST(idle_pings_are_counted),
		TEST(cheap_frames_in_masses_end_the_connection),
		TEST(streaming_clients_are_no_flood),
		TEST(garbage_ends_the_connection),
		TEST(unknown_frames_are_ignored),
		TEST(shutting_down_lets_calls_end),
		TEST(an_idle_connection_shuts_down_at_once),
		TEST(a_silent_peer_is_asked_and_then_left),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
