/* SPDX-License-Identifier: Apache-2.0 */
#include "api/arena.h"

#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/auto.h"
#include "base/mem.h"

#define CHUNK_MIN ((size_t)4096)
#define CHUNK_MAX ((size_t)65536)
#define ALIGN	  ((size_t)8) /* enough for every field of a generated message */

struct arena_chunk {
	struct arena_chunk *next;
	size_t room;
	_Alignas(8) unsigned char data[];
};

static void *pb_alloc(void *arena, size_t size)
{
	return arena_try_alloc(arena, size);
}

static void pb_free(void *arena UNUSED, void *data UNUSED)
{
}

void arena_init(struct arena *a, size_t budget)
{
	*a = (struct arena){
		.allocator = { .alloc = pb_alloc, .free = pb_free, .allocator_data = a },
		.budget = budget,
	};
}

/* Keeps one chunk if it is a small one, so that a stream of messages allocates once. */
static void drop_chunks(struct arena *a, bool keep_one)
{
	int saved = errno;
	struct arena_chunk *kept = NULL;

	while (a->chunks != NULL) {
		struct arena_chunk *chunk = a->chunks;

		a->chunks = chunk->next;
		if (keep_one && kept == NULL && chunk->room <= CHUNK_MAX)
			kept = chunk;
		else
			free(chunk);
	}
	if (kept != NULL)
		kept->next = NULL;
	a->chunks = kept;
	a->used = 0;
	a->counted = 0;
	errno = saved;
}

void arena_done(struct arena *a)
{
	drop_chunks(a, false);
}

void arena_reset(struct arena *a)
{
	drop_chunks(a, true);
}

/* Behind the newest chunk, so that its rest stays in use. */
static void *alloc_apart(struct arena *a, size_t size)
{
	struct arena_chunk *chunk = xmalloc(sizeof(*chunk) + size);

	chunk->room = size;
	chunk->next = a->chunks->next;
	a->chunks->next = chunk;
	return chunk->data;
}

static void add_chunk(struct arena *a, size_t size)
{
	size_t room = a->chunks == NULL ? CHUNK_MIN : a->chunks->room * 2;
	struct arena_chunk *chunk;

	if (room > CHUNK_MAX)
		room = CHUNK_MAX;
	if (room < size)
		room = size;
	chunk = xmalloc(sizeof(*chunk) + room);
	chunk->room = room;
	chunk->next = a->chunks;
	a->chunks = chunk;
	a->used = 0;
}

static size_t round_up(size_t size)
{
	return (size + ALIGN - 1) & ~(ALIGN - 1);
}

static void *take(struct arena *a, size_t size)
{
	void *data;

	if (size > SIZE_MAX / 2)
		abort(); /* what xmalloc() does with a size nobody can have */
	size = round_up(size);
	if (a->chunks == NULL || size > a->chunks->room - a->used) {
		if (a->chunks != NULL && size >= CHUNK_MAX / 4)
			return alloc_apart(a, size);
		add_chunk(a, size);
	}
	data = a->chunks->data + a->used;
	a->used += size;
	return data;
}

void *arena_try_alloc(struct arena *a, size_t size)
{
	if (size > SIZE_MAX / 2 || round_up(size) > a->budget - a->counted)
		return NULL;
	a->counted += round_up(size);
	return take(a, size);
}

void *arena_alloc(struct arena *a, size_t size)
{
	return memset(take(a, size), 0, size);
}

void *arena_calloc(struct arena *a, size_t count, size_t size)
{
	if (size != 0 && count > SIZE_MAX / size)
		abort();
	return arena_alloc(a, count * size);
}

void *arena_memdup(struct arena *a, const void *data, size_t size)
{
	unsigned char *copy = take(a, size + 1);

	if (size > 0)
		memcpy(copy, data, size);
	copy[size] = 0; /* so that text stays text */
	return copy;
}

char *arena_strdup(struct arena *a, const char *text)
{
	return text == NULL ? NULL : arena_memdup(a, text, strlen(text));
}

char *arena_printf(struct arena *a, const char *fmt, ...)
{
	AUTO_FREE char *text = NULL;
	va_list args;

	va_start(args, fmt);
	text = xvasprintf(fmt, args);
	va_end(args);
	return arena_strdup(a, text);
}
