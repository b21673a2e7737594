/* SPDX-License-Identifier: Apache-2.0 */
/* Looks at a message without building it. */
#include <assert.h>
#include <stdbool.h>
#include <string.h>

#include "api/pb.h"
#include "base/str.h"

#define MAX_FIELDS    256 /* per message; ours have 38 at most */
#define ALLOC_SIZE(n) (((n) + 7) & ~(size_t)7)
#define NOTE_SIZE     ((size_t)32) /* what protobuf-c notes down per field while it unpacks */
#define NOTES_FREE    16	   /* so many of them are on its stack */

enum wire {
	WIRE_VARINT = 0,
	WIRE_64 = 1,
	WIRE_BYTES = 2,
	WIRE_GROUP = 3,
	WIRE_GROUP_END = 4,
	WIRE_32 = 5,
};

struct span {
	const uint8_t *at;
	size_t left;
};

struct scan {
	const struct pb_limits *limits;
	size_t memory_limit;
	struct pb_scan *out;
};

const struct pb_limits pb_limits_request = {
	.depth = 16,
	.elements = 256 * 1024,
	.memory_base = 1024 * 1024,
	.memory_factor = 4,
};

const struct pb_limits pb_limits_reply = {
	.depth = 16,
	.elements = 4 * 1024 * 1024,
	.memory_base = 4 * 1024 * 1024,
	.memory_factor = 24,
};

static int fault(struct scan *s, enum pb_fault why)
{
	s->out->fault = why;
	return -1;
}

/* "max" bytes at most; ten carry 64 bits, and the tenth only one of them. */
static int take_varint(struct scan *s, struct span *in, size_t max, uint64_t *ret_value)
{
	uint64_t value = 0;

	for (size_t i = 0; i < max && i < in->left; i++) {
		uint8_t byte = in->at[i];

		if (i == 9 && byte > 1)
			break;
		value |= (uint64_t)(byte & 0x7f) << (7 * i);
		if (byte & 0x80)
			continue;
		in->at += i + 1;
		in->left -= i + 1;
		*ret_value = value;
		return 0;
	}
	return fault(s, PB_WIRE);
}

static int take_bytes(struct scan *s, struct span *in, uint64_t size, struct span *ret_bytes)
{
	if (size > in->left || size > INT32_MAX)
		return fault(s, PB_WIRE);
	*ret_bytes = (struct span){ in->at, (size_t)size };
	in->at += size;
	in->left -= (size_t)size;
	return 0;
}

static int count(struct scan *s, size_t elements, size_t memory)
{
	struct pb_scan *out = s->out;

	if (elements > s->limits->elements - out->elements)
		return fault(s, PB_ELEMENTS);
	out->elements += elements;
	if (memory > s->memory_limit - out->memory)
		return fault(s, PB_MEMORY);
	out->memory += memory;
	return 0;
}

static enum wire wire_of(ProtobufCType type)
{
	switch (type) {
	case PROTOBUF_C_TYPE_SFIXED32:
	case PROTOBUF_C_TYPE_FIXED32:
	case PROTOBUF_C_TYPE_FLOAT:
		return WIRE_32;
	case PROTOBUF_C_TYPE_SFIXED64:
	case PROTOBUF_C_TYPE_FIXED64:
	case PROTOBUF_C_TYPE_DOUBLE:
		return WIRE_64;
	case PROTOBUF_C_TYPE_STRING:
	case PROTOBUF_C_TYPE_BYTES:
	case PROTOBUF_C_TYPE_MESSAGE:
		return WIRE_BYTES;
	default:
		return WIRE_VARINT;
	}
}

/* Size of one value in the array of a repeated field. */
static size_t value_size(ProtobufCType type)
{
	if (type == PROTOBUF_C_TYPE_BYTES)
		return sizeof(ProtobufCBinaryData);
	if (type == PROTOBUF_C_TYPE_STRING || type == PROTOBUF_C_TYPE_MESSAGE)
		return sizeof(void *);
	return sizeof(uint64_t);
}

/* A repeated number may come as one run of values. */
static int scan_packed(struct scan *s, enum wire wire, struct span in)
{
	size_t width = wire == WIRE_32 ? 4 : 8;
	uint64_t value;

	if (wire != WIRE_VARINT)
		return in.left % width != 0 ? fault(s, PB_WIRE)
					    : count(s, in.left / width, in.left / width * 8);
	while (in.left > 0)
		if (take_varint(s, &in, 10, &value) < 0 || count(s, 1, sizeof(value)) < 0)
			return -1;
	return 0;
}

static int scan_text(struct scan *s, struct span in)
{
	if (memchr(in.at, 0, in.left) != NULL)
		return fault(s, PB_NUL);
	if (!utf8_valid(in.at, in.left))
		return fault(s, PB_UTF8);
	return count(s, 0, ALLOC_SIZE(in.left + 1));
}

/* One message on the way down. */
struct frame {
	const ProtobufCMessageDescriptor *type;
	unsigned depth;
	uint64_t seen[MAX_FIELDS / 64]; /* singular message fields that have come already */
	size_t notes, notes_room, notes_grow;
};

static int scan_message(struct scan *s, const ProtobufCMessageDescriptor *type, struct span in,
		unsigned depth);

/* Merging two messages is where protobuf-c is slow and wrong; no peer needs it. */
static int note_message(struct scan *s, const ProtobufCFieldDescriptor *field, struct frame *f)
{
	size_t at = (size_t)(field - f->type->fields);

	if (field->label == PROTOBUF_C_LABEL_REPEATED)
		return 0;
	if (f->seen[at / 64] & UINT64_C(1) << at % 64)
		return fault(s, PB_REPEATED);
	f->seen[at / 64] |= UINT64_C(1) << at % 64;
	return 0;
}

static int scan_bytes(struct scan *s, const ProtobufCFieldDescriptor *field, struct span in,
		struct frame *f)
{
	switch (field->type) {
	case PROTOBUF_C_TYPE_STRING:
		return scan_text(s, in);
	case PROTOBUF_C_TYPE_BYTES:
		return count(s, 0, ALLOC_SIZE(in.left));
	case PROTOBUF_C_TYPE_MESSAGE:
		if (note_message(s, field, f) < 0)
			return -1;
		return scan_message(s, field->descriptor, in, f->depth + 1);
	default:
		if (field->label != PROTOBUF_C_LABEL_REPEATED)
			return fault(s, PB_TYPE);
		return scan_packed(s, wire_of(field->type), in);
	}
}

/* Takes the value behind a tag; *ret_bytes is what a WIRE_BYTES one holds. */
static int take_value(struct scan *s, struct span *in, enum wire wire, struct span *ret_bytes)
{
	uint64_t value;

	switch (wire) {
	case WIRE_VARINT:
		return take_varint(s, in, 10, &value);
	case WIRE_64:
		return take_bytes(s, in, 8, ret_bytes);
	case WIRE_32:
		return take_bytes(s, in, 4, ret_bytes);
	case WIRE_BYTES:
		if (take_varint(s, in, 5, &value) < 0)
			return -1;
		return take_bytes(s, in, value, ret_bytes);
	case WIRE_GROUP:
	case WIRE_GROUP_END:
		return fault(s, PB_GROUP);
	}
	return fault(s, PB_WIRE);
}

/* protobuf-c keeps an unknown value as it came, with its length in front. */
static int count_unknown(struct scan *s, struct span bytes)
{
	s->out->unknown++;
	return count(s, 1, sizeof(ProtobufCMessageUnknownField) + ALLOC_SIZE(bytes.left + 10));
}

static int scan_field(struct scan *s, struct frame *f, struct span *in)
{
	const ProtobufCFieldDescriptor *field;
	struct span bytes = { in->at, 0 };
	enum wire wire;
	uint64_t tag;

	s->out->in = f->type;
	s->out->field = NULL;
	if (take_varint(s, in, 5, &tag) < 0)
		return -1;
	if (tag > UINT32_MAX || tag >> 3 == 0)
		return fault(s, PB_WIRE);
	wire = (enum wire)(tag & 7);
	field = protobuf_c_message_descriptor_get_field(f->type, (unsigned)(tag >> 3));
	s->out->field = field;
	if (take_value(s, in, wire, &bytes) < 0)
		return -1;
	if (field == NULL)
		return count_unknown(s, bytes);
	if (wire != WIRE_BYTES && wire != wire_of(field->type))
		return fault(s, PB_TYPE);
	if (count(s, 1,
			    field->label == PROTOBUF_C_LABEL_REPEATED ? value_size(field->type)
								      : 0) < 0)
		return -1;
	return wire == WIRE_BYTES ? scan_bytes(s, field, bytes, f) : 0;
}

/* protobuf-c notes down each field before it builds the message; the notes grow by doubling. */
static int count_note(struct scan *s, struct frame *f)
{
	if (f->notes++ < f->notes_room)
		return 0;
	f->notes_grow *= 2;
	f->notes_room += f->notes_grow;
	return count(s, 0, f->notes_grow * NOTE_SIZE);
}

static int scan_message(struct scan *s, const ProtobufCMessageDescriptor *type, struct span in,
		unsigned depth)
{
	struct frame f = {
		.type = type,
		.depth = depth,
		.notes_room = NOTES_FREE,
		.notes_grow = NOTES_FREE,
	};

	assert(type->n_fields <= MAX_FIELDS);
	if (depth > s->limits->depth)
		return fault(s, PB_DEPTH);
	/* the array of a repeated field, and that of unknown ones, is rounded up once */
	if (count(s, 0, ALLOC_SIZE(type->sizeof_message) + 8 * ((size_t)type->n_fields + 1)) <
			0)
		return -1;
	while (in.left > 0)
		if (count_note(s, &f) < 0 || scan_field(s, &f, &in) < 0)
			return -1;
	return 0;
}

int pb_scan(const ProtobufCMessageDescriptor *type, const void *data, size_t size,
		const struct pb_limits *limits, struct pb_scan *ret_scan)
{
	struct scan s = {
		.limits = limits != NULL ? limits : &pb_limits_request,
		.out = ret_scan,
	};
	size_t memory;

	*ret_scan = (struct pb_scan){ .in = type };
	if (__builtin_mul_overflow(size, s.limits->memory_factor, &memory) ||
			__builtin_add_overflow(memory, s.limits->memory_base, &memory))
		memory = SIZE_MAX;
	s.memory_limit = memory;
	return scan_message(&s, type, (struct span){ data, size }, 1);
}
