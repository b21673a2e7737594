/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Memory that two processes see, as a ring without seams: it is mapped twice, one behind the
 * other, so that any range up to its size is contiguous. Positions only grow; who may read or
 * write where is for the two sides to agree on.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"

struct memring {
	unsigned char *base; /* NULL: not mapped */
	size_t size;	     /* a power of two, and whole pages */
};

/* A descriptor whose size nobody can change, or -errno. */
MUST_USE int memring_make(size_t size);

/* Nobody can map it for writing any more; mappings that are there stay. */
MUST_USE int memring_seal_writing(int fd);

MUST_USE int memring_map(int fd, size_t size, bool writable, struct memring *ret_ring);
void memring_unmap(struct memring *r);

/* What is at a position; "size" bytes of it are contiguous. */
static inline unsigned char *memring_at(const struct memring *r, uint64_t position)
{
	return r->base + (position & (r->size - 1));
}
