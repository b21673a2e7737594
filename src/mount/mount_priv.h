/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of this folder share. */
#pragma once

#include "base/attr.h"
#include "base/auto.h"

struct buf;
struct ctx;
struct err;
struct mount_options;
struct mount_spec;

/* A user namespace with the option's maps. */
MAY_BLOCK MUST_USE int mount_make_userns(
		const struct mount_options *o, int *ret_fd, struct err *err);

/*
 * Overlay's lower directories seen through a mount with shifted owners. *options is replaced by
 * ones that name them there; the mount in between is needed only until the overlay is mounted.
 * Nothing happens, and *ret_shifted stays NULL, unless the options have both maps.
 */
struct mount_shifted;
MAY_BLOCK MUST_USE int mount_shift_lower(char ***options, const char *temp_root,
		struct mount_shifted **ret_shifted, struct err *err);
MAY_BLOCK void mount_shifted_free(struct mount_shifted *s);
DEFINE_AUTO(struct mount_shifted *, mount_shifted_free)

/* Runs a program, found in PATH, to its end; its output, cut at a limit, goes to "out". Exit
 * code, 128 + signal, or -1. It is killed when ctx is over, and after five minutes. */
MAY_BLOCK int mount_run(char *const *argv, struct buf *out, struct ctx *ctx, struct err *err);
/* For file systems of a user's program: mount.fuse and mount.fuse3. */
MAY_BLOCK MUST_USE int mount_with_helper(const struct mount_spec *spec, const char *target,
		struct ctx *ctx, struct err *err);
/* fusermount, for those who may not unmount by themselves, for ten seconds. 0 or -errno. */
MAY_BLOCK MUST_USE int mount_fuse_undo(const char *target);
