/* SPDX-License-Identifier: Apache-2.0 */
/* Records that are kept for later, in order: in memory while they are few, then in a file that
 * has no name. */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/attr.h"
#include "base/buf.h"

#define SPOOL_MAX_RECORD 8192

struct spool {
	struct buf memory;
	int fd;	       /* -1 while memory is enough */
	uint64_t size; /* in the file */
	uint64_t at;   /* of reading */
};

void spool_init(struct spool *s);
void spool_done(struct spool *s);

/* 0 or -errno. "dir" may be NULL: no file then, all stays in memory. */
MAY_BLOCK MUST_USE int spool_add(
		struct spool *s, const char *dir, const void *record, size_t size);

/* The next record: its size, 0 at the end, or -errno. "record" holds SPOOL_MAX_RECORD bytes. */
MAY_BLOCK MUST_USE ssize_t spool_next(struct spool *s, void *record);
