/* SPDX-License-Identifier: Apache-2.0 */
/* Every snapshotter behind a proxy. */
#include "conformance/snapshot_files_suite.h"

#include "proxy/proxy_snapshots.h"
#include "services/services.h"
#include "snapshots/native/snap_native.h"
#include "snapshots/overlay/snap_overlay.h"
#include "snapshots/snap_mem.h"
#include "snapshots/snap_store.h"
#include "support/proxied.h"

enum driver {
	MEMORY,
	NATIVE,
	OVERLAY,
};

static enum driver driver;
static struct snapshotter *behind;
static struct named_snapshotter named;
static struct snapshots_service service;
static struct proxied *proxied;

static struct snapshotter *open_behind(void)
{
	AUTO_FREE char *root = xasprintf("%s/root", dir.path);
	struct snap_native_options native = { .root = root };
	struct snap_overlay_options overlay = { .root = root };
	AUTO(snap_store_free) struct snap_store *store = NULL;
	AUTO_ERR struct err err = { 0 };
	struct snapshotter *s = NULL;

	if (driver == MEMORY)
		return snap_mem_new();
	assert_ok(snap_store_kv_open(root, false, &store, &err), &err);
	if (driver == NATIVE)
		assert_ok(snap_native_new(&native, store, &s, &err), &err);
	else
		assert_ok(snap_overlay_new(&overlay, store, &s, &err), &err);
	take_ptr(store);
	return s;
}

static struct snapshotter *open_snapshotter(void)
{
	struct proxied_service services[] = { { &snapshots_service, &service }, { 0 } };

	tempdir_make(&dir);
	if (driver != MEMORY && !own_mounts(&dir))
		return NULL;
	behind = open_behind();
	named = (struct named_snapshotter){ "theirs", behind };
	service = (struct snapshots_service){ &named, 1 };
	proxied = proxied_start(services);
	return proxy_snapshotter_new(proxied->link, "theirs", NULL);
}

static void close_snapshotter(struct snapshotter *s)
{
	snapshotter_free(s);
	proxied_free(proxied);
	snapshotter_free(behind);
	tempdir_remove(&dir);
}

int main(void)
{
	const struct CMUnitTest tests[] = { SNAPSHOT_SUITE };
	const struct CMUnitTest with_files[] = { SNAPSHOT_SUITE, SNAPSHOT_FILES_SUITE };
	int failed = cmocka_run_group_tests_name("memory behind a proxy", tests, NULL, NULL);

	if (unshare(CLONE_NEWNS) < 0) {
		(void)fprintf(stderr, "skipped the others: mounts need root\n");
		return failed;
	}
	driver = NATIVE;
	failed += cmocka_run_group_tests_name("native behind a proxy", with_files, NULL, NULL);
	driver = OVERLAY;
	return failed +
	       cmocka_run_group_tests_name("overlayfs behind a proxy", with_files, NULL, NULL);
}
