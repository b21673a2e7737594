/* SPDX-License-Identifier: Apache-2.0 */
#include "fault/snapshot_story.h"

#include "snapshots/native/snap_native.h"

static int new_driver(const char *root, struct snap_store *own_store, struct snapshotter **ret,
		struct err *err)
{
	struct snap_native_options options = { .root = root };

	return snap_native_new(&options, own_store, ret, err);
}
