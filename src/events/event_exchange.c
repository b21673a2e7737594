/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The lock orders events and guards queues; sinks run without it. Whoever queues the first
 * event of a subscription empties its queue, so sinks run one at a time and in order, and there
 * is no thread for it.
 */
#include "events/events.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/ident.h"
#include "base/list.h"
#include "base/mem.h"
#include "base/mutex.h"
#include "base/str.h"
#include "core/event.h"
#include "core/event_maker.h"
#include "core/filter.h"

struct exchange {
	struct event_bus base;
	const struct event_reader *reader;
	struct mutex lock;
	struct list subscriptions;
};

/* One event, shared by the queues it is in. */
struct shared_event {
	atomic_size_t refs;
	struct event event;
};

struct queued {
	struct list node;
	struct shared_event *event;
};

struct event_subscription {
	struct list node;
	struct filter *filter;
	event_sink sink;
	void (*ended)(void *arg);
	void *arg;
	struct list queue;
	struct list drain; /* of the publisher that is about to empty the queue */
	bool is_draining;
	bool is_closed; /* no more events: end it */
};

static struct exchange *exchange_of(struct event_bus *self)
{
	return container_of(self, struct exchange, base);
}

static void shared_unref(struct shared_event *s)
{
	if (atomic_fetch_sub(&s->refs, 1) > 1)
		return;
	event_done(&s->event);
	free(s);
}

static void drop_queue(struct event_subscription *s)
{
	list_for_each (node, &s->queue) {
		struct queued *q = container_of(node, struct queued, node);

		list_remove(&q->node);
		shared_unref(q->event);
		free(q);
	}
}

/* ---- checks ---- */

static int check_topic(const char *topic, struct err *err)
{
	AUTO_STRV char **parts = NULL;

	if (*topic == '\0')
		return err_set(err, ERR_INVALID, "must not be empty");
	if (*topic != '/')
		return err_set(err, ERR_INVALID, "must start with '/'");
	if (topic[1] == '\0')
		return err_set(err, ERR_INVALID, "must have at least one component");
	parts = strv_split(topic + 1, '/');
	for (size_t i = 0; parts[i] != NULL; i++) {
		AUTO_FREE char *quoted = NULL;

		if (ident_check(parts[i], err) == 0)
			continue;
		quoted = str_quote(parts[i]);
		return err_wrap(err, "failed validation on component %s", quoted);
	}
	return 0;
}

static int check(const struct event *e, struct err *err)
{
	const char *topic = str_or(e->topic, "");
	AUTO_FREE char *quoted = NULL;

	if (ident_check(str_or(e->ns, ""), err) < 0)
		return err_wrap(err, "event envelope has invalid namespace");
	if (check_topic(topic, err) < 0) {
		quoted = str_quote(topic);
		return err_wrap(err, "envelope topic %s", quoted);
	}
	if (e->when_ns == CLOCK_UNSET)
		return err_set(err, ERR_INVALID, "timestamp must be set on forwarded event");
	return 0;
}

/* ---- filters ---- */

/* What filters see: the payload is decoded when the first one asks, and once. */
struct sight {
	const struct event *event;
	const struct event_reader *reader;
	void *view;
	bool is_opened;
};

static bool payload_field(struct sight *s, char *const *path, size_t n, const char **ret_value)
{
	if (n == 0 || s->reader == NULL)
		return false;
	if (!s->is_opened)
		s->view = s->reader->open(&s->event->payload);
	s->is_opened = true;
	return s->view != NULL && s->reader->field(s->view, path, n, ret_value);
}

static bool field(void *object, char *const *path, size_t n, const char **ret_value)
{
	struct sight *s = object;

	if (str_eq(path[0], "event"))
		return payload_field(s, path + 1, n - 1, ret_value);
	if (n != 1)
		return false;
	if (str_eq(path[0], "namespace"))
		*ret_value = s->event->ns;
	else if (str_eq(path[0], "topic"))
		*ret_value = s->event->topic;
	else
		return false;
	return !str_is_empty(*ret_value);
}

/* ---- delivery ---- */

static void close_locked(struct event_subscription *s)
{
	s->is_closed = true;
	list_remove(&s->node);
}

/* The next event to hand on; NULL when there is none, and *ret_over when it is all over. */
static struct queued *next_event(
		struct exchange *x, struct event_subscription *s, bool *ret_over)
{
	struct queued *q;

	LOCKED(&x->lock);
	if (s->is_closed)
		drop_queue(s);
	q = list_first(&s->queue, struct queued, node);
	if (q != NULL) {
		list_remove(&q->node);
		return q;
	}
	s->is_draining = false;
	*ret_over = s->is_closed;
	return NULL;
}

static void subscription_end(struct event_subscription *s)
{
	if (s->ended != NULL)
		s->ended(s->arg);
	filter_free(s->filter);
	free(s);
}

static void drain(struct exchange *x, struct event_subscription *s)
{
	bool over = false, wants_more;
	struct queued *q;

	while ((q = next_event(x, s, &over)) != NULL) {
		wants_more = s->sink(s->arg, &q->event->event);
		shared_unref(q->event);
		free(q);
		if (wants_more)
			continue;
		LOCKED(&x->lock);
		close_locked(s);
	}
	if (over)
		subscription_end(s);
}

static void queue_locked(struct event_subscription *s, struct shared_event **shared,
		const struct event *e, struct list *drains)
{
	struct queued *q = xzalloc(sizeof(*q));

	if (*shared == NULL) {
		*shared = xzalloc(sizeof(**shared));
		atomic_init(&(*shared)->refs, 1);
		event_copy(&(*shared)->event, e);
	}
	atomic_fetch_add(&(*shared)->refs, 1);
	q->event = *shared;
	list_append(&s->queue, &q->node);
	if (s->is_draining)
		return;
	s->is_draining = true;
	list_append(drains, &s->drain);
}

/* A filter whose expressions take too long ends its subscription: events pass under the lock.
 */
static void offer_locked(struct event_subscription *s, struct sight *sight,
		struct shared_event **shared, struct list *drains)
{
	AUTO_ERR struct err err = { 0 };

	filter_refill(s->filter);
	if (filter_match(s->filter, field, sight, &err)) {
		queue_locked(s, shared, sight->event, drains);
	} else if (err.kind != ERR_NONE) {
		close_locked(s);
		if (!s->is_draining)
			list_append(drains, &s->drain);
		s->is_draining = true;
	}
}

static void queue_for_all(struct exchange *x, struct sight *sight, struct list *drains)
{
	struct shared_event *shared = NULL;

	LOCKED(&x->lock);
	list_for_each (node, &x->subscriptions) {
		offer_locked(container_of(node, struct event_subscription, node), sight,
				&shared, drains);
	}
	if (shared != NULL)
		shared_unref(shared);
}

static int publish(struct event_bus *self, const struct event *e, struct err *err)
{
	struct exchange *x = exchange_of(self);
	struct sight sight = { .event = e, .reader = x->reader };
	struct list drains = LIST_INIT(drains);

	if (check(e, err) < 0)
		return -1;
	queue_for_all(x, &sight, &drains);
	if (sight.view != NULL)
		x->reader->close(sight.view);
	list_for_each (node, &drains) {
		struct event_subscription *s =
				container_of(node, struct event_subscription, drain);

		list_remove(&s->drain);
		drain(x, s);
	}
	return 0;
}

/* ---- subscribing ---- */

static int subscribe(struct event_bus *self, char *const *filters, event_sink sink,
		void (*ended)(void *arg), void *arg,
		struct event_subscription **ret_subscription, struct err *err)
{
	struct exchange *x = exchange_of(self);
	struct event_subscription *s;
	struct filter *filter;

	if (filter_parse(filters, &filter, err) < 0)
		return err_wrap(err, "failed parsing subscription filters");
	s = xzalloc(sizeof(*s));
	s->filter = filter;
	s->sink = sink;
	s->ended = ended;
	s->arg = arg;
	list_init(&s->queue);
	list_init(&s->drain);
	/* Known before its first event can end it. */
	*ret_subscription = s;
	LOCKED(&x->lock);
	list_append(&x->subscriptions, &s->node);
	return 0;
}

static bool close_is_last(struct exchange *x, struct event_subscription *s)
{
	LOCKED(&x->lock);
	close_locked(s);
	return !s->is_draining;
}

static void unsubscribe(struct event_bus *self, struct event_subscription *s)
{
	/* Whoever empties its queue now ends it, too. */
	if (!close_is_last(exchange_of(self), s))
		return;
	drop_queue(s);
	subscription_end(s);
}

static const struct event_bus_ops exchange_ops = {
	.publish = publish,
	.subscribe = subscribe,
	.unsubscribe = unsubscribe,
};

struct event_bus *event_exchange_new(const struct event_reader *reader)
{
	struct exchange *x = xzalloc(sizeof(*x));

	x->base.ops = &exchange_ops;
	x->reader = reader;
	mutex_init(&x->lock, RANK_event_subscribers);
	list_init(&x->subscriptions);
	return &x->base;
}

void event_exchange_free(struct event_bus *bus)
{
	struct exchange *x;

	if (bus == NULL)
		return;
	x = exchange_of(bus);
	while (!list_is_empty(&x->subscriptions))
		unsubscribe(bus,
				list_first(&x->subscriptions, struct event_subscription, node));
	mutex_done(&x->lock);
	free(x);
}
