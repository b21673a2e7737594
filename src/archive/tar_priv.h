/* SPDX-License-Identifier: Apache-2.0 */
/* The pieces of the tar reader: the fixed block, pax records, sparse maps. */
#pragma once

#include "archive/tar.h"
#include "base/attr.h"
#include "base/buf.h"

struct err;

#define TAR_OLD_GNU_SPARSE 'S'

/* Go's words, which clients of the original have seen. */
#define TAR_TEXT_INVALID   "archive/tar: invalid tar header"
#define TAR_TEXT_TOO_LONG  "archive/tar: header field too long"
#define TAR_TEXT_TRUNCATED "unexpected EOF"

int tar_err_invalid(struct err *err);
int tar_err_truncated(struct err *err);

enum tar_dialect {
	TAR_V7,
	TAR_USTAR, /* and pax, which looks the same */
	TAR_STAR,
	TAR_GNU,
};

/* A block as it stands; numbers are not yet checked for being sensible. */
struct tar_header {
	enum tar_dialect dialect;
	char type;
	char name[256 + 1]; /* prefix/name */
	char link[100 + 1];
	int64_t mode, uid, gid, size, mtime, atime, major, minor;
	bool has_atime;
};

bool tar_block_is_zero(const unsigned char *block);

/* False unless checksum and every number are right. */
MUST_USE bool tar_header_parse(const unsigned char *block, struct tar_header *ret_header);

/* A number field: octal text, or base-256 behind a first byte with the high bit set. */
MUST_USE bool tar_number_parse(const unsigned char *field, size_t size, int64_t *ret);

/* Records of one pax header; texts point into the body they were read from. */
struct tar_pax {
	const char *path, *link;
	const char *size, *uid, *gid, *mtime, *atime;
	const char *sparse_major, *sparse_minor, *sparse_name, *sparse_size, *sparse_real_size,
			*sparse_count, *sparse_map;
	struct buf sparse_pairs; /* "offset,size,…" of version 0.0, put together */
	struct tar_xattr *xattrs;
	size_t xattr_count, xattr_room;
};

void tar_pax_clear(struct tar_pax *p); /* keeps the memory */
void tar_pax_done(struct tar_pax *p);

/* Reads the records in a body, which is changed: each value gets its 0. One byte behind the
 * body must be writable. */
MUST_USE int tar_pax_parse(struct tar_pax *p, char *body, size_t size, struct err *err);

/* "[-]seconds[.fraction]" */
MUST_USE bool tar_pax_time(const char *text, struct timespec *ret);

/* A whole decimal number. */
MUST_USE bool tar_pax_number(const char *text, int64_t *ret);

struct tar_extents {
	struct tar_extent *items;
	size_t count, room;
};

void tar_extents_done(struct tar_extents *e);
MUST_USE int tar_extents_add(struct tar_extents *e, int64_t at, int64_t size, struct err *err);

/* Sorted, apart, inside a file of file_size, and data_size altogether. */
MUST_USE int tar_extents_check(const struct tar_extents *e, uint64_t file_size,
		uint64_t data_size, struct err *err);

/* "offset,size,…" with exactly "count" pairs. */
MUST_USE int tar_extents_from_text(
		struct tar_extents *e, const char *map, const char *count, struct err *err);

/* "size" bytes of 24-byte pairs in a block of GNU's own format; stops at the first empty one.
 */
MUST_USE int tar_extents_from_block(struct tar_extents *e, const unsigned char *pairs,
		size_t count, struct err *err);
