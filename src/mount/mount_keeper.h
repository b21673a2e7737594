/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The mount manager (core/mount_manager.h) of this machine: mounts below a directory of its
 * own, which it finds again when the daemon has been restarted
 * (docs/design/043-mount-manager.md).
 */
#pragma once

#include "base/attr.h"
#include "base/auto.h"

struct err;
struct gc_resources;
struct mount_keeper;
struct mount_manager;

/* "dir" is made (0700); what an earlier daemon left half made there is taken away. "root" is
 * the other directory in which files may be made for mounts, "temp" one for mounts on the way.
 */
MAY_BLOCK MUST_USE int mount_keeper_new(const char *dir, const char *root, const char *temp,
		struct mount_keeper **ret_keeper, struct err *err);
/* Leaves all mounts as they are. NULL is fine. */
MAY_BLOCK void mount_keeper_free(struct mount_keeper *k);
DEFINE_AUTO(struct mount_keeper *, mount_keeper_free)

struct mount_manager *mount_keeper_manager(struct mount_keeper *k);
struct gc_resources *mount_keeper_resources(struct mount_keeper *k);
