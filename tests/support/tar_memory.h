/* SPDX-License-Identifier: Apache-2.0 */
/* A tar source over bytes in memory, given in small pieces. */
#pragma once

#include <string.h>

#include "archive/tar_reader.h"
#include "base/attr.h"

struct tar_memory {
	struct tar_source base;
	const char *data;
	size_t size, at, piece;
};

static inline ssize_t tar_memory_read(
		struct tar_source *self, void *data, size_t size, struct err *err)
{
	struct tar_memory *m = container_of(self, struct tar_memory, base);
	size_t n = size < m->size - m->at ? size : m->size - m->at;

	if (m->piece != 0 && n > m->piece)
		n = m->piece;
	if (n > 0)
		memcpy(data, m->data + m->at, n);
	m->at += n;
	return (ssize_t)n;
}

static inline struct tar_memory tar_memory(const void *data, size_t size)
{
	struct tar_memory m = { .base.read = tar_memory_read, .data = data, .size = size };

	return m;
}
