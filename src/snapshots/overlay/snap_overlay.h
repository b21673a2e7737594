/* SPDX-License-Identifier: Apache-2.0 */
/* The overlayfs snapshotter (reference 01 §6.4). */
#pragma once

#include <stdbool.h>

#include "base/attr.h"

struct err;
struct snap_store;
struct snapshotter;

struct snap_overlay_options {
	const char *root;
	bool upperdir_label;	    /* show where the upper directory is, as a label */
	bool sync_remove;	    /* free disk space in remove, not in cleanup */
	bool slow_chown;	    /* do not promise that ids are always shifted */
	char *const *mount_options; /* appended to overlay mounts */
	bool no_sync;		    /* commit does not wait for the disk */
};

/* PRECONDITION when the filesystem below root cannot carry overlays. own_store is taken on
 * success. */
MAY_BLOCK MUST_USE int snap_overlay_new(const struct snap_overlay_options *options,
		struct snap_store *own_store, struct snapshotter **ret_snapshotter,
		struct err *err);

/* What the plugin promises ("remap-ids", "only-remap-ids", "rebase"): an owned vector. */
MUST_USE char **snap_overlay_capabilities(const struct snapshotter *s);
