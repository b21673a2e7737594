/* SPDX-License-Identifier: Apache-2.0 */
#include "conformance/snapshot_files_driver.h"

#include "snapshots/native/snap_native.h"

static int make_driver(const char *root, struct snap_store *store,
		struct snapshotter **ret_snapshotter, struct err *err)
{
	struct snap_native_options options = { .root = root };

	return snap_native_new(&options, store, ret_snapshotter, err);
}

int main(void)
{
	return run_files_suite();
}
