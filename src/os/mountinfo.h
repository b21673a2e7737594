/* SPDX-License-Identifier: Apache-2.0 */
/* The table of mounts of this process, as /proc/self/mountinfo tells it. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/attr.h"

struct buf;

struct mountinfo {
	const char *root;   /* what of the file system is mounted: a path in it */
	const char *target; /* where */
	const char *fstype, *source;
	const char *super_options;
	bool is_shared, is_slave; /* how mounts below it propagate */
};

/* Reads the whole table into "out", whose limit bounds it. 0 or -errno. */
MUST_USE int mountinfo_read(struct buf *out);

/* The next mount at or after *at, which moves on; false at the end. Cuts up and unescapes the
 * text in place: entries are valid as long as it, and it can be walked only once. Lines that
 * are not understood are skipped. */
bool mountinfo_next(char **at, struct mountinfo *ret);
