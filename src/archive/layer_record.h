/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a layer helper tells the daemon: frames of a type and a bounded body, native byte order,
 * since both run on one machine. Whoever looks at hostile bytes may have been taken over by
 * them, so a frame is checked as if the layer itself had written it. The file data is not in
 * it: records name ranges of the stream, which only the daemon can write to.
 */
#pragma once

#include <sys/types.h>

#include "archive/tar.h"
#include "base/attr.h"
#include "base/buf.h"

struct err;

enum layer_record_type {
	LAYER_ENTRY = 1,    /* a file, directory, …; its extents follow */
	LAYER_EXTENT = 2,   /* a range of the last entry's data */
	LAYER_POSITION = 3, /* everything before is done with */
	LAYER_END = 4,	    /* nothing follows; "offset" is where it ended */
	LAYER_FAILED = 5,   /* nothing follows; why */
};

#define LAYER_MAX_FAILURE 512
#define LAYER_MAX_XATTRS  (TAR_MAX_SPECIAL + TAR_MAX_XATTRS * 16)
#define LAYER_MAX_BODY	  (LAYER_MAX_XATTRS + 2 * (TAR_MAX_PATH + 1) + 256)

struct layer_record {
	enum layer_record_type type;
	struct tar_entry entry; /* extents and offset are not set */
	uint64_t at, offset, size;
	int fail_kind; /* enum err_kind: UNKNOWN, EXHAUSTED or INTERNAL */
	const char *failure;
};

/* Append one frame. */
void layer_put_entry(struct buf *out, const struct tar_entry *e);
void layer_put_extent(struct buf *out, uint64_t at, uint64_t offset, uint64_t size);
void layer_put_position(struct buf *out, uint64_t offset);
void layer_put_end(struct buf *out, uint64_t offset);
void layer_put_failure(struct buf *out, const struct err *err);

/* Room for the attributes of one entry at a time. */
struct layer_parser {
	struct tar_xattr *xattrs;
};
void layer_parser_done(struct layer_parser *p);

/* Takes one frame from the front of "data": its size, 0 if it is not all there yet, or -1 if it
 * is not one. What is in the record points into data and the parser. */
MUST_USE ssize_t layer_record_parse(struct layer_parser *p, const void *data, size_t size,
		struct layer_record *ret_record, struct err *err);
