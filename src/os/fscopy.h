/* SPDX-License-Identifier: Apache-2.0 */
/* Copies of trees with everything that belongs to files. -errno results. */
#pragma once

#include "base/attr.h"

/*
 * Makes "to" (in to_dirfd) a copy of the directory "from": contents (shared with the original
 * where the filesystem can), hard links within the tree, owners, modes, times, extended
 * attributes, devices, fifos and sockets. "to" may exist as an empty directory. Attributes that
 * the target filesystem does not take are left out. Nobody else may change either tree
 * meanwhile, nor "<to>.links" beside it, which is there until the copy is done.
 */
#define FSCOPY_LINKS ".links"
MAY_BLOCK MUST_USE int fscopy_tree(
		int from_dirfd, const char *from, int to_dirfd, const char *to);

/* The attributes of one open file on another. */
MAY_BLOCK MUST_USE int fscopy_xattrs(int from_fd, int to_fd);
