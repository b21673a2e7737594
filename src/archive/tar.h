/* SPDX-License-Identifier: Apache-2.0 */
/* What a tar stream holds: one entry, whatever dialect told about it. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#define TAR_BLOCK 512

/* What one entry may say about itself. The kernel takes no longer paths, names and values. */
#define TAR_MAX_PATH	    4095
#define TAR_MAX_XATTRS	    256
#define TAR_MAX_XATTR_NAME  255
#define TAR_MAX_XATTR_VALUE 65536
#define TAR_MAX_SPECIAL	    (1 << 20) /* a body of records about the next entry */
#define TAR_MAX_EXTENTS	    65536     /* data ranges of one sparse file */

enum tar_type {
	TAR_FILE = '0',
	TAR_HARDLINK = '1',
	TAR_SYMLINK = '2',
	TAR_CHAR = '3',
	TAR_BLOCK_DEVICE = '4',
	TAR_DIR = '5',
	TAR_FIFO = '6',
	TAR_GLOBAL = 'g', /* records about all that follows; nobody here obeys them */
};

struct tar_xattr {
	const char *name; /* without "SCHILY.xattr." */
	const void *value;
	size_t size;
};

/* A range of a sparse file that has data; the rest reads as zeros. */
struct tar_extent {
	uint64_t at, size;
};

struct tar_entry {
	int type;	  /* enum tar_type, or the unknown type flag */
	const char *path; /* as it stands in the archive: hostile */
	const char *link; /* target of links, else "" */
	uint32_t mode;	  /* permission bits with setuid, setgid and sticky */
	uint32_t uid, gid;
	uint64_t size; /* of the file, holes included */
	struct timespec mtime, atime;
	bool has_atime;
	uint32_t major, minor;
	const struct tar_xattr *xattrs;
	size_t xattr_count;
	const struct tar_extent *extents; /* sorted; only of sparse files */
	size_t extent_count;
	bool is_sparse;
	uint64_t data_size; /* bytes of it in the stream */
	uint64_t offset;    /* where in the stream they begin */
};
