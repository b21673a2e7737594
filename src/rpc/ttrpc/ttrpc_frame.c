/* SPDX-License-Identifier: Apache-2.0 */
#include "rpc/ttrpc/ttrpc_frame_priv.h"

#include <string.h>

#include <protobuf-c/protobuf-c.h>

#include "api/arena.h"
#include "api/pb/ttrpc.pb-c.h"
#include "base/auto.h"
#include "base/err.h"
#include "base/mem.h"
#include "rpc/rpc_status_priv.h"

/* A peer's word about length is not trusted with memory before the bytes come. */
#define FIRST_ROOM ((size_t)64 * 1024)
/* Of an error: far below what a frame takes. */
#define MAX_TEXT ((size_t)1 << 20)

static uint32_t get_u32(const unsigned char *p)
{
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static void put_u32(unsigned char *p, uint32_t value)
{
	p[0] = (unsigned char)(value >> 24);
	p[1] = (unsigned char)(value >> 16);
	p[2] = (unsigned char)(value >> 8);
	p[3] = (unsigned char)value;
}

static size_t min_size(size_t a, size_t b)
{
	return a < b ? a : b;
}

static void emit(struct ttrpc_reader *r, const void *data, ttrpc_on_frame on_frame, void *arg)
{
	struct ttrpc_frame frame = {
		.stream = get_u32(r->header + 4),
		.type = r->header[8],
		.flags = r->header[9],
		.size = get_u32(r->header),
		.data = get_u32(r->header) > TTRPC_MAX ? NULL : data,
	};
	AUTO(rpc_msg_free) struct rpc_msg *body = take_ptr(r->body);

	r->header_have = 0;
	r->body_have = r->body_room = 0;
	on_frame(arg, &frame);
}

static void grow_body(struct ttrpc_reader *r, size_t want, size_t total)
{
	size_t room = r->body_room == 0 ? FIRST_ROOM : r->body_room;
	struct rpc_msg *bigger;

	while (room < want)
		room *= 2;
	room = min_size(room, total);
	if (r->body != NULL && room == r->body_room)
		return;
	bigger = rpc_msg_new(NULL, room);
	if (r->body != NULL)
		memcpy(rpc_msg_payload(bigger), rpc_msg_payload(r->body), r->body_have);
	rpc_msg_free(r->body);
	r->body = bigger;
	r->body_room = room;
}

/* Takes up to "size" bytes of the frame's data; how many it took. */
static size_t read_body(struct ttrpc_reader *r, const unsigned char *p, size_t size,
		ttrpc_on_frame on_frame, void *arg)
{
	size_t total = get_u32(r->header);
	size_t n = min_size(size, total - r->body_have);

	if (r->body_have == 0 && n == total) {
		emit(r, p, on_frame, arg); /* whole frame at hand: no copy */
		return n;
	}
	if (total <= TTRPC_MAX) {
		grow_body(r, r->body_have + n, total);
		memcpy(rpc_msg_payload(r->body) + r->body_have, p, n);
	}
	r->body_have += n;
	if (r->body_have == total)
		emit(r, r->body == NULL ? NULL : rpc_msg_payload(r->body), on_frame, arg);
	return n;
}

void ttrpc_read(struct ttrpc_reader *r, const void *data, size_t size, ttrpc_on_frame on_frame,
		void *arg)
{
	const unsigned char *p = data;

	while (size > 0) {
		size_t n = min_size(size, TTRPC_HEADER - r->header_have);

		memcpy(r->header + r->header_have, p, n);
		r->header_have += n;
		p += n;
		size -= n;
		if (r->header_have < TTRPC_HEADER)
			return;
		if (size == 0 && get_u32(r->header) > 0)
			return;
		n = read_body(r, p, size, on_frame, arg);
		p += n;
		size -= n;
	}
}

size_t ttrpc_reader_missing(const struct ttrpc_reader *r)
{
	if (r->header_have == 0)
		return 0;
	if (r->header_have < TTRPC_HEADER)
		return TTRPC_HEADER - r->header_have;
	return get_u32(r->header) - r->body_have;
}

void ttrpc_reader_done(struct ttrpc_reader *r)
{
	rpc_msg_free(r->body);
	*r = (struct ttrpc_reader){ 0 };
}

void ttrpc_frame_message(struct rpc_msg *m, uint32_t stream, uint8_t type, uint8_t flags)
{
	unsigned char header[TTRPC_HEADER];

	put_u32(header, (uint32_t)rpc_msg_wire_size(m));
	put_u32(header + 4, stream);
	header[8] = type;
	header[9] = flags;
	rpc_msg_prepend(m, header, sizeof(header));
}

/* Field 2 of the envelope is the payload: its tag and length go in front of it. */
void ttrpc_frame_response(struct rpc_msg *m, uint32_t stream)
{
	unsigned char field[1 + 5] = { 2 << 3 | 2 };
	size_t size = 1, left = m->size;

	if (m->size > 0) {
		for (; left >= 0x80; left >>= 7)
			field[size++] = (unsigned char)(left | 0x80);
		field[size++] = (unsigned char)left;
		rpc_msg_prepend(m, field, size);
	}
	ttrpc_frame_message(m, stream, TTRPC_RESPONSE, 0);
}

struct rpc_msg *ttrpc_frame_status(uint32_t stream, const struct err *err)
{
	Ttrpc__Response response = TTRPC__RESPONSE__INIT;
	AUTO_ARENA struct arena arena;
	struct rpc_msg *m;

	arena_init(&arena, 0);
	if (err->kind != ERR_NONE)
		response.status = rpc_status_out(err, MAX_TEXT, &arena);
	m = rpc_msg_pack(&response.base);
	ttrpc_frame_message(m, stream, TTRPC_RESPONSE, 0);
	return m;
}

void ttrpc_out_init(struct ttrpc_out *o)
{
	*o = (struct ttrpc_out){ 0 };
	msgq_init(&o->frames);
}

void ttrpc_out_done(struct ttrpc_out *o)
{
	msgq_done(&o->frames);
	rpc_msg_free(take_ptr(o->current));
}

size_t ttrpc_out_copy(struct ttrpc_out *o, void *room, size_t size)
{
	size_t n;

	if (o->current == NULL)
		return 0;
	n = min_size(size, rpc_msg_wire_size(o->current) - o->at);
	memcpy(room, rpc_msg_wire(o->current) + o->at, n);
	o->at += n;
	if (o->at == rpc_msg_wire_size(o->current)) {
		rpc_msg_free(take_ptr(o->current));
		o->at = 0;
	}
	return n;
}

size_t ttrpc_out_fill(struct ttrpc_out *o, struct rpc_msg *(*next)(void *arg), void *arg,
		void *room, size_t size)
{
	unsigned char *p = room;
	size_t done = 0;

	while (done < size) {
		if (o->current == NULL)
			o->current = next(arg);
		if (o->current == NULL)
			break;
		done += ttrpc_out_copy(o, p + done, size - done);
	}
	return done;
}
