/* SPDX-License-Identifier: Apache-2.0 */
/* Pools, cancellation and ranked locks. */
#include "unit/unit.h"

#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cancel.h"
#include "base/clock.h"
#include "base/ctx.h"
#include "base/mem.h"
#include "base/mutex.h"
#include "base/pool.h"
#include "base/thread.h"

struct count_job {
	struct job job;
	atomic_int *ran;
};

static void count(struct job *job)
{
	struct count_job *c = container_of(job, struct count_job, job);

	atomic_fetch_add(c->ran, 1);
	free(c);
}

static void every_job_runs_before_the_pool_is_gone(void **state)
{
	struct pool *p = pool_new("test", 4, 10000);
	atomic_int ran = 0;

	for (int i = 0; i < 5000; i++) {
		struct count_job *c = xzalloc(sizeof(*c));

		c->job.run = count;
		c->ran = &ran;
		assert_true(pool_submit(p, &c->job));
	}
	pool_free(p);
	assert_int_equal(ran, 5000);
}

struct gate_job {
	struct job job;
	struct mutex lock;
	struct cond changed;
	bool open, done;
};

static void pass_gate(struct job *job)
{
	struct gate_job *g = container_of(job, struct gate_job, job);

	mutex_lock(&g->lock);
	while (!g->open)
		cond_wait(&g->changed, &g->lock);
	g->done = true;
	mutex_unlock(&g->lock);
}

static void gate_init(struct gate_job *g)
{
	*g = (struct gate_job){ .job.run = pass_gate };
	mutex_init(&g->lock, RANK_call);
	cond_init(&g->changed);
}

static void a_full_queue_refuses(void **state)
{
	struct pool *p = pool_new("test", 1, 1);
	struct gate_job running, queued, refused;
	struct gate_job *all[] = { &running, &queued };

	gate_init(&running);
	gate_init(&queued);
	gate_init(&refused);
	/* Either the first is taken up at once or it waits; the third finds no place. */
	assert_true(pool_submit(p, &running.job));
	while (!pool_submit(p, &queued.job))
		;
	while (pool_submit(p, &refused.job))
		assert_int_equal(pool_busy(p), 3); /* unreachable: two are in */
	for (size_t i = 0; i < 2; i++) {
		mutex_lock(&all[i]->lock);
		all[i]->open = true;
		cond_broadcast(&all[i]->changed);
		mutex_unlock(&all[i]->lock);
	}
	pool_free(p);
	assert_true(running.done && queued.done);
	assert_false(refused.done);
}

static int hooks_run;

static void hooked(struct cancel_hook *hook)
{
	hooks_run++;
}

static void hooks_run_once(void **state)
{
	struct cancel *c = cancel_new();
	struct cancel_hook a = { .fired = hooked }, b = { .fired = hooked }, late = a;
	AUTO_ERR struct err err = { 0 };
	struct ctx ctx = { .cancel = c };

	hooks_run = 0;
	assert_true(cancel_hook_add(c, &a));
	assert_true(cancel_hook_add(c, &b));
	assert_true(cancel_hook_remove(c, &b));
	assert_false(ctx_done(&ctx, &err));
	cancel_fire(c);
	cancel_fire(c);
	assert_int_equal(hooks_run, 1);
	assert_false(cancel_hook_remove(c, &a));
	assert_false(cancel_hook_add(c, &late));
	assert_true(ctx_done(&ctx, &err));
	assert_int_equal(err.kind, ERR_CANCELED);
	cancel_unref(c);
}

static void in_order(void)
{
	struct mutex a = MUTEX_INIT(kv), b = MUTEX_INIT(log);

	LOCKED(&a);
	LOCKED(&b);
}

static void out_of_order(void)
{
	struct mutex a = MUTEX_INIT(kv), b = MUTEX_INIT(log);

	LOCKED(&b);
	LOCKED(&a);
}

static void wait_on_the_loop(void)
{
	thread_mark_loop(true);
	ASSERT_MAY_BLOCK();
}

/* Runs body in a child, since it may abort; true if it ended well. */
static bool survives(void (*body)(void))
{
	pid_t pid = fork();
	int status;

	assert_true(pid >= 0);
	if (pid == 0) {
		struct rlimit none = { 0, 0 };

		(void)setrlimit(RLIMIT_CORE, &none);
		(void)!freopen("/dev/null", "w", stderr);
		body();
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

static void locks_out_of_order_end_the_process(void **state)
{
	assert_true(survives(in_order));
	assert_false(survives(out_of_order));
}

static void blocking_on_the_loop_ends_the_process(void **state)
{
	assert_false(survives(wait_on_the_loop));
}

static void a_timed_wait_ends_at_its_deadline(void **state)
{
	struct mutex m = MUTEX_INIT(kv);
	struct cond c;
	int64_t until = clock_mono_ns() + 5 * NS_PER_MS;

	cond_init(&c);
	mutex_lock(&m);
	while (cond_wait_until(&c, &m, until))
		;
	mutex_unlock(&m);
	assert_true(clock_mono_ns() >= until);
	cond_done(&c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(every_job_runs_before_the_pool_is_gone),
		TEST(a_full_queue_refuses),
		TEST(hooks_run_once),
		TEST(locks_out_of_order_end_the_process),
		TEST(blocking_on_the_loop_ends_the_process),
		TEST(a_timed_wait_ends_at_its_deadline),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
