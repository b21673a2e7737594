/* SPDX-License-Identifier: Apache-2.0 */
/* A backend in another process that does not answer: collections go on without it. */
#include "unit/meta/meta_env.h"

#include "base/cancel.h"
#include "base/mutex.h"
#include "base/pool.h"

#define PATIENCE (20 * NS_PER_S)

/* In front of a snapshotter in memory; "walk" waits while it is stuck. */
static struct slow {
	struct snapshotter base;
	struct snapshotter *real;
	struct mutex lock;
	struct cond changed;
	bool is_stuck;
	int waiting, called_off, removed;
} slow;

struct wait_hook {
	struct cancel_hook hook;
	bool fired;
};

static void on_cancel(struct cancel_hook *hook)
{
	LOCKED(&slow.lock);
	container_of(hook, struct wait_hook, hook)->fired = true;
	cond_broadcast(&slow.changed);
}

static int answer(struct ctx *c, struct err *err)
{
	struct wait_hook h = { .hook.fired = on_cancel };
	bool hooked = cancel_hook_add(c->cancel, &h.hook);

	mutex_lock(&slow.lock);
	slow.waiting++;
	cond_broadcast(&slow.changed);
	while (slow.is_stuck && hooked && !h.fired)
		cond_wait(&slow.changed, &slow.lock);
	slow.waiting--;
	mutex_unlock(&slow.lock);
	if (hooked && cancel_hook_remove(c->cancel, &h.hook))
		return 0;
	LOCKED(&slow.lock);
	while (hooked && !h.fired)
		cond_wait(&slow.changed, &slow.lock);
	slow.called_off++;
	return err_set(err, ERR_CANCELED, "%s", "");
}

static int slow_create(struct snapshotter *self, struct ctx *c, enum snapshot_kind kind,
		const char *key, const char *parent, const struct labels *labels,
		struct mounts *ret, struct err *err)
{
	return slow.real->ops->create(slow.real, c, kind, key, parent, labels, ret, err);
}

static int slow_stat(struct snapshotter *self, struct ctx *c, const char *key,
		struct snapshot_info *ret, struct err *err)
{
	return snapshot_stat(slow.real, c, key, ret, err);
}

static int slow_walk(struct snapshotter *self, struct ctx *c, char *const *filters,
		snapshot_each each, void *arg, struct err *err)
{
	return answer(c, err) < 0 ? -1 : snapshot_walk(slow.real, c, filters, each, arg, err);
}

static int slow_remove(
		struct snapshotter *self, struct ctx *c, const char *key, struct err *err)
{
	int rc = snapshot_remove(slow.real, c, key, err);

	LOCKED(&slow.lock);
	slow.removed++;
	cond_broadcast(&slow.changed);
	return rc;
}

static const struct snapshotter_ops slow_ops = {
	.name = "slow",
	.create = slow_create,
	.stat = slow_stat,
	.walk = slow_walk,
	.remove = slow_remove,
};

static struct meta_backend both[2];

static int setup(void **state)
{
	(void)env_setup(state);
	slow = (struct slow){ .base = { &slow_ops, pool_new("slow", 2, 4) },
		.real = snap_mem_new() };
	mutex_init(&slow.lock, RANK_call);
	cond_init(&slow.changed);
	both[0] = (struct meta_backend){ "slow", &slow.base };
	both[1] = env.backends[0];
	env.options.snapshotters = both;
	env.options.snapshotter_count = 2;
	env_reopen();
	return 0;
}

static int teardown(void **state)
{
	(void)env_teardown(state);
	pool_free(slow.base.pool);
	snapshotter_free(slow.real);
	cond_done(&slow.changed);
	mutex_done(&slow.lock);
	return 0;
}

static void set_stuck(bool is_stuck)
{
	LOCKED(&slow.lock);
	slow.is_stuck = is_stuck;
	cond_broadcast(&slow.changed);
}

/* Until *count is what it should be. */
static void await(const int *count, int want)
{
	int64_t until = clock_mono_ns() + PATIENCE;

	LOCKED(&slow.lock);
	while (*count != want)
		assert_true(cond_wait_until(&slow.changed, &slow.lock, until));
}

static void come_and_go(const char *sn, const char *key)
{
	AUTO_MOUNTS struct mounts m = { 0 };
	AUTO_ERR struct err err = { 0 };
	struct snapshotter *s = meta_snapshotter(env.m, sn);

	assert_ok(snapshot_prepare(s, &ctx, key, NULL, NULL, &m, &err), &err);
	assert_ok(snapshot_remove(s, &ctx, key, &err), &err);
}

static void the_others_are_freed_while_it_does_not_answer(void **state)
{
	set_stuck(true);
	collect();
	await(&slow.waiting, 1);
	come_and_go("mem", "a");
	assert_int_equal(backend_snapshots(), 1);
	collect();
	assert_int_equal(backend_snapshots(), 0);
	come_and_go("mem", "b");
	collect();
	assert_int_equal(backend_snapshots(), 0);
	await(&slow.waiting, 1); /* asked once, not once a collection */
	set_stuck(false);
}

static void what_went_meanwhile_is_freed_when_it_answers(void **state)
{
	set_stuck(true);
	collect();
	await(&slow.waiting, 1);
	come_and_go("slow", "a");
	collect();
	await(&slow.removed, 0);
	set_stuck(false);
	await(&slow.removed, 1);
}

static void closing_calls_it_off(void **state)
{
	set_stuck(true);
	collect();
	await(&slow.waiting, 1);
	meta_close(env.m);
	assert_int_equal(slow.waiting, 0);
	assert_int_equal(slow.called_off, 1);
	set_stuck(false);
	env_open_meta();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
		T(the_others_are_freed_while_it_does_not_answer),
		T(what_went_meanwhile_is_freed_when_it_answers),
		T(closing_calls_it_off),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
