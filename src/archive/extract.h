/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Puts a layer's entries into a directory (reference 03 §2.1, 2.2). Entries are hostile: every
 * parent is resolved below the root as if that were "/", and every last name is used with calls
 * that do not follow links. Whiteouts remove what is there; in an overlay's upper directory
 * they become overlay's own. docs/design/032-unpacking.md says why it is done this way.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "archive/tar.h"
#include "base/attr.h"
#include "base/auto.h"

struct ctx;
struct err;
struct extract;

/* "count" ids from "inside" on become those from "outside" on. */
struct extract_id_map {
	uint32_t inside, outside, count;
};

struct extract_options {
	/* The root is the upper directory of an overlay. */
	bool is_overlay;
	bool user_xattr; /* which is mounted with "userxattr" */
	/* Lower directories, uppermost first: a parent that the layer does not hold gets its
	 * mode, owner, times and attributes from there. Borrowed. */
	const int *lowers;
	size_t lower_count;

	bool keep_own_ids; /* entries belong to whoever runs this */
	bool in_userns;	   /* where devices cannot be made: they are left out */
	const struct extract_id_map *uids, *gids; /* borrowed; none: ids stay as they are */
	size_t uid_count, gid_count;

	/* False leaves the entry out. "path" is cleaned, without a leading slash. */
	bool (*wants)(void *arg, const struct tar_entry *e, const char *path);
	void *arg;

	const char *temp_dir; /* for what does not fit into memory; borrowed; NULL: memory only
			       */
	bool write_soon;      /* write to disk meanwhile: a sync follows */

	/* 0: the defaults below. */
	uint64_t max_entries, max_bytes;
	unsigned max_depth;
};
#define EXTRACT_MAX_ENTRIES 8000000
#define EXTRACT_MAX_BYTES   (UINT64_C(1) << 41) /* of all files, holes included */
#define EXTRACT_MAX_DEPTH   1024

/* The root, a directory to read, is borrowed. So is ctx, which is asked per entry. */
MAY_BLOCK MUST_USE struct extract *extract_new(
		int root, const struct extract_options *options, struct ctx *ctx);
void extract_free(struct extract *x);
DEFINE_AUTO(struct extract *, extract_free)

/* One entry: begin, data if it is a file, end; "e" stays as it is meanwhile. EXHAUSTED over a
 * limit; what is malformed is UNKNOWN with the original's text. After a failure only free. */
MAY_BLOCK MUST_USE int extract_begin(
		struct extract *x, const struct tar_entry *e, struct err *err);
/* True while data is wanted: files are, unless left out. */
bool extract_wants_data(const struct extract *x);
MAY_BLOCK MUST_USE int extract_data(
		struct extract *x, uint64_t at, const void *data, size_t size, struct err *err);
MAY_BLOCK MUST_USE int extract_end(struct extract *x, struct err *err);

/* After the last entry: the times of directories. */
MAY_BLOCK MUST_USE int extract_finish(struct extract *x, struct err *err);

/* Bytes of all files so far. */
uint64_t extract_bytes(const struct extract *x);
