/* SPDX-License-Identifier: Apache-2.0 */
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "api/arena.h"
#include "api/pb.h"
#include "base/err.h"
#include "services/content_write_priv.h"

#define DATA_FIELD 6

struct cursor {
	const unsigned char *at, *end;
};

static bool read_varint(struct cursor *c, uint64_t *ret)
{
	uint64_t value = 0;

	for (unsigned shift = 0; shift < 64 && c->at < c->end; shift += 7) {
		unsigned char byte = *c->at++;

		value |= (uint64_t)(byte & 0x7f) << shift;
		if (byte < 0x80) {
			*ret = value;
			return true;
		}
	}
	return false;
}

static bool skip(struct cursor *c, uint64_t size)
{
	if (size > (uint64_t)(c->end - c->at))
		return false;
	c->at += size;
	return true;
}

/* Moves past one field; *ret_data is set if it is the data. False: no well-formed field. */
static bool next_field(struct cursor *c, struct write_request *out, bool *ret_data)
{
	uint64_t key, size;

	*ret_data = false;
	if (!read_varint(c, &key))
		return false;
	switch (key & 7) {
	case 0:
		return read_varint(c, &size);
	case 1:
		return skip(c, 8);
	case 2:
		if (!read_varint(c, &size) || !skip(c, size))
			return false;
		if (key >> 3 != DATA_FIELD)
			return true;
		*ret_data = true;
		out->data = c->at - size;
		out->size = (size_t)size;
		return true;
	case 5:
		return skip(c, 4);
	default:
		return false;
	}
}

/* Copies all but the data. What is not understood is copied too: pb_decode() says what is wrong
 * with it. */
static size_t copy_rest(struct cursor c, unsigned char *to, struct write_request *out)
{
	const unsigned char *kept = c.at; /* first byte not copied yet */
	size_t size = 0;
	bool is_data;

	while (c.at < c.end) {
		const unsigned char *field = c.at;

		if (!next_field(&c, out, &is_data))
			break;
		if (!is_data)
			continue;
		memcpy(to + size, kept, (size_t)(field - kept));
		size += (size_t)(field - kept);
		kept = c.at;
	}
	memcpy(to + size, kept, (size_t)(c.end - kept));
	return size + (size_t)(c.end - kept);
}

/* How many bytes are not data. */
static size_t rest_size(struct cursor c)
{
	struct write_request ignored;
	size_t all = (size_t)(c.end - c.at);
	bool is_data;

	while (c.at < c.end) {
		const unsigned char *field = c.at;

		if (!next_field(&c, &ignored, &is_data))
			break;
		if (is_data)
			all -= (size_t)(c.at - field);
	}
	return all;
}

int write_request_decode(const void *bytes, size_t size, struct arena *a,
		struct write_request *ret_request, struct err *err)
{
	struct cursor c = { bytes, (const unsigned char *)bytes + size };
	struct write_request request = { .data = "" };
	ProtobufCMessage *message = NULL;
	unsigned char *rest;

	if (size == 0)
		c.at = c.end = (const unsigned char *)"";
	rest = arena_alloc(a, rest_size(c) + 1);
	if (pb_decode(&content__write_content_request__descriptor, rest,
			    copy_rest(c, rest, &request), a, NULL, &message, err) < 0)
		return -1;
	request.message = (const Content__WriteContentRequest *)message;
	*ret_request = request;
	return 0;
}
