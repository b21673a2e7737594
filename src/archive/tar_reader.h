/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reads tar as it streams by: ustar, pax, GNU long names, sparse files of GNU and pax, base-256
 * numbers, and what came before ustar. It reads what Go's archive/tar reads, in the same way,
 * so that a layer means the same here as everywhere else. Nothing is seeked or written; names
 * are passed on as they are. Memory is bounded by the limits in tar.h.
 */
#pragma once

#include <sys/types.h>

#include "archive/tar.h"
#include "base/attr.h"
#include "base/auto.h"

struct err;
struct tar_reader;

/* Where the bytes come from. Both may block. */
struct tar_source {
	/* Bytes read, at least one; 0 at the end; -1 on failure. */
	ssize_t (*read)(struct tar_source *self, void *data, size_t size, struct err *err);
	/* Bytes passed over, at least one; 0 at the end; -1. NULL: they are read and dropped.
	 */
	int64_t (*skip)(struct tar_source *self, uint64_t size, struct err *err);
};

MUST_USE struct tar_reader *tar_reader_new(struct tar_source *source);
void tar_reader_free(struct tar_reader *r);
DEFINE_AUTO(struct tar_reader *, tar_reader_free)

/* 1 and the next entry, valid until the next call; 0 at the end of the archive; -1. What was
 * not read of the last entry's data is passed over. EXHAUSTED when an entry is over a limit of
 * tar.h; anything else that is malformed is UNKNOWN, with the text that Go has for it. */
MAY_BLOCK MUST_USE int tar_reader_next(
		struct tar_reader *r, const struct tar_entry **ret_entry, struct err *err);

/* Data of the current entry as it stands in the stream (of a sparse file, its extents one after
 * the other): bytes read, 0 at its end, -1. */
MAY_BLOCK MUST_USE ssize_t tar_reader_data(
		struct tar_reader *r, void *data, size_t size, struct err *err);

/* Passes over the current entry's data up to its end. */
MAY_BLOCK MUST_USE int tar_reader_skip_data(struct tar_reader *r, struct err *err);

/* Bytes taken from the source so far. */
uint64_t tar_reader_offset(const struct tar_reader *r);
