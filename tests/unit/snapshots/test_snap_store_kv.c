/* SPDX-License-Identifier: Apache-2.0 */
/* Bookkeeping on disk: what survives, which files are refused, and walks over many keys. The
 * rules of snapshots themselves are in the conformance suites. */
#include "unit/unit.h"

#include "base/mem.h"
#include "base/str.h"
#include "kv/kv.h"
#include "snapshots/snap_store.h"
#include "support/tempdir.h"

static struct tempdir dir;
static struct snap_store *store;

static void open_again(void)
{
	AUTO_ERR struct err err = { 0 };

	snap_store_free(store);
	store = NULL;
	assert_ok(snap_store_kv_open(dir.path, true, &store, &err), &err);
}

static int setup(void **state)
{
	tempdir_make(&dir);
	open_again();
	return 0;
}

static int teardown(void **state)
{
	snap_store_free(store);
	store = NULL;
	tempdir_remove(&dir);
	return 0;
}

static uint64_t create(const char *key, const char *parent)
{
	AUTO_ERR struct err err = { 0 };
	uint64_t id;

	assert_ok(snap_store_new_id(store, &id, &err), &err);
	assert_ok(snap_store_create(store, id, SNAPSHOT_ACTIVE, key, parent, NULL, NULL, &err),
			&err);
	return id;
}

static void commit(const char *name, const char *key, const char *parent)
{
	struct snapshot_usage usage = { 4096, 3 };
	AUTO_ERR struct err err = { 0 };

	assert_ok(snap_store_commit(store, name, key, parent, &usage, NULL, &err), &err);
}

static void ids_do_not_come_again(void **state)
{
	AUTO_ERR struct err err = { 0 };

	assert_int_equal(create("a", NULL), 1);
	assert_int_equal(create("b", NULL), 2);
	assert_ok(snap_store_remove(store, "b", NULL, &err), &err);
	open_again();
	assert_int_equal(create("b", NULL), 3);
}

static void everything_of_a_snapshot_survives(void **state)
{
	struct labels labels AUTO_LABELS = { 0 };
	struct snap_node node AUTO_SNAP_NODE = { 0 };
	struct snapshot_info before = { 0 }, after = { 0 };
	struct snapshot_usage usage = { -5, 7 };
	AUTO_ERR struct err err = { 0 };

	(void)create("base-key", NULL);
	commit("base", "base-key", NULL);
	(void)create("middle-key", NULL);
	commit("middle", "middle-key", "base"); /* rebased */
	(void)create("top-key", "middle");
	labels_set(&labels, "containerd.io/snapshot/x", "y=z");
	labels_set(&labels, "n", "1");
	assert_ok(snap_store_commit(store, "top", "top-key", NULL, &usage, &labels, &err),
			&err);
	assert_ok(snap_store_find(store, "top", NULL, &before, NULL, &err), &err);
	open_again();
	usage = (struct snapshot_usage){ 0 };
	assert_ok(snap_store_find(store, "top", &node, &after, &usage, &err), &err);
	assert_int_equal(node.id, 3);
	assert_int_equal(node.kind, SNAPSHOT_COMMITTED);
	assert_int_equal(node.parent_count, 2);
	assert_int_equal(node.parents[0], 2);
	assert_int_equal(node.parents[1], 1);
	assert_true(labels_equal(&node.labels, &labels));
	assert_string_equal(after.name, "top");
	assert_string_equal(after.parent, "middle");
	assert_int_equal(after.created_ns, before.created_ns);
	assert_int_equal(after.updated_ns, before.updated_ns);
	assert_true(labels_equal(&after.labels, &labels));
	assert_int_equal(usage.size, -5);
	assert_int_equal(usage.inodes, 7);
	snapshot_info_done(&before);
	snapshot_info_done(&after);
}

static void children_are_known_after_a_restart(void **state)
{
	struct snapshot_usage usage = { 0 };
	AUTO_ERR struct err err = { 0 };

	(void)create("k", NULL);
	commit("base", "k", NULL);
	(void)create("child", NULL);
	commit("rebased", "child", "base");
	open_again();
	assert_fails(snap_store_remove(store, "base", NULL, &err), &err, ERR_PRECONDITION);
	(void)create("late", NULL);
	(void)create("active", NULL);
	assert_fails(snap_store_commit(store, "c", "late", "active", &usage, NULL, &err), &err,
			ERR_PRECONDITION);
	assert_ok(snap_store_remove(store, "rebased", NULL, &err), &err);
	assert_ok(snap_store_remove(store, "base", NULL, &err), &err);
}

static int count(void *arg, uint64_t id, const struct snapshot_info *i, struct err *err)
{
	size_t *seen = arg;
	uint64_t number;

	assert_true(str_u64(strrchr(i->name, '-') + 1, &number) && number < 1000);
	seen[number]++;
	return 0;
}

/* Keys longer than what the file keeps in order come in any order, but each once. */
static void a_walk_shows_each_key_once(void **state)
{
	AUTO_FREE char *filler = xzalloc(601);
	size_t seen[1000] = { 0 };
	AUTO_ERR struct err err = { 0 };

	memset(filler, 'f', 600);
	for (int i = 0; i < 1000; i++) {
		/* 300 of them share their first 600 bytes, some end where order ends. */
		AUTO_FREE char *key = i % 3 == 0 ? xasprintf("%s-%d", filler, i)
						 : xasprintf("%.*s-%d", i % 500, filler, i);

		(void)create(key, NULL);
	}
	assert_ok(snap_store_walk(store, NULL, count, seen, &err), &err);
	for (int i = 0; i < 1000; i++)
		assert_int_equal(seen[i], 1);
}

static int remove_it(void *arg, uint64_t id, const struct snapshot_info *i, struct err *err)
{
	++*(size_t *)arg;
	return snap_store_remove(store, i->name, NULL, err);
}

static void what_a_walk_shows_may_be_removed_at_once(void **state)
{
	AUTO_ERR struct err err = { 0 };
	size_t n = 0;

	for (int i = 0; i < 600; i++) {
		AUTO_FREE char *key = xasprintf("k%d", i);

		(void)create(key, NULL);
	}
	assert_ok(snap_store_walk(store, NULL, remove_it, &n, &err), &err);
	assert_int_equal(n, 600);
}

static void the_originals_file_is_left_alone(void **state)
{
	AUTO_ERR struct err err = { 0 };
	AUTO_FREE char *root = xasprintf("%s/other", dir.path);
	struct snap_store *s = NULL;

	assert_int_equal(mkdirat(dir.fd, "other", 0700), 0);
	put_file(dir.fd, "other/metadata.db", "bolt");
	assert_fails(snap_store_kv_open(root, true, &s, &err), &err, ERR_PRECONDITION);
	assert_false(is_there(dir.fd, "other/metadata.mdb"));
}

static void another_or_newer_format_is_refused(void **state)
{
	AUTO_FREE char *path = xasprintf("%s/other/metadata.mdb", dir.path);
	AUTO_FREE char *root = xasprintf("%s/other", dir.path);
	struct kv_options other = { "containers", 1, true, 0 };
	struct kv_options newer = { "containerd-snapshots", 2, true, 0 };
	struct snap_store *s = NULL;
	AUTO_ERR struct err err = { 0 };
	struct kv *kv = NULL;

	assert_int_equal(mkdirat(dir.fd, "other", 0700), 0);
	assert_ok(kv_open(path, &other, &kv, &err), &err);
	kv_close(kv);
	assert_fails(snap_store_kv_open(root, true, &s, &err), &err, ERR_PRECONDITION);
	assert_int_equal(unlinkat(dir.fd, "other/metadata.mdb", 0), 0);
	assert_ok(kv_open(path, &newer, &kv, &err), &err);
	kv_close(kv);
	assert_fails(snap_store_kv_open(root, true, &s, &err), &err, ERR_PRECONDITION);
}

static int spoil(struct kv_txn *txn, void *arg, struct err *err)
{
	return kv_put(txn, kv_text("sbad"), kv_text("\x01rubbish"), err);
}

static int spoil_id(struct kv_txn *txn, void *arg, struct err *err)
{
	return kv_put(txn, kv_text("i"), kv_text("x"), err);
}

static void change_file(kv_update_fn fn)
{
	AUTO_FREE char *path = xasprintf("%s/metadata.mdb", dir.path);
	struct kv_options options = { "containerd-snapshots", 1, true, 0 };
	AUTO_ERR struct err err = { 0 };
	struct kv *kv = NULL;

	snap_store_free(store);
	store = NULL;
	assert_ok(kv_open(path, &options, &kv, &err), &err);
	assert_ok(kv_update(kv, fn, NULL, &err), &err);
	kv_close(kv);
}

static int ignore(void *arg, uint64_t id, const struct snapshot_info *i, struct err *err)
{
	return 0;
}

static void damage_is_told_and_others_go_on(void **state)
{
	struct snapshot_info i = { 0 };
	AUTO_ERR struct err err = { 0 };

	(void)create("good", NULL);
	change_file(spoil);
	open_again();
	assert_int_equal(snap_store_find(store, "bad", NULL, &i, NULL, &err), -1);
	assert_string_equal(err_text(&err), "snapshot bad: record is damaged: data loss");
	err_clear(&err);
	assert_fails(snap_store_walk(store, NULL, ignore, NULL, &err), &err, ERR_DATA_LOSS);
	assert_fails(snap_store_create(store, 9, SNAPSHOT_ACTIVE, "x", "bad", NULL, NULL, &err),
			&err, ERR_DATA_LOSS);
	assert_ok(snap_store_find(store, "good", NULL, &i, NULL, &err), &err);
	snapshot_info_done(&i);
	(void)create("another", NULL);
	change_file(spoil_id);
	assert_fails(snap_store_kv_open(dir.path, true, &store, &err), &err, ERR_DATA_LOSS);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
		T(ids_do_not_come_again),
		T(everything_of_a_snapshot_survives),
		T(children_are_known_after_a_restart),
		T(a_walk_shows_each_key_once),
		T(what_a_walk_shows_may_be_removed_at_once),
		T(the_originals_file_is_left_alone),
		T(another_or_newer_format_is_refused),
		T(damage_is_told_and_others_go_on),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
