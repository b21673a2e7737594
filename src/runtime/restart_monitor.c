/* SPDX-License-Identifier: Apache-2.0 */
/*
 * When to look, and at whom. Timers live on the loop; looking, and what follows from it, is
 * done by a small pool whose threads end when there is nothing to do.
 */
#include "runtime/restart_monitor.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/auto.h"
#include "base/cancel.h"
#include "base/clock.h"
#include "base/ctx.h"
#include "base/err.h"
#include "base/list.h"
#include "base/log.h"
#include "base/map.h"
#include "base/mem.h"
#include "base/mutex.h"
#include "base/pool.h"
#include "base/str.h"
#include "base/thread.h"
#include "core/container.h"
#include "core/event.h"
#include "core/namespace.h"
#include "loop/loop.h"
#include "runtime/restart_policy.h"
#include "runtime/restart_priv.h"

#define DEFAULT_INTERVAL (10 * NS_PER_S)
/* Who waits for a task hears of its end as we do, and may want to delete it. */
#define SETTLE NS_PER_S
#define MAX_CHANGE                                                                             \
	(180 * NS_PER_S) /* for one container: a shim that hangs holds one thread              \
			  */
#define WORKERS	   8
#define MAX_QUEUED 65536

enum look {
	LOOK_ALL = 1,	  /* the regular one */
	LOOK_STOPPED = 2, /* soon after something ended */
};

struct restart_monitor {
	struct restart_options o;
	struct pool *pool;
	struct cancel *cancel;
	struct event_subscription *subscription;
	atomic_bool has_labelled; /* found by the last regular look */

	struct mutex lock;
	struct cond changed;
	bool is_stopping, is_paused, is_unsubscribed;
	bool is_posted, is_scanning;
	int to_arm, to_scan, scanning; /* enum look */
	struct map seen;	       /* "namespace/id" to struct seen */
	struct job scan;

	/* the loop's */
	struct loop_task wake, end;
	struct loop_timer *regular, *soon;
	bool is_regular_armed, is_soon_armed;
};

/* A container that is being looked at, or was started lately. */
struct seen {
	bool is_busy;
	int64_t started_ns;
};

struct change {
	struct job job;
	struct list node;
	struct restart_monitor *m;
	char *ns, *key;
	struct container *c;
	bool only_stopped;
};

static void change_free(struct change *c)
{
	container_free(c->c);
	free(c->ns);
	free(c->key);
	free(c);
}

/* --- one container --- */

static void run_change(struct job *job)
{
	struct change *c = container_of(job, struct change, job);
	struct restart_monitor *m = c->m;
	struct ctx ctx = { .ns = c->ns,
		.deadline_ns = clock_mono_ns() + MAX_CHANGE,
		.cancel = m->cancel,
		.what = "restart" };
	bool started = restart_apply(&m->o, &ctx, c->c, c->only_stopped);
	struct seen *seen;

	mutex_lock(&m->lock);
	seen = map_find(&m->seen, c->key);
	seen->is_busy = false;
	if (started)
		seen->started_ns = clock_mono_ns();
	cond_broadcast(&m->changed);
	mutex_unlock(&m->lock);
	change_free(c);
}

static bool submit_locked(struct restart_monitor *m, struct change *c)
{
	struct seen *seen = map_find(&m->seen, c->key);

	if (m->is_stopping || m->is_paused || (seen != NULL && seen->is_busy))
		return false;
	/* What ends again and again is left for the regular look. */
	if (c->only_stopped && seen != NULL && seen->started_ns != 0 &&
			clock_mono_ns() - seen->started_ns < m->o.interval_ns)
		return false;
	if (!pool_submit(m->pool, &c->job))
		return false;
	if (seen == NULL) {
		seen = xzalloc(sizeof(*seen));
		free(map_put(&m->seen, c->key, seen));
	}
	seen->is_busy = true;
	return true;
}

/* --- looking for them --- */

struct scan {
	struct restart_monitor *m;
	bool only_stopped, has_failed;
	char **namespaces;
	const char *ns;
	struct list changes;
	size_t found;
};

static int take_namespace(
		void *arg, const char *name, const struct labels *labels, struct err *err)
{
	struct scan *s = arg;

	strv_add(&s->namespaces, name);
	return 0;
}

static int take_container(void *arg, const struct container *c, struct err *err)
{
	struct scan *s = arg;
	struct change *change = xzalloc(sizeof(*change));

	change->job.run = run_change;
	change->m = s->m;
	change->ns = xstrdup(s->ns);
	change->key = xasprintf("%s/%s", s->ns, c->id);
	change->c = container_copy(c);
	change->only_stopped = s->only_stopped;
	list_append(&s->changes, &change->node);
	s->found++;
	return 0;
}

static void scan_namespace(struct scan *s, const char *ns)
{
	static char filter[] = "labels.\"" RESTART_LABEL_STATUS "\"";
	char *filters[] = { filter, NULL };
	struct ctx ctx = { .ns = ns, .cancel = s->m->cancel, .what = "restart" };
	AUTO_ERR struct err err = { 0 };

	s->ns = ns;
	if (container_list(s->m->o.containers, &ctx, filters, take_container, s, &err) == 0)
		return;
	s->has_failed = true;
	log_error(&ctx, "restart monitor: list containers: %s", err_text(&err));
}

/* Forgets what is of no consequence any more. */
static void forget_locked(struct restart_monitor *m)
{
	AUTO_STRV char **keys = map_sorted_keys(&m->seen);

	for (char **key = keys; key != NULL && *key != NULL; key++) {
		const struct seen *seen = map_find(&m->seen, *key);

		if (!seen->is_busy && clock_mono_ns() - seen->started_ns > m->o.interval_ns)
			free(map_remove(&m->seen, *key));
	}
}

static void post_locked(struct restart_monitor *m)
{
	if (m->is_posted || m->is_stopping)
		return;
	m->is_posted = true;
	loop_post(m->o.loop, &m->wake);
}

static void end_scan(struct restart_monitor *m, struct scan *s)
{
	bool go_on = s->found > 0 || s->has_failed;

	LOCKED(&m->lock);
	forget_locked(m);
	list_for_each (it, &s->changes) {
		struct change *change = list_entry(it, struct change, node);

		list_remove(it);
		if (!submit_locked(m, change))
			change_free(change);
	}
	atomic_store(&m->has_labelled, go_on);
	m->is_scanning = false;
	cond_broadcast(&m->changed);
	if (go_on)
		m->to_arm |= LOOK_ALL;
	post_locked(m);
}

static void run_scan(struct job *job)
{
	struct restart_monitor *m = container_of(job, struct restart_monitor, scan);
	struct ctx ctx = { .cancel = m->cancel, .what = "restart" };
	struct scan s = { .m = m, .only_stopped = m->scanning == LOOK_STOPPED };
	AUTO_ERR struct err err = { 0 };

	list_init(&s.changes);
	if (namespace_list(m->o.namespaces, &ctx, take_namespace, &s, &err) < 0) {
		s.has_failed = true;
		log_error(&ctx, "restart monitor: list namespaces: %s", err_text(&err));
	}
	for (char **ns = s.namespaces; ns != NULL && *ns != NULL; ns++)
		scan_namespace(&s, *ns);
	strv_free(s.namespaces);
	end_scan(m, &s);
}

static void start_scan_locked(struct restart_monitor *m)
{
	if (m->to_scan == 0 || m->is_scanning || m->is_stopping || m->is_paused)
		return;
	m->scanning = (m->to_scan & LOOK_ALL) != 0 ? LOOK_ALL : LOOK_STOPPED;
	if (!pool_submit(m->pool, &m->scan)) {
		m->to_arm |= LOOK_ALL;
		return;
	}
	m->is_scanning = true;
	m->to_scan = 0;
}

/* --- when to look --- */

static int64_t to_ms(int64_t ns)
{
	return (ns + NS_PER_MS - 1) / NS_PER_MS;
}

static void arm_locked(struct restart_monitor *m)
{
	int64_t settle = m->o.interval_ns < SETTLE ? m->o.interval_ns : SETTLE;

	if ((m->to_arm & LOOK_ALL) != 0 && !m->is_regular_armed) {
		m->is_regular_armed = true;
		loop_timer_set(m->regular, to_ms(m->o.interval_ns));
	}
	if ((m->to_arm & LOOK_STOPPED) != 0 && !m->is_soon_armed) {
		m->is_soon_armed = true;
		loop_timer_set(m->soon, to_ms(settle));
	}
	m->to_arm = 0;
}

static void on_wake(struct loop_task *task)
{
	struct restart_monitor *m = container_of(task, struct restart_monitor, wake);

	LOCKED(&m->lock);
	m->is_posted = false;
	start_scan_locked(m);
	arm_locked(m);
}

static void on_regular(void *arg)
{
	struct restart_monitor *m = arg;

	LOCKED(&m->lock);
	m->is_regular_armed = false;
	m->to_scan |= LOOK_ALL;
	start_scan_locked(m);
	arm_locked(m);
}

static void on_soon(void *arg)
{
	struct restart_monitor *m = arg;

	LOCKED(&m->lock);
	m->is_soon_armed = false;
	m->to_scan |= LOOK_STOPPED;
	start_scan_locked(m);
	arm_locked(m);
}

/* A record that is new or changed is looked at an interval later, as the original would: its
 * maker may be about to start the task. */
static bool on_event(void *arg, const struct event *e)
{
	struct restart_monitor *m = arg;
	bool is_exit = str_eq(e->topic, "/tasks/exit");

	if (is_exit && !atomic_load(&m->has_labelled))
		return true;
	LOCKED(&m->lock);
	m->to_arm |= is_exit ? LOOK_STOPPED : LOOK_ALL;
	post_locked(m);
	return true;
}

static void on_unsubscribed(void *arg)
{
	struct restart_monitor *m = arg;

	LOCKED(&m->lock);
	m->is_unsubscribed = true;
	cond_broadcast(&m->changed);
}

/* --- handing over --- */

static bool is_busy_locked(struct restart_monitor *m)
{
	bool is_busy = m->is_scanning;

	map_for_each (slot, &m->seen)
		is_busy = is_busy || ((const struct seen *)slot->value)->is_busy;
	return is_busy;
}

bool restart_monitor_pause(struct restart_monitor *m, int64_t mono_deadline_ns)
{
	ASSERT_MAY_BLOCK();
	LOCKED(&m->lock);
	m->is_paused = true;
	while (is_busy_locked(m))
		if (!cond_wait_until(&m->changed, &m->lock, mono_deadline_ns))
			return false;
	return true;
}

void restart_monitor_resume(struct restart_monitor *m)
{
	LOCKED(&m->lock);
	if (!m->is_paused)
		return;
	m->is_paused = false;
	m->to_scan |= LOOK_ALL;
	post_locked(m);
}

/* --- its life --- */

static void done(struct restart_monitor *m)
{
	map_done(&m->seen, free);
	cancel_unref(m->cancel);
	cond_done(&m->changed);
	mutex_done(&m->lock);
	free(m);
}

static void on_end(struct loop_task *task)
{
	struct restart_monitor *m = container_of(task, struct restart_monitor, end);

	loop_timer_free(m->regular);
	loop_timer_free(m->soon);
	done(m);
}

int restart_monitor_new(const struct restart_options *o, struct restart_monitor **ret_monitor,
		struct err *err)
{
	static char exits[] = "topic==\"/tasks/exit\"";
	static char created[] = "topic==\"/containers/create\"";
	static char updated[] = "topic==\"/containers/update\"";
	char *filters[] = { exits, created, updated, NULL };
	struct restart_monitor *m = xzalloc(sizeof(*m));

	m->o = *o;
	if (m->o.interval_ns <= 0)
		m->o.interval_ns = DEFAULT_INTERVAL;
	m->wake.run = on_wake;
	m->end.run = on_end;
	m->scan.run = run_scan;
	m->cancel = cancel_new();
	mutex_init(&m->lock, RANK_restart);
	cond_init(&m->changed);
	map_init(&m->seen);
	if (event_subscribe(o->events, filters, on_event, on_unsubscribed, m, &m->subscription,
			    err) < 0) {
		done(m);
		return -1;
	}
	m->pool = pool_new("restart", WORKERS, MAX_QUEUED);
	m->regular = loop_timer_new(o->loop, on_regular, m);
	m->soon = loop_timer_new(o->loop, on_soon, m);
	m->is_regular_armed = true;
	loop_timer_set(m->regular, 0);
	*ret_monitor = m;
	return 0;
}

void restart_monitor_free(struct restart_monitor *m)
{
	if (m == NULL)
		return;
	ASSERT_MAY_BLOCK();
	event_unsubscribe(m->o.events, m->subscription);
	mutex_lock(&m->lock);
	while (!m->is_unsubscribed)
		cond_wait(&m->changed, &m->lock);
	m->is_stopping = true;
	mutex_unlock(&m->lock);
	cancel_fire(m->cancel);
	pool_free(m->pool);
	/* Behind a wake-up that may still be on its way. */
	loop_post(m->o.loop, &m->end);
}
