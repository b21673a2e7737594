/* SPDX-License-Identifier: Apache-2.0 */
/* Applying mount specs, and taking mounts away again (reference 02 §7.1-7.5). */
#pragma once

#include "base/attr.h"
#include "core/mount.h"

struct ctx;
struct err;

/* Mounts each in order onto target (or what it names below it, which cannot lie outside). When
 * one fails, those before it are unmounted again. "temp_root" is a private directory for what
 * has to be mounted somewhere on the way; only id-mapped overlays need it. */
MAY_BLOCK MUST_USE int mount_all(const struct mounts *m, const char *target,
		const char *temp_root, struct ctx *ctx, struct err *err);

/* Takes one mount away, waiting a while for whoever is just leaving it. Nothing mounted there
 * is fine. flags as of umount2(2). */
MAY_BLOCK MUST_USE int mount_undo(
		const char *target, int flags, struct ctx *ctx, struct err *err);

/* Takes away everything stacked on target. A missing path is fine. */
MAY_BLOCK MUST_USE int mount_undo_stack(
		const char *target, int flags, struct ctx *ctx, struct err *err);

/* Takes away everything on and below target, deepest first; the first failure is returned after
 * all were tried. A missing path is fine. */
MAY_BLOCK MUST_USE int mount_undo_tree(
		const char *target, int flags, struct ctx *ctx, struct err *err);

/* For mount_undo_tree(), beside the flags of umount2(2): an overlay file system that can be
 * mounted anew at once writes what is dirty after the return, in a child of this process that
 * whoever reaps any child reaps (docs/design/020). */
#define MOUNT_UNDO_APART (1 << 30)

/* Takes away what mount_all() made, in reverse order. */
MAY_BLOCK MUST_USE int mount_undo_all(const struct mounts *m, const char *target, int flags,
		struct ctx *ctx, struct err *err);
