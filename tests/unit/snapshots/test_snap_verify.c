/* SPDX-License-Identifier: Apache-2.0 */
/* What a look through a driver's records and directories names. */
#include "unit/unit.h"

#include "base/ctx.h"
#include "base/mem.h"
#include "base/str.h"
#include "core/snapshot.h"
#include "kv/kv.h"
#include "snapshots/overlay/snap_overlay.h"
#include "snapshots/snap_store.h"
#include "snapshots/snap_verify.h"
#include "support/findings.h"
#include "support/tempdir.h"

static struct tempdir dir;
static struct ctx ctx;
static struct findings found;
static char *root;

static void commit(struct snapshotter *s, const char *name, const char *parent)
{
	struct mounts m AUTO_MOUNTS = { 0 };
	AUTO_ERR struct err err = { 0 };

	assert_ok(snapshot_prepare(s, &ctx, "key", parent, NULL, &m, &err), &err);
	assert_ok(snapshot_commit(s, &ctx, name, "key", NULL, NULL, &err), &err);
}

/* "base" (1), "middle" (2) on it, "top" (3) on that, and an active one (4). */
static int setup(void **state)
{
	AUTO(snap_store_free) struct snap_store *store = NULL;
	struct mounts m AUTO_MOUNTS = { 0 };
	AUTO_ERR struct err err = { 0 };
	struct snap_overlay_options options = { .no_sync = true };
	struct snapshotter *s = NULL;

	tempdir_make(&dir);
	findings_init(&found);
	root = xasprintf("%s/root", dir.path);
	options.root = root;
	assert_ok(snap_store_kv_open(root, true, &store, &err), &err);
	assert_ok(snap_overlay_new(&options, store, &s, &err), &err);
	store = NULL;
	commit(s, "base", NULL);
	commit(s, "middle", "base");
	commit(s, "top", "middle");
	assert_ok(snapshot_prepare(s, &ctx, "active", "top", NULL, &m, &err), &err);
	snapshotter_free(s);
	return 0;
}

static int teardown(void **state)
{
	tempdir_remove(&dir);
	buf_done(&found.lines);
	free(root);
	return 0;
}

static void verify(void)
{
	struct snap_verify_options options = { "overlayfs", root, "fs", false };
	AUTO_ERR struct err err = { 0 };

	assert_ok(snap_verify(&options, &ctx, &found.sink, &err), &err);
}

struct change {
	const char *key, *value;
	size_t size;
};

static int change_in(struct kv_txn *txn, void *arg, struct err *err)
{
	const struct change *c = arg;

	if (c->value == NULL)
		return kv_del(txn, kv_text(c->key), err) < 0 ? -1 : 0;
	return kv_put(txn, kv_text(c->key), (struct kv_bytes){ c->value, c->size }, err);
}

static void change_record(const char *key, const char *value)
{
	struct change c = { key, value, value == NULL ? 0 : strlen(value) };
	AUTO_FREE char *path = xasprintf("%s/metadata.mdb", root);
	struct kv_options options = { NULL, 1, true, 0 };
	AUTO(kv_close) struct kv *kv = NULL;
	AUTO_ERR struct err err = { 0 };

	assert_ok(kv_open(path, &options, &kv, &err), &err);
	assert_ok(kv_update(kv, change_in, &c, &err), &err);
}

static void good_ones_have_nothing_to_name(void **state)
{
	verify();
	assert_findings(&found, "");
}

static void missing_directories_are_named_one_by_one(void **state)
{
	AUTO_FREE char *want = xasprintf("damaged snapshot overlayfs/base: directory "
					 "%s/snapshots/1/fs: no such file or directory\n"
					 "damaged snapshot overlayfs/middle: directory "
					 "%s/snapshots/2/fs: no such file or directory\n",
			root, root);

	assert_int_equal(fs_remove_all(dir.fd, "root/snapshots/2"), 0);
	assert_int_equal(fs_remove_all(dir.fd, "root/snapshots/1/fs"), 0);
	verify();
	assert_findings(&found, want);
}

static void what_the_daemon_makes_again_is_no_damage(void **state)
{
	assert_int_equal(fs_remove_all(dir.fd, "root/snapshots/4"), 0);
	verify();
	assert_findings(&found, "");
}

static void a_lost_copy_is_damage(void **state)
{
	struct snap_verify_options options = { "overlayfs", root, "fs", true };
	AUTO_ERR struct err err = { 0 };

	assert_int_equal(fs_remove_all(dir.fd, "root/snapshots/4"), 0);
	assert_ok(snap_verify(&options, &ctx, &found.sink, &err), &err);
	assert_non_null(strstr(
			found.lines.data, "damaged snapshot overlayfs/active: directory"));
}

static void a_link_is_no_directory(void **state)
{
	assert_int_equal(fs_remove_all(dir.fd, "root/snapshots/2/fs"), 0);
	assert_int_equal(symlinkat("/etc", dir.fd, "root/snapshots/2/fs"), 0);
	verify();
	assert_non_null(strstr(
			found.lines.data, "damaged snapshot overlayfs/middle: directory"));
}

static void files_that_came_or_went_after_the_commit_are_noticed(void **state)
{
	AUTO_FREE char *want = xasprintf("damaged snapshot overlayfs/base: has 2 files in "
					 "%s/snapshots/1/fs; it had 1 when it was committed\n",
			root);

	put_file(dir.fd, "root/snapshots/1/fs/new", "");
	put_file(dir.fd, "root/snapshots/4/fs/new", ""); /* active: as it should be */
	verify();
	assert_findings(&found, want);
}

static void a_missing_parent_is_named_by_who_stands_on_it(void **state)
{
	change_record("smiddle", NULL);
	verify();
	assert_non_null(strstr(found.lines.data, "damaged snapshot overlayfs/top: its parent "
						 "middle is missing\n"));
	assert_non_null(strstr(found.lines.data, "damaged snapshot overlayfs/active: stands on "
						 "snapshot 2, which is missing\n"));
	assert_non_null(strstr(found.lines.data, "leftover file"));
}

static void strange_directories_are_left_over(void **state)
{
	AUTO_FREE char *want = xasprintf("leftover file %s/snapshots/99: no snapshot's "
					 "directory\n",
			root);

	assert_int_equal(mkdirat(dir.fd, "root/snapshots/99", 0700), 0);
	verify();
	assert_findings(&found, want);
}

static void a_record_that_cannot_be_read_is_named(void **state)
{
	change_record("smiddle", "garbage");
	verify();
	assert_non_null(strstr(found.lines.data, "damaged snapshotter overlayfs: "));
	assert_non_null(strstr(found.lines.data, "middle"));
}

static void a_newer_file_is_refused(void **state)
{
	struct snap_verify_options options = { "overlayfs", root, "fs", false };
	AUTO_FREE char *path = xasprintf("%s/metadata.mdb", root);
	struct kv_options newer = { NULL, 1, true, 0 };
	AUTO_ERR struct err err = { 0 };
	struct kv *kv = NULL;

	assert_ok(kv_open(path, &newer, &kv, &err), &err);
	assert_ok(kv_set_version(kv, 2, &err), &err);
	kv_close(kv);
	assert_fails(snap_verify(&options, &ctx, &found.sink, &err), &err, ERR_PRECONDITION);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
		T(good_ones_have_nothing_to_name),
		T(missing_directories_are_named_one_by_one),
		T(what_the_daemon_makes_again_is_no_damage),
		T(a_lost_copy_is_damage),
		T(a_link_is_no_directory),
		T(files_that_came_or_went_after_the_commit_are_noticed),
		T(a_missing_parent_is_named_by_who_stands_on_it),
		T(strange_directories_are_left_over),
		T(a_record_that_cannot_be_read_is_named),
		T(a_newer_file_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
