/* SPDX-License-Identifier: Apache-2.0 */
/* mount(2) and its successors, each wrapped once. -errno results, no text. */
#pragma once

#include <stdbool.h>
#include <sys/types.h>

#include "base/attr.h"

MAY_BLOCK MUST_USE int mountsys_mount(const char *source, const char *target, const char *type,
		unsigned long flags, const char *data);

/* The same with relative paths in "data" meant below "dir": the call runs on a thread of its
 * own with its own working directory, which ends afterwards. */
MAY_BLOCK MUST_USE int mountsys_mount_from(const char *dir, const char *source,
		const char *target, const char *type, unsigned long flags, const char *data);

/* -EINVAL: nothing is mounted there. flags as of umount2(2). */
MAY_BLOCK MUST_USE int mountsys_umount(const char *target, int flags);

/* The same, but does not wait for what a file system does when it is used no more, such as to
 * write all that is dirty: a process apart does (spawn_apart()). */
MAY_BLOCK MUST_USE int mountsys_umount_apart(const char *target, int flags);

/* A directory in memory that is mounted nowhere: "/proc/<pid>/fd/N" is its path, and it ends
 * with the descriptor. Or -errno. */
MAY_BLOCK MUST_USE int mountsys_memory_dir(void);

/* A detached copy of the mount at path ("" and a descriptor: of that very mount), with what is
 * mounted below if "recursive". A descriptor or -errno. */
MAY_BLOCK MUST_USE int mountsys_clone_tree(int dirfd, const char *path, bool recursive);

/* Applies id-mapping of the user namespace, and read-only, to a detached tree. */
MAY_BLOCK MUST_USE int mountsys_set_idmap(
		int tree_fd, int userns_fd, bool read_only, bool recursive);

MAY_BLOCK MUST_USE int mountsys_attach(int tree_fd, int to_dirfd, const char *to);

/* MS_RDONLY, MS_NODEV, … of the mount that path is on, for a remount that must keep them. */
MAY_BLOCK MUST_USE int mountsys_flags(const char *path, unsigned long *ret_flags);

/* A user namespace with these maps (the text of /proc/<pid>/uid_map). A descriptor or -errno.
 */
MAY_BLOCK MUST_USE int mountsys_make_userns(const char *uid_map, const char *gid_map);

/* "/proc/self/fd/N", where mount(2) has no form with a descriptor. */
#define MOUNTSYS_FD_PATH 32
void mountsys_fd_path(int fd, char out[MOUNTSYS_FD_PATH]);
