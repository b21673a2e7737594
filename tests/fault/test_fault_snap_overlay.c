/* SPDX-License-Identifier: Apache-2.0 */
#include "fault/snapshot_story.h"

#include "snapshots/overlay/snap_overlay.h"

static int new_driver(const char *root, struct snap_store *own_store, struct snapshotter **ret,
		struct err *err)
{
	struct snap_overlay_options options = { .root = root };

	return snap_overlay_new(&options, own_store, ret, err);
}
