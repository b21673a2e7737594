/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Files and trees below a directory descriptor. Nothing here follows a link out of the tree it
 * was given, holds more than a few descriptors at a time, or recurses: trees may be as deep and
 * as hostile as a container can make them. Results are -errno, without text.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/attr.h"

/* Opens "path" as a process with root "rootfd" would: links are followed but cannot leave.
 * -EAGAIN only after many attempts against a racing rename. */
MAY_BLOCK MUST_USE int fs_open_in(int rootfd, const char *path, int flags, mode_t mode);

/* Opens "path" below dirfd; -ELOOP if any part of it is a link, -EXDEV if it leads out. */
MAY_BLOCK MUST_USE int fs_open_beneath(int dirfd, const char *path, int flags, mode_t mode);

/* A directory to read, or to make entries in. A final link is not followed (-ENOTDIR). */
MAY_BLOCK MUST_USE int fs_open_dir(int dirfd, const char *path);

/* The same for one name, and -EXDEV where another filesystem or a bind is mounted on it. */
MAY_BLOCK MUST_USE int fs_open_dir_here(int dirfd, const char *name);

/* Makes every missing directory of a relative path; what is there keeps its mode. */
MAY_BLOCK MUST_USE int fs_make_dirs(int dirfd, const char *path, mode_t mode);

/* The same, durably: whoever keeps something below can rely on its being found after a power
 * cut. */
MAY_BLOCK MUST_USE int fs_make_dirs_durable(const char *path, mode_t mode);

MAY_BLOCK MUST_USE int fs_sync_dir(int dirfd, const char *path);
/* Of the directory that "path" stands in. */
MAY_BLOCK MUST_USE int fs_sync_parent(const char *path);

/* A file without a name, on the filesystem of that directory. */
MAY_BLOCK MUST_USE int fs_temp_file(const char *dir);

/* Owned target of a link. "" as name reads the link that dirfd itself is (O_PATH). */
MAY_BLOCK MUST_USE int fs_read_link(int dirfd, const char *name, char **ret_target);

/* Owned, NULL-terminated, sorted names in the directory, without "." and "..". */
MAY_BLOCK MUST_USE int fs_list(int dirfd, const char *path, char ***ret_names);

/* Removes a file or a whole tree; what is missing is fine. Linear in the number of entries.
 * -EBUSY, and what is mounted there untouched, when something is mounted inside. */
MAY_BLOCK MUST_USE int fs_remove_all(int dirfd, const char *name);

struct fs_usage {
	int64_t size;	/* allocated bytes; each inode counts once */
	int64_t inodes; /* with the top directory itself */
};
/* Disk usage of a tree, without following links or entering what is mounted inside. Entries
 * that vanish meanwhile do not count. */
MAY_BLOCK MUST_USE int fs_usage(int dirfd, const char *name, struct fs_usage *ret_usage);

/* One entry of a directory, as a walk shows it. */
struct fs_dirent {
	const char *name;
	unsigned char type; /* DT_… ; DT_UNKNOWN where the filesystem does not say */
};
/* Reads entries in batches without malloc'ed DIR streams. Zeroed with fd set is ready. */
#define FS_DIR_BATCH 32768
struct fs_dir {
	int fd; /* borrowed */
	size_t at, size;
	char data[FS_DIR_BATCH] __attribute__((aligned(8)));
};
/* 1 and an entry ("." and ".." are left out), 0 at the end, or -errno. The entry's name is
 * valid until the next call. */
MAY_BLOCK MUST_USE int fs_dir_next(struct fs_dir *d, struct fs_dirent *ret_entry);
