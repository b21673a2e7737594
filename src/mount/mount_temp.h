/* SPDX-License-Identifier: Apache-2.0 */
/* Mounts that the daemon needs for a moment, to read or write a snapshot (reference 02 §7.6).
 */
#pragma once

#include <stdbool.h>

#include "base/attr.h"
#include "base/auto.h"

struct ctx;
struct err;
struct mounts;
struct temp_mount;

/* Mounts on a new private directory below root (made 0700 if missing). The specs are changed
 * first: overlays lose "volatile", since what is written must last; with read_only, they get no
 * upper directory (it becomes the first lower one), and others become "ro". */
MAY_BLOCK MUST_USE int temp_mount_open(const char *root, const struct mounts *m, bool read_only,
		struct ctx *ctx, struct temp_mount **ret_mount, struct err *err);

const char *temp_mount_path(const struct temp_mount *t);

/* Unmounts and removes the directory; nothing below is ever deleted. The mount is gone for the
 * caller whatever the outcome. */
MAY_BLOCK MUST_USE int temp_mount_close(
		struct temp_mount *own_mount, struct ctx *ctx, struct err *err);

/* The same for ways out that have an error already: a failure is logged. NULL is fine. */
MAY_BLOCK void temp_mount_drop(struct temp_mount *t);
DEFINE_AUTO(struct temp_mount *, temp_mount_drop)

/* At start: takes away what a killed daemon left mounted below root, and the directories.
 * Failures are logged. */
MAY_BLOCK void temp_mounts_clean(const char *root, struct ctx *ctx);

/* The change of specs by itself, for tests and other mounters: "to" must be empty. */
void temp_mount_specs(const struct mounts *from, bool read_only, struct mounts *to);
