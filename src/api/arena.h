/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Memory of one request: handed out in order, given back all at once. Decoded messages live
 * in an arena and are never freed one by one (protobuf_c_message_free_unpacked() on them is
 * harmless and useless).
 *
 * Two doors: arena_try_alloc() for sizes that come from a peer, counted against the budget and
 * NULL when that is spent; arena_alloc() and its kin for what the program itself builds (an
 * answer), not counted and never NULL.
 */
#pragma once

#include <stddef.h>

#include <protobuf-c/protobuf-c.h>

#include "base/attr.h"

struct arena_chunk;

struct arena {
	ProtobufCAllocator allocator; /* the first door, in protobuf-c's form */
	struct arena_chunk *chunks;   /* newest first */
	size_t used;		      /* bytes taken from the newest chunk */
	size_t counted;		      /* bytes that went through the first door */
	size_t budget;
};

#define AUTO_ARENA __attribute__((cleanup(arena_done)))

/* Allocates nothing yet. The struct must not move afterwards. */
void arena_init(struct arena *a, size_t budget);
/* Frees everything; the arena is as after arena_init(). Fine on a zeroed struct. */
void arena_done(struct arena *a);
/* Forgets everything, but keeps a small chunk to start over in (streams). */
void arena_reset(struct arena *a);

/* Not zeroed. NULL when the budget is spent. */
MUST_USE void *arena_try_alloc(struct arena *a, size_t size);

/* Zeroed; never NULL. */
MUST_USE void *arena_alloc(struct arena *a, size_t size);
MUST_USE void *arena_calloc(struct arena *a, size_t count, size_t size);
MUST_USE void *arena_memdup(struct arena *a, const void *data, size_t size);
MUST_USE char *arena_strdup(struct arena *a, const char *text); /* NULL gives NULL */
MUST_USE char *arena_printf(struct arena *a, const char *fmt, ...) PRINTF_LIKE(2, 3);

/* A generated message in the arena, initialised: ARENA_NEW(a, Types__Mount, types__mount). */
#define ARENA_NEW(a, type, prefix)                                                             \
	({                                                                                     \
		type *made_ = arena_alloc((a), sizeof(type));                                  \
		prefix##__init(made_);                                                         \
		made_;                                                                         \
	})
