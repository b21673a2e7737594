/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any bytes may come as a tar stream. What is told about an entry stays within the limits, its
 * data is all there or an error says so, and reading in small pieces makes no difference.
 */
#include <stdlib.h>
#include <string.h>

#include "archive/tar_reader.h"
#include "base/auto.h"
#include "base/err.h"
#include "support/tar_memory.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void need(bool holds)
{
	if (!holds)
		abort();
}

static void check_extents(const struct tar_entry *e)
{
	uint64_t end = 0, sum = 0;

	for (size_t i = 0; i < e->extent_count; i++) {
		need(e->extents[i].at >= end);
		end = e->extents[i].at + e->extents[i].size;
		need(end <= e->size);
		sum += e->extents[i].size;
	}
	need(e->is_sparse ? sum == e->data_size : e->size == e->data_size);
}

static void check_entry(const struct tar_entry *e)
{
	need(e->path != NULL && strlen(e->path) <= TAR_MAX_PATH);
	need(e->link != NULL && strlen(e->link) <= TAR_MAX_PATH);
	need(e->xattr_count <= TAR_MAX_XATTRS && e->mode <= 07777);
	need(e->mtime.tv_nsec >= 0 && e->mtime.tv_nsec < 1000000000);
	for (size_t i = 0; i < e->xattr_count; i++)
		need(strlen(e->xattrs[i].name) <= TAR_MAX_XATTR_NAME &&
				e->xattrs[i].size <= TAR_MAX_XATTR_VALUE);
	check_extents(e);
}

/* Entries read; the error's kind goes to *ret_kind. */
static size_t read_all(const uint8_t *data, size_t size, size_t piece, enum err_kind *ret_kind)
{
	AUTO_ERR struct err err = { 0 };
	struct tar_memory memory = tar_memory(data, size);
	AUTO(tar_reader_free) struct tar_reader *r = tar_reader_new(&memory.base);
	const struct tar_entry *e;
	size_t count = 0;
	char chunk[777];
	int rc;

	memory.piece = piece;
	while ((rc = tar_reader_next(r, &e, &err)) > 0) {
		uint64_t left = e->data_size;
		ssize_t n = 0;

		check_entry(e);
		while (count % 2 == 0 &&
				(n = tar_reader_data(r, chunk, sizeof(chunk), &err)) > 0)
			left -= (uint64_t)n;
		need(n < 0 || count % 2 != 0 || left == 0);
		if (n < 0)
			break;
		count++;
	}
	need(rc == 0 || err.kind != ERR_NONE);
	*ret_kind = err.kind;
	return count;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	enum err_kind whole, pieces;

	need(read_all(data, size, 0, &whole) == read_all(data, size, 100, &pieces));
	need(whole == pieces);
	return 0;
}
