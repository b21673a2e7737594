/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Writes protobuf fields straight from what they are made of, for the few answers that are long
 * lists: generated messages cost twice the time there. What is empty or zero is left out, as in
 * generated code.
 *
 * One pass: a message within leaves the usual room for its size, and is moved if that was
 * wrong.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct ProtobufCMessage;

struct pb_sink {
	unsigned char *start, *at, *end; /* "at" is where the next byte goes */
	/* Makes room for that many bytes more; the memory may move. */
	void (*more)(struct pb_sink *s, size_t size);
};

typedef void (*pb_put)(struct pb_sink *s, const void *what);

enum {
	PB_VARINT = 0,
	PB_BYTES = 2,
};

static inline void pb_room(struct pb_sink *s, size_t size)
{
	if ((size_t)(s->end - s->at) < size)
		s->more(s, size);
}

static inline size_t pb_varint_size(uint64_t n)
{
	size_t size = 1;

	for (; n >= 0x80; n >>= 7)
		size++;
	return size;
}

/* Behind a pb_room(). */
static inline void pb_put_bare(struct pb_sink *s, uint64_t n)
{
	for (; n >= 0x80; n >>= 7)
		*s->at++ = (unsigned char)(n | 0x80);
	*s->at++ = (unsigned char)n;
}

static inline void pb_put_varint(struct pb_sink *s, uint64_t n)
{
	pb_room(s, 10);
	pb_put_bare(s, n);
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
	pb_room(s, 20 + size);
	pb_put_bare(s, (uint64_t)field << 3 | PB_BYTES);
	pb_put_bare(s, size);
	memcpy(s->at, data, size);
	s->at += size;
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

/* Moves what stands behind the place of its size, when the size does not fit there exactly. */
void pb_move_inner(struct pb_sink *s, size_t from, size_t guess);

static inline void pb_put_guessed(
		struct pb_sink *s, unsigned field, pb_put put, const void *what, size_t guess)
{
	size_t from, size;
	unsigned char *p;

	pb_room(s, 20);
	pb_put_bare(s, (uint64_t)field << 3 | PB_BYTES);
	from = (size_t)(s->at - s->start);
	s->at += guess;
	put(s, what);
	size = (size_t)(s->at - s->start) - from - guess;
	if (pb_varint_size(size) != guess)
		pb_move_inner(s, from, guess);
	for (p = s->start + from; size >= 0x80; size >>= 7)
		*p++ = (unsigned char)(size | 0x80);
	*p = (unsigned char)size;
}

/* A message within, also an empty one. */
static inline void pb_put_inner(struct pb_sink *s, unsigned field, pb_put put, const void *what)
{
	pb_put_guessed(s, field, put, what, 2);
}

/* The same, of one that seldom has more than 127 bytes. */
static inline void pb_put_short(struct pb_sink *s, unsigned field, pb_put put, const void *what)
{
	pb_put_guessed(s, field, put, what, 1);
}

/* A pb_put for a generated message. */
void pb_put_message(struct pb_sink *s, const void *message);
