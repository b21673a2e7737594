/* SPDX-License-Identifier: Apache-2.0 */
/* Reference 01 §7.6: when collections happen. */
#include "unit/unit.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/ctx.h"
#include "core/gc.h"
#include "gc/gc_scheduler.h"

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static int runs, fails, again;
static bool is_held; /* collections wait at their start */

static int count(struct collector *self, struct gc_stats *ret_stats, struct err *err)
{
	int rc = 0;

	(void)pthread_mutex_lock(&lock);
	runs++;
	(void)pthread_cond_broadcast(&changed);
	while (is_held)
		(void)pthread_cond_wait(&changed, &lock);
	ret_stats->again = again-- > 0;
	if (fails > 0) {
		fails--;
		rc = err_set(err, ERR_UNKNOWN, "on purpose");
	}
	(void)pthread_mutex_unlock(&lock);
	return rc;
}

static struct collector collector = { count };
static struct gc_scheduler *scheduler;
static struct ctx ctx;

static int setup(void **state)
{
	runs = fails = again = 0;
	is_held = false;
	return 0;
}

static int teardown(void **state)
{
	gc_scheduler_free(scheduler);
	scheduler = NULL;
	return 0;
}

static void start(struct gc_config config)
{
	scheduler = gc_scheduler_new(&config, &collector);
}

/* Without a first run, and quick to tick (5 ms / 0.5 - 5 ms). */
static const struct gc_config quick = { 0.5, 0, 100, 0, 0 };

static void wait_for_runs(int want)
{
	(void)pthread_mutex_lock(&lock);
	while (runs < want)
		(void)pthread_cond_wait(&changed, &lock);
	(void)pthread_mutex_unlock(&lock);
}

static int runs_now(void)
{
	int n;

	(void)pthread_mutex_lock(&lock);
	n = runs;
	(void)pthread_mutex_unlock(&lock);
	return n;
}

static void run(void)
{
	AUTO_ERR struct err err = { 0 };

	assert_ok(gc_run(scheduler, &ctx, &err), &err);
}

static void the_first_run_comes_after_the_startup_delay(void **state)
{
	int64_t begin = clock_mono_ns();

	start((struct gc_config){ 0.02, 0, 100, 0, 20 * NS_PER_MS });
	wait_for_runs(1);
	assert_true(clock_mono_ns() - begin >= 20 * NS_PER_MS);
}

static void a_deletion_brings_a_run(void **state)
{
	start(quick);
	gc_mutated(scheduler, true);
	wait_for_runs(1);
	gc_mutated(scheduler, true);
	wait_for_runs(2);
}

/* As in the original, whose timer ticks anyway. */
static void a_delay_ends_with_the_interval(void **state)
{
	struct gc_config config = quick;

	config.startup_delay_ns = 1;
	config.schedule_delay_ns = 3600 * NS_PER_S;
	start(config);
	wait_for_runs(1);
	run();
	gc_mutated(scheduler, true);
	wait_for_runs(3);
}

static void mutations_bring_one_at_their_threshold(void **state)
{
	start(quick);
	for (int i = 0; i < 99; i++)
		gc_mutated(scheduler, false);
	run(); /* any run they had brought would have been first */
	assert_int_equal(runs_now(), 1);
	for (int i = 0; i < 100; i++)
		gc_mutated(scheduler, false);
	wait_for_runs(2);
}

static void deletions_wait_for_their_threshold_before_the_first_run(void **state)
{
	struct gc_config config = quick;

	config.deletion_threshold = 3;
	start(config);
	gc_mutated(scheduler, true);
	gc_mutated(scheduler, true);
	assert_int_equal(runs_now(), 0);
	gc_mutated(scheduler, true);
	wait_for_runs(1);
}

static void what_may_be_garbage_now_is_looked_at_again(void **state)
{
	start(quick);
	again = 1;
	run();
	wait_for_runs(2);
}

static void *run_thread(void *arg)
{
	AUTO_ERR struct err err = { 0 };

	return gc_run(scheduler, &ctx, &err) == 0 ? scheduler : NULL;
}

/* One that is under way does not count: it may have looked already. */
static void a_wait_is_for_a_run_that_begins_after(void **state)
{
	pthread_t first, second;
	void *rc;

	is_held = true;
	start(quick);
	assert_int_equal(pthread_create(&first, NULL, run_thread, NULL), 0);
	wait_for_runs(1);
	assert_int_equal(pthread_create(&second, NULL, run_thread, NULL), 0);
	/* However late the second comes, it sees a run begin after it. */
	(void)pthread_mutex_lock(&lock);
	is_held = false;
	(void)pthread_cond_broadcast(&changed);
	(void)pthread_mutex_unlock(&lock);
	(void)pthread_join(first, &rc);
	assert_non_null(rc);
	(void)pthread_join(second, &rc);
	assert_non_null(rc);
	assert_int_equal(runs_now(), 2);
}

static void a_failure_is_told_and_tried_again(void **state)
{
	AUTO_ERR struct err err = { 0 };

	start(quick);
	fails = 1;
	assert_int_equal(gc_run(scheduler, &ctx, &err), -1);
	assert_string_equal(err_text(&err), "gc failed");
	wait_for_runs(2);
}

static void a_wait_ends_with_its_deadline(void **state)
{
	struct ctx hasty = { .deadline_ns = clock_mono_ns() + NS_PER_MS };
	AUTO_ERR struct err err = { 0 };

	is_held = true;
	start(quick);
	assert_fails(gc_run(scheduler, &hasty, &err), &err, ERR_DEADLINE);
	(void)pthread_mutex_lock(&lock);
	is_held = false;
	(void)pthread_cond_broadcast(&changed);
	(void)pthread_mutex_unlock(&lock);
}

static void paused_it_waits_for_the_run_and_begins_no_other(void **state)
{
	int64_t soon = clock_mono_ns() + 20 * NS_PER_S;

	is_held = true;
	start(quick);
	gc_mutated(scheduler, true);
	wait_for_runs(1);
	assert_false(gc_scheduler_pause(scheduler, clock_mono_ns()));
	(void)pthread_mutex_lock(&lock);
	is_held = false;
	(void)pthread_cond_broadcast(&changed);
	(void)pthread_mutex_unlock(&lock);
	assert_true(gc_scheduler_pause(scheduler, soon));
	gc_mutated(scheduler, true);
	assert_true(gc_scheduler_pause(scheduler, soon));
	assert_int_equal(runs_now(), 1);
	gc_scheduler_resume(scheduler);
	wait_for_runs(2);
}

static void configuration_is_clamped(void **state)
{
	const struct gc_config *c;

	start((struct gc_config){ 7, -1, -5, -1, -1 });
	c = gc_scheduler_config(scheduler);
	assert_true(c->pause_threshold == 0.5);
	assert_int_equal(c->deletion_threshold, 0);
	assert_int_equal(c->mutation_threshold, 0);
	assert_int_equal(c->startup_delay_ns, 0);
}

#define RULE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		RULE(the_first_run_comes_after_the_startup_delay),
		RULE(a_deletion_brings_a_run),
		RULE(a_delay_ends_with_the_interval),
		RULE(mutations_bring_one_at_their_threshold),
		RULE(deletions_wait_for_their_threshold_before_the_first_run),
		RULE(what_may_be_garbage_now_is_looked_at_again),
		RULE(a_wait_is_for_a_run_that_begins_after),
		RULE(a_failure_is_told_and_tried_again),
		RULE(a_wait_ends_with_its_deadline),
		RULE(paused_it_waits_for_the_run_and_begins_no_other),
		RULE(configuration_is_clamped),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
