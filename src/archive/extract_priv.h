/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "archive/extract.h"
#include "archive/flusher.h"
#include "archive/path_set.h"
#include "archive/spool.h"

#define WHITEOUT_PREFIX ".wh."
#define WHITEOUT_OPAQUE ".wh..wh..opq"

/* What path_set keeps apart. */
enum {
	PATH_IS_OURS,  /* unpacked from this layer */
	PATH_IS_CLEAN, /* a directory that holds nothing but what is ours */
};

struct stat;

/* A directory that entries go into, found once for all in a row. */
struct extract_parent {
	char *path;	/* as the archive names it, cleaned; NULL: none */
	char *resolved; /* without links */
	int fd;		/* O_PATH: pins the very directory that was resolved */
};

/* Where the current entry goes. */
struct extract_place {
	char *path; /* cleaned; owned */
	int dir;    /* borrowed from the parent */
	const char *dir_path, *name;
};

struct extract {
	int root;
	struct extract_options options;
	struct ctx *ctx;
	struct extract_parent parent;
	struct extract_place place;
	const struct tar_entry *entry; /* NULL: none, or left out */
	int file;		       /* of a regular file; else -1 */
	uint64_t data_left;
	bool replaced_one; /* in an overlay: something that hid what is below */
	bool has_removed;
	bool is_tracking; /* there was something before us that opaque markers can hide */
	struct path_set paths;
	struct spool dir_times;
	struct flusher *flusher; /* NULL: nobody waits for the disk */
	uint64_t entries, bytes;
	unsigned warned;
};

/* Cleans a name into owned "a/b/c", "" for the root. EXHAUSTED when it is too deep. */
MUST_USE int extract_clean(
		const char *name, unsigned max_depth, char **ret_path, struct err *err);

/* Finds (and makes, if missing) the parent of x->place.path and fills in the place. */
MUST_USE int extract_find_place(struct extract *x, struct err *err);
/* After anything but an addition, what was resolved may lead elsewhere. */
void extract_forget_parent(struct extract *x);

/* Whiteouts: 1 if the entry was one and is done, 0 if it was none. */
MUST_USE int extract_whiteout(struct extract *x, struct err *err);
/* Marks a directory so that the overlay shows nothing of what is below it. */
MUST_USE int extract_hide_lower(struct extract *x, int dir, struct err *err);
/* Overlay's own form of a whiteout. */
bool extract_is_whiteout(const struct extract *x, const struct stat *st);

/* Removes what stands in the entry's way. */
MUST_USE int extract_clear_way(struct extract *x, struct err *err);

MUST_USE int extract_make(struct extract *x, struct err *err);

/* fd is -1, or what "name" in the current place is open as. */
MUST_USE int extract_own(struct extract *x, int fd, const char *name, uint32_t uid,
		uint32_t gid, struct err *err);

/* Owner, attributes, mode and times of what was just made; fd is its descriptor, or -1. */
MUST_USE int extract_describe(struct extract *x, int fd, struct err *err);
void extract_times(const struct tar_entry *e, struct timespec ret[2]);
/* What a layer asks for and does not get is told once per kind, not per file. */
enum { WARNED_DEVICE, WARNED_TRUSTED, WARNED_UNSUPPORTED, WARNED_OVERLAY };
void extract_warn_once(struct extract *x, unsigned kind, const char *what, const char *why);
