/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any bytes may be in the file. What is refused is called damaged; what is read must come out
 * the same once it is written and read again.
 */
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"
#include "snapshots/storage/snap_record_priv.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_same(const struct snap_record *a, const struct snap_record *b)
{
	if (a->id != b->id || a->parent_count != b->parent_count ||
			a->info.kind != b->info.kind ||
			!str_eq(a->info.parent, b->info.parent) ||
			a->info.created_ns != b->info.created_ns ||
			a->info.updated_ns != b->info.updated_ns ||
			a->usage.size != b->usage.size || a->usage.inodes != b->usage.inodes ||
			!labels_equal(&a->info.labels, &b->info.labels))
		abort();
	for (size_t i = 0; i < a->parent_count; i++)
		if (a->parents[i] != b->parents[i])
			abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct snap_record r AUTO_SNAP_RECORD = { 0 }, again AUTO_SNAP_RECORD = { 0 };
	AUTO_BUF struct buf out = { .limit = SIZE_MAX };
	AUTO_ERR struct err err = { 0 };

	if (snap_record_decode("key", 3, data, size, &r, &err) < 0) {
		if (err.kind != ERR_DATA_LOSS)
			abort();
		return 0;
	}
	snap_record_encode(&r, &out);
	if (snap_record_decode("key", 3, out.data, out.size, &again, &err) < 0)
		abort();
	check_same(&r, &again);
	return 0;
}
