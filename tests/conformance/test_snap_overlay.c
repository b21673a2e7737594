/* SPDX-License-Identifier: Apache-2.0 */
#include "conformance/snapshot_files_suite.h"

#include "snapshots/overlay/snap_overlay.h"
#include "snapshots/snap_store.h"

static struct snapshotter *open_snapshotter(void)
{
	struct snap_overlay_options options = { 0 };
	AUTO(snap_store_free) struct snap_store *store = NULL;
	AUTO_FREE char *root = NULL;
	AUTO_ERR struct err err = { 0 };
	struct snapshotter *s = NULL;

	tempdir_make(&dir);
	if (!own_mounts(&dir))
		return NULL;
	root = xasprintf("%s/root", dir.path);
	options.root = root;
	assert_ok(snap_store_kv_open(root, false, &store, &err), &err);
	assert_ok(snap_overlay_new(&options, store, &s, &err), &err);
	take_ptr(store);
	return s;
}

static void close_snapshotter(struct snapshotter *s)
{
	snapshotter_free(s);
	tempdir_remove(&dir);
}

int main(void)
{
	const struct CMUnitTest tests[] = { SNAPSHOT_SUITE, SNAPSHOT_FILES_SUITE };

	if (unshare(CLONE_NEWNS) < 0) {
		(void)fprintf(stderr, "skipped: mounts need root\n");
		return 77;
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
