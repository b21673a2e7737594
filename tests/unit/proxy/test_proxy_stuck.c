/* SPDX-License-Identifier: Apache-2.0 */
/* A process that never answers: its callers wait, and nobody else. */
#include "unit/unit.h"

#include <stdlib.h>

#include "base/cancel.h"
#include "base/clock.h"
#include "base/ctx.h"
#include "base/mem.h"
#include "base/mutex.h"
#include "base/pool.h"
#include "base/str.h"
#include "base/thread.h"
#include "core/snapshot.h"
#include "proxy/proxy_snapshots.h"
#include "services/services.h"
#include "snapshots/snap_mem.h"
#include "support/proxied.h"

/* The server of proxied.c has eight workers of each kind. */
#define CALLERS 20
#define THREADS 2
#define QUEUED	6

/* What a proxy of a stuck process looks like to the server: calls that end when cancelled. */
struct stuck {
	struct snapshotter base;
	struct mutex lock;
	struct cond changed;
	size_t inside, back;
};

struct waiting {
	struct cancel_hook hook;
	struct stuck *stuck;
	bool is_cancelled;
};

static void on_cancel(struct cancel_hook *hook)
{
	struct waiting *w = container_of(hook, struct waiting, hook);

	LOCKED(&w->stuck->lock);
	w->is_cancelled = true;
	cond_broadcast(&w->stuck->changed);
}

static int wait_for_ever(struct snapshotter *self, struct ctx *ctx, struct err *err)
{
	struct stuck *s = container_of(self, struct stuck, base);
	struct waiting w = { { .fired = on_cancel }, s, false };

	if (cancel_hook_add(ctx->cancel, &w.hook)) {
		LOCKED(&s->lock);
		s->inside++;
		cond_broadcast(&s->changed);
		while (!w.is_cancelled)
			cond_wait(&s->changed, &s->lock);
	}
	return err_set(err, ERR_CANCELED, "%s", "");
}

static int stuck_create(struct snapshotter *self, struct ctx *ctx, enum snapshot_kind kind,
		const char *key, const char *parent, const struct labels *labels,
		struct mounts *ret_mounts, struct err *err)
{
	return wait_for_ever(self, ctx, err);
}

static int stuck_stat(struct snapshotter *self, struct ctx *ctx, const char *key,
		struct snapshot_info *ret_info, struct err *err)
{
	return wait_for_ever(self, ctx, err);
}

static const struct snapshotter_ops stuck_ops = { .create = stuck_create, .stat = stuck_stat };

static struct stuck stuck;
static struct snapshotter *fine;
static struct named_snapshotter named[2];
static struct snapshots_service service = { named, 2 };
static struct proxied *p;

static int setup(void **state)
{
	struct proxied_service services[] = { { &snapshots_service, &service }, { 0 } };

	stuck = (struct stuck){ .base = { &stuck_ops, pool_new("stuck", THREADS, QUEUED) } };
	mutex_init(&stuck.lock, RANK_task);
	cond_init(&stuck.changed);
	fine = snap_mem_new();
	named[0] = (struct named_snapshotter){ "stuck", &stuck.base };
	named[1] = (struct named_snapshotter){ "fine", fine };
	p = proxied_start(services);
	return 0;
}

static int teardown(void **state)
{
	proxied_free(p);
	pool_free(stuck.base.pool);
	cond_done(&stuck.changed);
	mutex_done(&stuck.lock);
	snapshotter_free(fine);
	return 0;
}

struct caller {
	unsigned long thread;
	struct ctx ctx;
	bool asks_stat; /* on the loop, where others are prepared by workers */
	enum err_kind kind;
};

static void *call_stuck(void *arg)
{
	AUTO(snapshotter_free)
	struct snapshotter *s = proxy_snapshotter_new(p->link, "stuck", NULL);
	struct caller *c = arg;
	struct mounts m AUTO_MOUNTS = { 0 };
	struct snapshot_info i = { 0 };
	AUTO_ERR struct err err = { 0 };

	if (c->asks_stat)
		assert_int_equal(snapshot_stat(s, &c->ctx, "a", &i, &err), -1);
	else
		assert_int_equal(snapshot_prepare(s, &c->ctx, "a", NULL, NULL, &m, &err), -1);
	c->kind = err.kind;
	LOCKED(&stuck.lock);
	stuck.back++;
	cond_broadcast(&stuck.changed);
	return NULL;
}

static void start_callers(struct caller callers[CALLERS], struct cancel *cancel)
{
	for (int i = 0; i < CALLERS; i++) {
		callers[i] = (struct caller){ .ctx = { .ns = "ns", .cancel = cancel },
			.asks_stat = i % 2 == 0 };
		assert_int_equal(thread_start(&callers[i].thread, call_stuck, &callers[i], "c"),
				0);
	}
	LOCKED(&stuck.lock);
	while (stuck.inside < THREADS)
		cond_wait(&stuck.changed, &stuck.lock);
}

/* A caller that is cancelled before its call was sent is not refused. */
static void wait_for_the_refused(void)
{
	int64_t deadline = clock_mono_ns() + 20 * NS_PER_S;

	LOCKED(&stuck.lock);
	while (stuck.back < CALLERS - THREADS - QUEUED)
		if (!cond_wait_until(&stuck.changed, &stuck.lock, deadline))
			break;
}

static void use_the_other(void)
{
	AUTO(snapshotter_free)
	struct snapshotter *s = proxy_snapshotter_new(p->link, "fine", NULL);
	struct ctx ctx = { .ns = "ns", .deadline_ns = clock_mono_ns() + 20 * NS_PER_S };
	AUTO_ERR struct err err = { 0 };

	for (int i = 0; i < 100; i++) {
		AUTO_FREE char *key = xasprintf("k%d", i);
		struct mounts m AUTO_MOUNTS = { 0 };
		struct snapshot_info info = { 0 };

		assert_ok(snapshot_prepare(s, &ctx, key, NULL, NULL, &m, &err), &err);
		assert_ok(snapshot_stat(s, &ctx, key, &info, &err), &err);
		snapshot_info_done(&info);
		assert_ok(snapshot_remove(s, &ctx, key, &err), &err);
	}
}

static void calls_of_others_go_on(void **state)
{
	AUTO(cancel_unref) struct cancel *cancel = cancel_new();
	struct caller callers[CALLERS];
	int refused = 0;

	start_callers(callers, cancel);
	use_the_other();
	wait_for_the_refused();
	cancel_fire(cancel);
	for (int i = 0; i < CALLERS; i++) {
		thread_join(callers[i].thread);
		refused += callers[i].kind == ERR_UNAVAILABLE;
		assert_true(callers[i].kind == ERR_UNAVAILABLE ||
				callers[i].kind == ERR_CANCELED);
	}
	/* Its own queue is bounded. */
	assert_true(refused >= CALLERS - THREADS - QUEUED);
}

static void a_deadline_ends_the_wait(void **state)
{
	struct caller c = { .ctx = { .ns = "ns" } };

	c.ctx.deadline_ns = clock_mono_ns() + 20 * NS_PER_MS;
	(void)call_stuck(&c);
	assert_int_equal(c.kind, ERR_DEADLINE);
}

/* proxied_free() stops the server while calls are stuck in it: they are cancelled, and it waits
 * for their handlers before the pool goes. */
static void the_server_stops_all_the_same(void **state)
{
	AUTO(cancel_unref) struct cancel *cancel = cancel_new();
	struct caller callers[CALLERS];

	start_callers(callers, cancel);
	proxied_stop_server(p);
	for (int i = 0; i < CALLERS; i++)
		thread_join(callers[i].thread);
	assert_int_equal(pool_busy(stuck.base.pool), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
		T(calls_of_others_go_on),
		T(a_deadline_ends_the_wait),
		T(the_server_stops_all_the_same),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
