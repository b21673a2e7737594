/* SPDX-License-Identifier: Apache-2.0 */
/* Both suites for a driver of src/snapshots: its program defines make_driver(), and has
 * run_files_suite() for a main(). */
#pragma once

#include "conformance/snapshot_files_suite.h"
#include "snapshots/snap_store.h"

/* In "root", below dir. Takes the store on success. */
static int make_driver(const char *root, struct snap_store *store,
		struct snapshotter **ret_snapshotter, struct err *err);

static struct snapshotter *open_snapshotter(void)
{
	AUTO(snap_store_free) struct snap_store *store = NULL;
	AUTO_FREE char *root = NULL;
	AUTO_ERR struct err err = { 0 };
	struct snapshotter *s = NULL;

	tempdir_make(&dir);
	if (!own_mounts(&dir))
		return NULL;
	root = xasprintf("%s/root", dir.path);
	assert_ok(snap_store_kv_open(root, false, &store, &err), &err);
	assert_ok(make_driver(root, store, &s, &err), &err);
	take_ptr(store);
	return s;
}

static void close_snapshotter(struct snapshotter *s)
{
	snapshotter_free(s);
	tempdir_remove(&dir);
}

static int run_files_suite(void)
{
	const struct CMUnitTest tests[] = { SNAPSHOT_SUITE, SNAPSHOT_FILES_SUITE };

	if (unshare(CLONE_NEWNS) < 0) {
		(void)fprintf(stderr, "skipped: mounts need root\n");
		return 77;
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
