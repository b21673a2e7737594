/* SPDX-License-Identifier: Apache-2.0 */
/* Unpacks a tar in memory in this process, without helpers. */
#pragma once

#include "archive/extract.h"
#include "base/ctx.h"
#include "base/err.h"
#include "support/tar_memory.h"

/* Data of one entry, extent by extent. */
static inline int tar_extract_data(struct extract *x, struct tar_reader *r,
		const struct tar_entry *e, struct err *err)
{
	const struct tar_extent whole = { 0, e->data_size };
	const struct tar_extent *extents = e->is_sparse ? e->extents : &whole;
	size_t count = e->is_sparse ? e->extent_count : 1;
	char chunk[5000];

	for (size_t i = 0; i < count; i++) {
		for (uint64_t done = 0; done < extents[i].size;) {
			uint64_t left = extents[i].size - done;
			ssize_t n = tar_reader_data(r, chunk,
					left < sizeof(chunk) ? (size_t)left : sizeof(chunk),
					err);

			if (n < 0 || extract_data(x, extents[i].at + done, chunk, (size_t)n,
						     err) < 0)
				return -1;
			done += (uint64_t)n;
		}
	}
	return 0;
}

static inline int tar_extract(int root, const void *data, size_t size,
		const struct extract_options *options, struct err *err)
{
	struct tar_memory memory = tar_memory(data, size);
	AUTO(tar_reader_free) struct tar_reader *r = tar_reader_new(&memory.base);
	struct ctx ctx = { .what = "test" };
	AUTO(extract_free) struct extract *x = extract_new(root, options, &ctx);
	const struct tar_entry *e;
	int rc;

	while ((rc = tar_reader_next(r, &e, err)) > 0) {
		if (extract_begin(x, e, err) < 0)
			return -1;
		if (extract_wants_data(x) && tar_extract_data(x, r, e, err) < 0)
			return -1;
		if (extract_end(x, err) < 0)
			return -1;
	}
	return rc < 0 ? -1 : extract_finish(x, err);
}
