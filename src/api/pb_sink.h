/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Writes protobuf fields straight from what they are made of, for the few answers that are long
 * lists: generated messages cost twice the time there. What is empty or zero is left out, as in
 * generated code.
 *
 * A sink without memory only counts; a function that puts a message is run twice, first to
 * learn its size.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct ProtobufCMessage;

struct pb_sink {
	unsigned char *at; /* where the next byte goes; NULL: only counts */
	size_t size;	   /* so far */
};

typedef void (*pb_put)(struct pb_sink *s, const void *what);

enum {
	PB_VARINT = 0,
	PB_BYTES = 2,
};

static inline void pb_put_raw(struct pb_sink *s, const void *data, size_t size)
{
	s->size += size;
	if (s->at == NULL)
		return;
	memcpy(s->at, data, size);
	s->at += size;
}

static inline void pb_put_varint(struct pb_sink *s, uint64_t n)
{
	unsigned char bytes[10];
	size_t size = 0;

	for (; n >= 0x80; n >>= 7)
		bytes[size++] = (unsigned char)(n | 0x80);
	bytes[size++] = (unsigned char)n;
	pb_put_raw(s, bytes, size);
}

static inline void pb_put_tag(struct pb_sink *s, unsigned field, unsigned type)
{
	pb_put_varint(s, (uint64_t)field << 3 | type);
}

static inline void pb_put_bytes(
		struct pb_sink *s, unsigned field, const void *data, size_t size)
{
	if (size == 0)
		return;
	pb_put_tag(s, field, PB_BYTES);
	pb_put_varint(s, size);
	pb_put_raw(s, data, size);
}

static inline void pb_put_text(struct pb_sink *s, unsigned field, const char *text)
{
	if (text != NULL)
		pb_put_bytes(s, field, text, strlen(text));
}

static inline void pb_put_int(struct pb_sink *s, unsigned field, int64_t n)
{
	if (n == 0)
		return;
	pb_put_tag(s, field, PB_VARINT);
	pb_put_varint(s, (uint64_t)n);
}

/* A message within, also an empty one. */
static inline void pb_put_inner(struct pb_sink *s, unsigned field, pb_put put, const void *what)
{
	struct pb_sink counted = { NULL, 0 };

	put(&counted, what);
	pb_put_tag(s, field, PB_BYTES);
	pb_put_varint(s, counted.size);
	if (s->at == NULL)
		s->size += counted.size;
	else
		put(s, what);
}

/* A pb_put for a generated message. */
void pb_put_message(struct pb_sink *s, const void *message);
