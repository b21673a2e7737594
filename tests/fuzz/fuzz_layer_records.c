/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any bytes may come from a helper that was taken over. What is accepted as a record stays
 * within the limits, sends the same when it is sent again, and can be given to the writer.
 */
#include <stdlib.h>
#include <string.h>

#include "archive/layer_record.h"
#include "base/auto.h"
#include "base/err.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void need(bool holds)
{
	if (!holds)
		abort();
}

static void check_entry(const struct tar_entry *e)
{
	need(strlen(e->path) <= TAR_MAX_PATH && strlen(e->link) <= TAR_MAX_PATH);
	need(e->xattr_count <= TAR_MAX_XATTRS && e->mode <= 07777);
	need(e->uid != UINT32_MAX && e->gid != UINT32_MAX);
	need(e->data_size <= e->size && e->size <= INT64_MAX);
	for (size_t i = 0; i < e->xattr_count; i++)
		need(strlen(e->xattrs[i].name) <= TAR_MAX_XATTR_NAME &&
				e->xattrs[i].size <= TAR_MAX_XATTR_VALUE);
}

static void check_record(const struct layer_record *r, const void *frame, size_t size)
{
	struct buf again AUTO_BUF = { .limit = SIZE_MAX };

	switch (r->type) {
	case LAYER_ENTRY:
		check_entry(&r->entry);
		layer_put_entry(&again, &r->entry);
		need(again.size == size);
		break;
	case LAYER_EXTENT:
		need(r->offset <= INT64_MAX - r->size);
		layer_put_extent(&again, r->at, r->offset, r->size);
		need(again.size == size && memcmp(again.data, frame, size) == 0);
		break;
	case LAYER_FAILED:
		need(strlen(r->failure) <= LAYER_MAX_FAILURE);
		break;
	default:
		need(r->type == LAYER_POSITION || r->type == LAYER_END);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	AUTO_ERR struct err err = { 0 };
	struct layer_parser parser = { 0 };
	struct layer_record r;
	ssize_t n;

	while ((n = layer_record_parse(&parser, data, size, &r, &err)) > 0) {
		need((size_t)n <= size);
		check_record(&r, data, (size_t)n);
		data += n;
		size -= (size_t)n;
	}
	need(n == 0 || err.kind == ERR_INTERNAL);
	layer_parser_done(&parser);
	return 0;
}
