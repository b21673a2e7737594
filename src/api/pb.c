/* SPDX-License-Identifier: Apache-2.0 */
#include "api/pb.h"

#include <assert.h>

#include "api/arena.h"
#include "api/pb_sink.h"
#include "base/buf.h"
#include "base/err.h"

struct fault_row {
	enum err_kind kind;
	const char *text;
};

static const struct fault_row faults[] = {
#define PB_FAULT(name, kind, text) [PB_##name] = { ERR_##kind, text },
#include "api/pb_faults.def"
#undef PB_FAULT
};

static int fail(const struct pb_scan *scan, struct err *err)
{
	const struct fault_row *row = &faults[scan->fault];

	if (scan->field == NULL || scan->field->name == NULL)
		return err_plain(err, row->kind, "proto: %s: %s", row->text, scan->in->name);
	return err_plain(err, row->kind, "proto: %s: %s.%s", row->text, scan->in->name,
			scan->field->name);
}

int pb_decode(const ProtobufCMessageDescriptor *type, const void *data, size_t size,
		struct arena *arena, const struct pb_limits *limits,
		ProtobufCMessage **ret_message, struct err *err)
{
	struct pb_scan scan;
	ProtobufCMessage *message;

	if (pb_scan(type, data, size, limits, &scan) < 0)
		return fail(&scan, err);
	if (scan.memory > arena->budget - arena->counted) {
		scan.fault = PB_MEMORY;
		return fail(&scan, err);
	}
	message = protobuf_c_message_unpack(type, &arena->allocator, size, data);
	if (message == NULL) {
		scan = (struct pb_scan){ .fault = PB_WIRE, .in = type };
		return fail(&scan, err);
	}
	*ret_message = message;
	return 0;
}

void pb_encode(const ProtobufCMessage *message, struct buf *buf)
{
	size_t size = protobuf_c_message_get_packed_size(message);
	uint8_t *room = buf_reserve(buf, size);

	if (room == NULL)
		return;
	buf_commit(buf, protobuf_c_message_pack(message, room));
}

const void *pb_encode_arena(
		const ProtobufCMessage *message, struct arena *arena, size_t *ret_size)
{
	size_t size = protobuf_c_message_get_packed_size(message);
	void *data = arena_alloc(arena, size);

	*ret_size = protobuf_c_message_pack(message, data);
	return data;
}

void pb_move_inner(struct pb_sink *s, size_t from, size_t guess)
{
	size_t size = (size_t)(s->at - s->start) - from - guess, head = pb_varint_size(size);

	if (head > guess)
		pb_room(s, head - guess);
	memmove(s->start + from + head, s->start + from + guess, size);
	s->at = s->start + from + head + size;
}

void pb_put_message(struct pb_sink *s, const void *message)
{
	pb_room(s, protobuf_c_message_get_packed_size(message));
	s->at += protobuf_c_message_pack(message, s->at);
}
