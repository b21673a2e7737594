/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Files of a container's root before it is mounted anywhere: its layers are looked through one
 * above the other, as overlayfs would. Everything in them is hostile: no link is followed by
 * the kernel, and none leads out.
 */
#pragma once

#include "client/client_priv.h"

struct user_source;

struct ctrd_rootfs {
	int *layers; /* directories, the topmost first */
	size_t count;
};
DEFINE_AUTO(struct ctrd_rootfs *, ctrd_rootfs_free)

/* Opens a regular file of at most max_bytes: 1 and a descriptor, 0 if it is not there. INVALID
 * for anything that is no such file. */
MUST_USE int rootfs_open_file(const struct ctrd_rootfs *r, const char *path, uint64_t max_bytes,
		int *ret_fd, struct err *err);

/* passwd and group of the root; r NULL has none of them. */
struct user_source rootfs_users(const struct ctrd_rootfs *r);
