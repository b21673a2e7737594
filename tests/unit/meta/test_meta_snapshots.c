/* SPDX-License-Identifier: Apache-2.0 */
/* Reference 01 §6.1: snapshots of a namespace, and what a crash may do to a commit. What every
 * snapshotter does is in tests/conformance. */
#include "meta_env.h"

#include "base/io.h"

static struct snapshotter *sn(void)
{
	return meta_snapshotter(env.m, "mem");
}

static int prepare(struct ctx *c, const char *key, const char *parent, struct labels labels,
		struct err *err)
{
	AUTO_MOUNTS struct mounts m = { 0 };
	int rc = snapshot_prepare(sn(), c, key, parent, &labels, &m, err);

	labels_done(&labels);
	return rc;
}

static struct snapshot_info stat_of(struct ctx *c, const char *key)
{
	struct snapshot_info i = { 0 };
	AUTO_ERR struct err err = { 0 };

	assert_ok(snapshot_stat(sn(), c, key, &i, &err), &err);
	return i;
}

static void namespaces_have_their_own_names(void **state)
{
	struct snapshot_info i;

	prepare_in(&ctx, "k", NULL, labels_of(NULL));
	assert_false(has_snapshot(&other, "k"));
	prepare_in(&other, "k", NULL, labels_of(NULL));
	commit_in(&ctx, "c", "k", labels_of(NULL));
	prepare_in(&ctx, "k", "c", labels_of(NULL));
	i = stat_of(&ctx, "k");
	assert_string_equal(i.name, "k");
	assert_string_equal(i.parent, "c");
	snapshot_info_done(&i);
	i = stat_of(&other, "k");
	assert_string_equal(i.parent, "");
	snapshot_info_done(&i);
	expect_events("ns /snapshot/prepare k||mem\nother /snapshot/prepare k||mem\n"
		      "ns /snapshot/commit k|c|mem\nns /snapshot/prepare k|c|mem\n");
}

static void errors_have_the_originals_words(void **state)
{
	struct snapshot_info i = { 0 };
	AUTO_ERR struct err err = { 0 };

	prepare_in(&ctx, "k", NULL, labels_of(NULL));
	assert_error(prepare(&ctx, "k", NULL, labels_of(NULL), &err), &err, ERR_EXISTS,
			"snapshot \"k\": already exists");
	assert_error(prepare(&ctx, "l", "none", labels_of(NULL), &err), &err, ERR_NOT_FOUND,
			"parent snapshot none does not exist: not found");
	assert_error(snapshot_stat(sn(), &ctx, "none", &i, &err), &err, ERR_NOT_FOUND,
			"snapshot none does not exist: not found");
	commit_in(&ctx, "c", "k", labels_of(NULL));
	prepare_in(&ctx, "k2", "c", labels_of(NULL));
	assert_error(snapshot_remove(sn(), &ctx, "c", &err), &err, ERR_PRECONDITION,
			"cannot remove snapshot with child: failed precondition");
	assert_error(snapshot_commit(sn(), &ctx, "c", "none", NULL, NULL, &err), &err,
			ERR_EXISTS, "snapshot \"c\": already exists");
}

/* So that whoever unpacked the same meanwhile can go on with it. */
static void a_name_that_is_taken_is_told_and_leased(void **state)
{
	struct ctx leased = { .ns = "ns", .lease = "l" };
	AUTO_ERR struct err err = { 0 };

	prepare_in(&ctx, "k", NULL, labels_of(NULL));
	commit_in(&ctx, "c", "k", labels_of(NULL));
	prepare_in(&ctx, "k", NULL, labels_of(NULL));
	add_lease(&ctx, "l", labels_of(NULL));
	assert_error(snapshot_commit(sn(), &leased, "c", "k", NULL, NULL, &err), &err,
			ERR_EXISTS, "snapshot \"c\": already exists");
	expect_resources(&ctx, "l", "snapshots/mem:c\n");
}

static void a_parent_for_a_commit_must_be_committed(void **state)
{
	AUTO_ERR struct err err = { 0 };

	prepare_in(&ctx, "k", NULL, labels_of(NULL));
	prepare_in(&ctx, "p", NULL, labels_of(NULL));
	assert_fails(snapshot_commit(sn(), &ctx, "c", "k", "p", NULL, &err), &err,
			ERR_PRECONDITION);
}

static void only_some_labels_reach_the_backend(void **state)
{
	struct snapshot_info i;
	AUTO_ERR struct err err = { 0 };
	const char *const filters[] = { "labels.private", NULL };
	int n = 0;

	prepare_in(&ctx, "k", NULL,
			labels_of("private=1", "containerd.io/snapshot/x=2", "empty=", NULL));
	i = stat_of(&ctx, "k");
	assert_int_equal(i.labels.count, 2);
	snapshot_info_done(&i);
	assert_ok(snapshot_walk(env.snapshots, &ctx, (char *const *)filters, count_snapshot, &n,
				  &err),
			&err);
	assert_int_equal(n, 0);
	/* A commit's labels are those it brings. */
	commit_in(&ctx, "c", "k", labels_of("new=1", NULL));
	i = stat_of(&ctx, "c");
	assert_int_equal(i.labels.count, 1);
	assert_true(i.created_ns == TIME_0 && i.kind == SNAPSHOT_COMMITTED);
	snapshot_info_done(&i);
}

static void updates_change_labels_only(void **state)
{
	const char *const one[] = { "labels.b", NULL }, *const bad[] = { "parent", NULL };
	struct snapshot_info in = { 0 }, out = { 0 };
	AUTO_ERR struct err err = { 0 };

	prepare_in(&ctx, "k", NULL, labels_of("a=1", NULL));
	now_ns++;
	in.name = xstrdup("k");
	in.parent = xstrdup("ignored");
	in.labels = labels_of("b=2", NULL);
	assert_ok(snapshot_update(sn(), &ctx, &in, (char *const *)one, &out, &err), &err);
	assert_int_equal(out.labels.count, 2);
	assert_string_equal(out.parent, "");
	assert_true(out.created_ns == TIME_0 && out.updated_ns == TIME_0 + 1);
	snapshot_info_done(&out);
	assert_ok(snapshot_update(sn(), &ctx, &in, NULL, &out, &err), &err);
	assert_int_equal(out.labels.count, 1);
	snapshot_info_done(&out);
	assert_error(snapshot_update(sn(), &ctx, &in, (char *const *)bad, &out, &err), &err,
			ERR_INVALID,
			"cannot update \"parent\" field on snapshot \"k\": invalid argument");
	snapshot_info_done(&in);
}

/* The backend's data stays until a collection; the key is free at once. */
static void a_removed_key_is_free_at_once(void **state)
{
	AUTO_ERR struct err err = { 0 };

	prepare_in(&ctx, "k", NULL, labels_of(NULL));
	buf_clear(&events);
	assert_ok(snapshot_remove(sn(), &ctx, "k", &err), &err);
	expect_events("ns /snapshot/remove k|mem|\n");
	assert_int_equal(backend_snapshots(), 1);
	add_lease(&ctx, "l", labels_of(NULL));
	prepare_in(&(struct ctx){ .ns = "ns", .lease = "l" }, "k", NULL, labels_of(NULL));
	assert_int_equal(backend_snapshots(), 2);
	collect();
	assert_int_equal(backend_snapshots(), 1);
	assert_true(has_snapshot(&ctx, "k"));
}

static void a_target_that_is_there_is_told_and_leased(void **state)
{
	struct ctx leased = { .ns = "ns", .lease = "l" };
	AUTO_ERR struct err err = { 0 };

	prepare_in(&ctx, "k", NULL, labels_of(NULL));
	commit_in(&ctx, "chain", "k", labels_of(NULL));
	add_lease(&ctx, "l", labels_of(NULL));
	assert_error(prepare(&leased, "k2", NULL,
				     labels_of("containerd.io/snapshot.ref=chain", NULL), &err),
			&err, ERR_EXISTS, "target snapshot \"chain\": already exists");
	expect_resources(&ctx, "l", "snapshots/mem:chain\n");
	assert_int_equal(backend_snapshots(), 1);
}

static void an_active_one_keeps_its_parent_whatever_the_commit_says(void **state)
{
	struct snapshot_info i;
	AUTO_ERR struct err err = { 0 };

	prepare_in(&ctx, "k", NULL, labels_of(NULL));
	commit_in(&ctx, "base", "k", labels_of(NULL));
	prepare_in(&ctx, "k", "base", labels_of(NULL));
	assert_ok(snapshot_commit(sn(), &ctx, "top", "k", "other", NULL, &err), &err);
	i = stat_of(&ctx, "top");
	assert_string_equal(i.parent, "base");
	snapshot_info_done(&i);
	/* One without a parent takes the one named, and then holds it. */
	prepare_in(&ctx, "k", NULL, labels_of(NULL));
	assert_ok(snapshot_commit(sn(), &ctx, "top2", "k", "base", NULL, &err), &err);
	i = stat_of(&ctx, "top2");
	assert_string_equal(i.parent, "base");
	snapshot_info_done(&i);
	assert_ok(snapshot_remove(sn(), &ctx, "top", &err), &err);
	assert_fails(snapshot_remove(sn(), &ctx, "base", &err), &err, ERR_PRECONDITION);
	assert_ok(snapshot_remove(sn(), &ctx, "top2", &err), &err);
	assert_ok(snapshot_remove(sn(), &ctx, "base", &err), &err);
}

static void long_lists_come_whole_and_in_order(void **state)
{
	AUTO_ERR struct err err = { 0 };
	int n = 0;

	for (int i = 0; i < 250; i++) {
		AUTO_FREE char *key = xasprintf("k%03d", i);

		prepare_in(&ctx, key, NULL, labels_of(NULL));
	}
	prepare_in(&other, "k", NULL, labels_of(NULL));
	assert_ok(snapshot_walk(sn(), &ctx, NULL, count_snapshot, &n, &err), &err);
	assert_int_equal(n, 250);
}

static void a_name_that_is_another_names_beginning_has_its_own_children(void **state)
{
	AUTO_ERR struct err err = { 0 };

	prepare_in(&ctx, "k", NULL, labels_of(NULL));
	commit_in(&ctx, "a", "k", labels_of(NULL));
	prepare_in(&ctx, "k", NULL, labels_of(NULL));
	commit_in(&ctx, "ab", "k", labels_of(NULL));
	prepare_in(&ctx, "child", "ab", labels_of(NULL));
	assert_ok(snapshot_remove(sn(), &ctx, "a", &err), &err);
	assert_fails(snapshot_remove(sn(), &ctx, "ab", &err), &err, ERR_PRECONDITION);
}

/* ---- crashes within a commit ---- */

/* A backend that takes a copy of the metadata before or after it commits: what a crash at that
 * moment would leave. */
struct spy {
	struct snapshotter base;
	struct snapshotter *real;
	bool copy_before, fail;
};

static void copy_meta(void)
{
	AUTO_BUF struct buf all = { .limit = 1 << 28 };
	AUTO_CLOSE int fd = openat(env.dir.fd, "crash.mdb", O_WRONLY | O_CREAT | O_TRUNC, 0600);

	assert_int_equal(io_read_file(env.dir.fd, "meta.mdb", &all), 0);
	assert_int_equal(io_write_all(fd, all.data, all.size), 0);
}

static int spy_create(struct snapshotter *self, struct ctx *c, enum snapshot_kind kind,
		const char *key, const char *parent, const struct labels *labels,
		struct mounts *ret, struct err *err)
{
	struct snapshotter *real = ((struct spy *)self)->real;

	return real->ops->create(real, c, kind, key, parent, labels, ret, err);
}

static int spy_commit(struct snapshotter *self, struct ctx *c, const char *name,
		const char *key, const char *parent, const struct labels *labels,
		struct err *err)
{
	struct spy *s = (struct spy *)self;

	if (s->copy_before)
		copy_meta();
	if (s->fail)
		return err_set(err, ERR_INTERNAL, "on purpose");
	if (snapshot_commit(s->real, c, name, key, parent, labels, err) < 0)
		return -1;
	if (!s->copy_before)
		copy_meta();
	return 0;
}

static int spy_stat(struct snapshotter *self, struct ctx *c, const char *key,
		struct snapshot_info *ret, struct err *err)
{
	return snapshot_stat(((struct spy *)self)->real, c, key, ret, err);
}

static int spy_remove(struct snapshotter *self, struct ctx *c, const char *key, struct err *err)
{
	return snapshot_remove(((struct spy *)self)->real, c, key, err);
}

static int spy_walk(struct snapshotter *self, struct ctx *c, char *const *filters,
		snapshot_each each, void *arg, struct err *err)
{
	return snapshot_walk(((struct spy *)self)->real, c, filters, each, arg, err);
}

static const struct snapshotter_ops spy_ops = {
	.name = "spy",
	.create = spy_create,
	.commit = spy_commit,
	.stat = spy_stat,
	.remove = spy_remove,
	.walk = spy_walk,
};

static struct spy spy;

static int spy_setup(void **state)
{
	(void)env_setup(state);
	meta_close(env.m);
	spy = (struct spy){ { &spy_ops, NULL }, env.snapshots, false, false };
	env.backends[0].snapshotter = &spy.base;
	env_open_meta();
	prepare_in(&ctx, "k", NULL, labels_of(NULL));
	commit_in(&ctx, "base", "k", labels_of(NULL));
	prepare_in(&ctx, "k", "base", labels_of("old=1", NULL));
	return 0;
}

static void crash(void)
{
	meta_close(env.m);
	(void)snprintf(env.path, sizeof(env.path), "%s/crash.mdb", env.dir.path);
	env_open_meta();
}

static void a_crash_after_the_backends_commit_completes_it(void **state)
{
	struct snapshot_info i;
	AUTO_ERR struct err err = { 0 };

	commit_in(&ctx, "top", "k", labels_of("new=1", NULL));
	crash();
	assert_false(has_snapshot(&ctx, "k"));
	i = stat_of(&ctx, "top");
	assert_string_equal(i.parent, "base");
	assert_string_equal(labels_find(&i.labels, "new"), "1");
	assert_int_equal(i.kind, SNAPSHOT_COMMITTED);
	snapshot_info_done(&i);
	assert_fails(snapshot_remove(sn(), &ctx, "base", &err), &err, ERR_PRECONDITION);
	collect(); /* and nothing of it is garbage but what nobody refers to */
	assert_int_equal(backend_snapshots(), 0);
}

static void a_crash_before_it_leaves_the_active_one(void **state)
{
	AUTO_ERR struct err err = { 0 };

	/* The copy has the intent, the backend has done nothing. */
	spy.copy_before = spy.fail = true;
	assert_fails(snapshot_commit(sn(), &ctx, "top", "k", NULL, NULL, &err), &err,
			ERR_INTERNAL);
	crash();
	assert_false(has_snapshot(&ctx, "top"));
	assert_true(has_snapshot(&ctx, "k"));
	spy.fail = false;
	commit_in(&ctx, "top", "k", labels_of(NULL));
	assert_true(has_snapshot(&ctx, "top"));
}

static void a_commit_that_fails_leaves_all_as_it_was(void **state)
{
	struct snapshot_info i;
	AUTO_ERR struct err err = { 0 };

	spy.fail = true;
	assert_fails(snapshot_commit(sn(), &ctx, "top", "k", NULL, NULL, &err), &err,
			ERR_INTERNAL);
	assert_false(has_snapshot(&ctx, "top"));
	i = stat_of(&ctx, "k");
	assert_string_equal(labels_find(&i.labels, "old"), "1");
	snapshot_info_done(&i);
	spy.fail = false;
	commit_in(&ctx, "top", "k", labels_of(NULL));
	/* Also one that was to get a parent: nothing hangs on that parent after. */
	prepare_in(&ctx, "free", NULL, labels_of(NULL));
	spy.fail = true;
	assert_fails(snapshot_commit(sn(), &ctx, "x", "free", "top", NULL, &err), &err,
			ERR_INTERNAL);
	assert_ok(snapshot_remove(sn(), &ctx, "top", &err), &err);
}

/* ---- many at once ---- */

static void *churn(void *arg)
{
	for (int i = 0; i < 30; i++) {
		AUTO_FREE char *key = xasprintf("k%d", i % 5);
		AUTO_FREE char *name = xasprintf("c%d", i % 7);
		AUTO_ERR struct err err = { 0 };

		if (prepare(&ctx, key, NULL, labels_of(NULL), &err) < 0 &&
				err.kind != ERR_EXISTS)
			abort();
		err_clear(&err);
		if (snapshot_commit(sn(), &ctx, name, key, NULL, NULL, &err) < 0 &&
				err.kind != ERR_EXISTS && err.kind != ERR_NOT_FOUND)
			abort();
		err_clear(&err);
		if (snapshot_remove(sn(), &ctx, name, &err) < 0 && err.kind != ERR_NOT_FOUND)
			abort();
	}
	return NULL;
}

static void many_at_once_leave_records_and_backend_equal(void **state)
{
	pthread_t threads[6];
	AUTO_ERR struct err err = { 0 };
	int n = 0;

	for (int i = 0; i < 6; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, churn, NULL), 0);
	for (int i = 0; i < 6; i++)
		(void)pthread_join(threads[i], NULL);
	assert_ok(snapshot_walk(sn(), &ctx, NULL, count_snapshot, &n, &err), &err);
	/* Keep what is there, free the rest: then both have the same. */
	add_lease(&ctx, "l", labels_of(NULL));
	for (int i = 0; i < 7; i++) {
		AUTO_FREE char *key = xasprintf("k%d", i);
		AUTO_FREE char *name = xasprintf("c%d", i);

		lease_it(&ctx, "l", "snapshots/mem", key);
		lease_it(&ctx, "l", "snapshots/mem", name);
	}
	collect();
	assert_int_equal(backend_snapshots(), n);
}

#define SPY(name) cmocka_unit_test_setup_teardown(name, spy_setup, env_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		RULE(namespaces_have_their_own_names),
		RULE(errors_have_the_originals_words),
		RULE(a_name_that_is_taken_is_told_and_leased),
		RULE(a_parent_for_a_commit_must_be_committed),
		RULE(only_some_labels_reach_the_backend),
		RULE(updates_change_labels_only),
		RULE(a_removed_key_is_free_at_once),
		RULE(a_target_that_is_there_is_told_and_leased),
		RULE(an_active_one_keeps_its_parent_whatever_the_commit_says),
		RULE(long_lists_come_whole_and_in_order),
		RULE(a_name_that_is_another_names_beginning_has_its_own_children),
		SPY(a_crash_after_the_backends_commit_completes_it),
		SPY(a_crash_before_it_leaves_the_active_one),
		SPY(a_commit_that_fails_leaves_all_as_it_was),
		RULE(many_at_once_leave_records_and_backend_equal),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
