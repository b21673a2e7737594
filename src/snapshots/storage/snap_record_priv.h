/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How one snapshot is stored: a version byte, then fields of tag (1 byte), size (varint) and
 * bytes. docs/design/030-snapshot-records.md has the tags.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "core/snapshot.h"

struct buf;
struct err;

struct snap_record {
	uint64_t id;
	uint64_t *parents; /* ids: immediate parent first */
	size_t parent_count;
	struct snapshot_info info; /* its name is the key of the record */
	struct snapshot_usage usage;
};
#define AUTO_SNAP_RECORD __attribute__((cleanup(snap_record_done)))
void snap_record_done(struct snap_record *r);

void snap_record_encode(const struct snap_record *r, struct buf *out);

/* Any bytes may come: DATA_LOSS, naming the snapshot, when they are no record of a version that
 * this program knows. */
MUST_USE int snap_record_decode(const char *name, size_t name_size, const void *data,
		size_t size, struct snap_record *ret_record, struct err *err);
