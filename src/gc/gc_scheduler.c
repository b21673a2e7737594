/* SPDX-License-Identifier: Apache-2.0 */
#include "gc/gc_scheduler.h"

#include <stdlib.h>

#include "base/clock.h"
#include "base/ctx.h"
#include "base/err.h"
#include "base/list.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/mutex.h"
#include "base/pool.h"
#include "core/gc.h"

#define FIRST_INTERVAL (1 * NS_PER_S)
#define LEAST_PAUSE    (5 * NS_PER_MS)
#define NEVER	       INT64_MAX

struct scheduler {
	struct gc_scheduler base;
	struct gc_config config;
	struct collector *collector;
	struct pool *pool; /* one thread, which ends when there is nothing to do */
	struct job job;

	struct mutex lock;
	struct cond changed;
	struct list waiters;
	bool is_running; /* the job is submitted: it waits or collects */
	bool is_stopping;
	bool is_paused, is_collecting;
	bool was_run;
	bool is_triggered;
	uint64_t deletions, mutations, runs;
	int64_t due_ns;	 /* of the next collection; NEVER */
	int64_t last_ns; /* when the last one began */
	int64_t interval_ns, pauses_ns;
};

/* Someone in gc_run(). */
struct waiter {
	struct list node;
	struct cond wake;
	bool is_served; /* the collection under way began after it came */
	bool is_done, has_failed;
};

static struct scheduler *scheduler_of(struct gc_scheduler *self)
{
	return container_of(self, struct scheduler, base);
}

/* Has the job running when there is something to wait for. */
static void arm_locked(struct scheduler *s, int64_t due_ns)
{
	if (due_ns >= s->due_ns || s->is_stopping)
		return;
	s->due_ns = due_ns;
	if (s->is_running) {
		cond_signal(&s->changed);
		return;
	}
	/* Its queue is as long as the one job that there is. */
	s->is_running = pool_submit(s->pool, &s->job);
}

static bool is_worth_it(const struct scheduler *s)
{
	const struct gc_config *c = &s->config;

	if (c->mutation_threshold > 0 && s->mutations >= (uint64_t)c->mutation_threshold)
		return true;
	/* Before the first run, few deletions wait for more, if a number is asked for. */
	return s->deletions > 0 && (s->was_run || c->deletion_threshold == 0);
}

/*
 * The original's timer ticks once an interval, whether there is something to do or not; here
 * the tick is reckoned. So what is deleted lies around for a part of the interval, and clients
 * that clean up piece by piece usually find the pieces still there. What somebody waits for
 * is not put off beyond the tick, however long the delay. NEVER: there is no tick yet.
 */
static int64_t next_tick(const struct scheduler *s, int64_t now)
{
	if (!s->was_run || s->interval_ns <= 0)
		return NEVER;
	if (now < s->last_ns)
		return now;
	return s->last_ns + ((now - s->last_ns) / s->interval_ns + 1) * s->interval_ns;
}

static void schedule_locked(struct scheduler *s)
{
	const struct gc_config *c = &s->config;
	int64_t now = clock_mono_ns(), soon = now + c->schedule_delay_ns;
	int64_t tick = next_tick(s, now);

	if (s->is_triggered ||
			(c->deletion_threshold > 0 &&
					s->deletions >= (uint64_t)c->deletion_threshold)) {
		arm_locked(s, tick < soon ? tick : soon);
	} else if (is_worth_it(s)) {
		arm_locked(s, tick == NEVER ? soon : tick);
	}
}

static void mutated(struct gc_scheduler *self, bool is_dirty)
{
	struct scheduler *s = scheduler_of(self);

	LOCKED(&s->lock);
	s->mutations++;
	s->deletions += is_dirty;
	schedule_locked(s);
}

static int run(struct gc_scheduler *self, struct ctx *ctx, struct err *err)
{
	struct scheduler *s = scheduler_of(self);
	struct waiter w = { 0 };
	bool in_time = true;

	cond_init(&w.wake);
	mutex_lock(&s->lock);
	list_append(&s->waiters, &w.node);
	s->is_triggered = true;
	schedule_locked(s);
	while (!w.is_done && in_time && !s->is_stopping) {
		if (ctx->deadline_ns == 0)
			cond_wait(&w.wake, &s->lock);
		else
			in_time = cond_wait_until(&w.wake, &s->lock, ctx->deadline_ns);
	}
	list_remove(&w.node);
	mutex_unlock(&s->lock);
	cond_done(&w.wake);
	if (w.is_done)
		return w.has_failed ? err_plain(err, ERR_UNKNOWN, "gc failed") : 0;
	if (in_time)
		return err_set(err, ERR_UNAVAILABLE, "garbage collector is stopping");
	return err_set(err, ERR_DEADLINE, "%s", "");
}

/* Waits until a collection is due. False when there is none. */
static bool wait_until_due(struct scheduler *s)
{
	LOCKED(&s->lock);
	while (!s->is_stopping && s->due_ns != NEVER &&
			(s->is_paused || clock_mono_ns() < s->due_ns)) {
		if (s->is_paused)
			cond_wait(&s->changed, &s->lock);
		else
			(void)cond_wait_until(&s->changed, &s->lock, s->due_ns);
	}
	if (s->is_stopping || s->due_ns == NEVER) {
		s->is_running = false;
		cond_broadcast(&s->changed);
		return false;
	}
	s->is_collecting = true;
	return true;
}

static void begin(struct scheduler *s)
{
	LOCKED(&s->lock);
	s->due_ns = NEVER;
	s->last_ns = clock_mono_ns();
	s->was_run = true;
	s->is_triggered = false;
	s->deletions = s->mutations = 0;
	list_for_each (node, &s->waiters) {
		container_of(node, struct waiter, node)->is_served = true;
	}
}

static void answer_locked(struct scheduler *s, bool has_failed)
{
	list_for_each (node, &s->waiters) {
		struct waiter *w = container_of(node, struct waiter, node);

		if (!w->is_served)
			continue;
		w->is_done = true;
		w->has_failed = has_failed;
		cond_signal(&w->wake);
	}
}

/* Long enough for the pauses to take no more than their share of the time. */
static void set_interval_locked(struct scheduler *s, int64_t pause_ns)
{
	double average, share = s->config.pause_threshold;

	s->pauses_ns += pause_ns;
	s->runs++;
	if (share <= 0)
		return;
	average = (double)s->pauses_ns / (double)s->runs;
	if (average < LEAST_PAUSE)
		average = LEAST_PAUSE;
	s->interval_ns = (int64_t)(average / share - average);
}

static void end(struct scheduler *s, const struct gc_stats *stats)
{
	LOCKED(&s->lock);
	s->is_collecting = false;
	cond_broadcast(&s->changed);
	answer_locked(s, stats == NULL);
	if (stats == NULL) {
		s->deletions++; /* what was to be done is still to be done */
		arm_locked(s, s->last_ns + s->interval_ns + NS_PER_S);
		return;
	}
	set_interval_locked(s, stats->pause_ns);
	s->deletions += stats->again;
	schedule_locked(s);
}

static void collect(struct scheduler *s)
{
	struct gc_stats stats = { 0 };
	AUTO_ERR struct err err = { 0 };

	begin(s);
	if (gc_collect(s->collector, &stats, &err) < 0) {
		log_error(NULL, "garbage collection failed: %s", err_text(&err));
		end(s, NULL);
		return;
	}
	log_debug(NULL,
			"garbage collected: %llu of %llu objects, %lld us, writers held %lld "
			"us",
			(unsigned long long)stats.removed, (unsigned long long)stats.scanned,
			(long long)(stats.total_ns / NS_PER_US),
			(long long)(stats.pause_ns / NS_PER_US));
	end(s, &stats);
}

static void work(struct job *job)
{
	struct scheduler *s = container_of(job, struct scheduler, job);

	while (wait_until_due(s))
		collect(s);
}

static const struct gc_scheduler_ops scheduler_ops = {
	.mutated = mutated,
	.run = run,
};

static void clamp(struct gc_config *c)
{
	if (!(c->pause_threshold >= 0))
		c->pause_threshold = 0;
	if (c->pause_threshold > 0.5)
		c->pause_threshold = 0.5;
	if (c->deletion_threshold < 0)
		c->deletion_threshold = 0;
	if (c->mutation_threshold < 0)
		c->mutation_threshold = 0;
	if (c->schedule_delay_ns < 0)
		c->schedule_delay_ns = 0;
	if (c->startup_delay_ns < 0)
		c->startup_delay_ns = 0;
}

struct gc_scheduler *gc_scheduler_new(
		const struct gc_config *config, struct collector *collector)
{
	struct scheduler *s = xzalloc(sizeof(*s));

	s->base.ops = &scheduler_ops;
	s->config = *config;
	clamp(&s->config);
	s->collector = collector;
	s->pool = pool_new("gc", 1, 1);
	s->job.run = work;
	mutex_init(&s->lock, RANK_gc);
	cond_init(&s->changed);
	list_init(&s->waiters);
	s->due_ns = NEVER;
	s->interval_ns = FIRST_INTERVAL;
	if (s->config.startup_delay_ns > 0) {
		LOCKED(&s->lock);
		arm_locked(s, clock_mono_ns() + s->config.startup_delay_ns);
	}
	return &s->base;
}

static void stop(struct scheduler *s)
{
	LOCKED(&s->lock);
	s->is_stopping = true;
	cond_broadcast(&s->changed);
	list_for_each (node, &s->waiters) {
		cond_signal(&container_of(node, struct waiter, node)->wake);
	}
}

void gc_scheduler_free(struct gc_scheduler *self)
{
	struct scheduler *s;

	if (self == NULL)
		return;
	s = scheduler_of(self);
	stop(s);
	pool_free(s->pool);
	cond_done(&s->changed);
	mutex_done(&s->lock);
	free(s);
}

const struct gc_config *gc_scheduler_config(const struct gc_scheduler *self)
{
	return &container_of(self, struct scheduler, base)->config;
}

bool gc_scheduler_pause(struct gc_scheduler *self, int64_t mono_deadline_ns)
{
	struct scheduler *s = scheduler_of(self);

	LOCKED(&s->lock);
	s->is_paused = true;
	while (s->is_collecting)
		if (!cond_wait_until(&s->changed, &s->lock, mono_deadline_ns))
			break;
	s->is_paused = !s->is_collecting;
	if (!s->is_paused)
		cond_broadcast(&s->changed);
	return s->is_paused;
}

void gc_scheduler_resume(struct gc_scheduler *self)
{
	struct scheduler *s = scheduler_of(self);

	LOCKED(&s->lock);
	s->is_paused = false;
	cond_broadcast(&s->changed);
}
