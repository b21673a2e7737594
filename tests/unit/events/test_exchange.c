/* SPDX-License-Identifier: Apache-2.0 */
/* Reference 01 §8: the exchange. */
#include "unit/unit.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/ctx.h"
#include "base/mem.h"
#include "base/str.h"
#include "core/event.h"
#include "core/event_maker.h"
#include "events/events.h"

/* A payload is "key=value" text. */
static int opened;

static void *open_payload(const struct any *payload)
{
	opened++;
	return str_eq(payload->type_url, "test") ? payload->value : NULL;
}

static bool payload_field(void *view, char *const *path, size_t n, const char **ret_value)
{
	const char *text = view;
	size_t size = strlen(path[0]);

	if (n != 1 || strncmp(text, path[0], size) != 0 || text[size] != '=')
		return false;
	*ret_value = text + size + 1;
	return true;
}

static void close_payload(void *view)
{
	opened += 100;
}

static const struct event_reader reader = { open_payload, payload_field, close_payload };

static struct event_bus *bus;

static int setup(void **state)
{
	opened = 0;
	bus = event_exchange_new(&reader);
	return 0;
}

static int teardown(void **state)
{
	event_exchange_free(bus);
	return 0;
}

struct listener {
	struct buf seen;
	int left; /* refuses after so many; -1: never */
	int ended;
	struct event_subscription *subscription;
};

static bool listen(void *arg, const struct event *e)
{
	struct listener *l = arg;

	buf_addf(&l->seen, "%s %s\n", e->ns, e->topic);
	return l->left < 0 || l->left-- > 0;
}

static void on_end(void *arg)
{
	((struct listener *)arg)->ended++;
}

static void subscribe(struct listener *l, const char *filter)
{
	const char *const filters[] = { filter, NULL };
	AUTO_ERR struct err err = { 0 };

	*l = (struct listener){ .seen = { .limit = SIZE_MAX }, .left = -1 };
	assert_ok(event_subscribe(bus, filter == NULL ? NULL : (char *const *)filters, listen,
				  on_end, l, &l->subscription, &err),
			&err);
}

static void expect_seen(struct listener *l, const char *want)
{
	assert_string_equal(l->seen.size == 0 ? "" : l->seen.data, want);
	buf_clear(&l->seen);
}

static void finish(struct listener *l)
{
	event_unsubscribe(bus, l->subscription);
	assert_int_equal(l->ended, 1);
	buf_done(&l->seen);
}

static void publish(const char *ns, const char *topic, const char *payload)
{
	AUTO_ERR struct err err = { 0 };
	AUTO_ANY struct any any = { 0 };
	struct ctx ctx = { .ns = ns };

	any_set(&any, payload == NULL ? "unknown" : "test", str_or(payload, ""),
			strlen(str_or(payload, "")));
	assert_ok(event_publish(bus, &ctx, topic, &any, &err), &err);
}

static void a_subscriber_sees_all_namespaces_from_then_on(void **state)
{
	struct listener l;

	publish("a", "/before", NULL);
	subscribe(&l, NULL);
	publish("a", "/x", NULL);
	publish("b", "/y/z", NULL);
	expect_seen(&l, "a /x\nb /y/z\n");
	finish(&l);
}

static void filters_choose(void **state)
{
	struct listener by_topic, by_ns, by_field, by_both;

	subscribe(&by_topic, "topic~=|^/tasks/|");
	subscribe(&by_ns, "namespace==moby");
	subscribe(&by_field, "event.id==\"qwer\"");
	subscribe(&by_both, "namespace==moby,topic~=|^/tasks/|");
	publish("moby", "/tasks/exit", "id=qwer");
	publish("moby", "/images/create", "id=other");
	publish("x", "/tasks/start", NULL);
	expect_seen(&by_topic, "moby /tasks/exit\nx /tasks/start\n");
	expect_seen(&by_ns, "moby /tasks/exit\nmoby /images/create\n");
	expect_seen(&by_field, "moby /tasks/exit\n");
	expect_seen(&by_both, "moby /tasks/exit\n");
	/* Decoded once an event, closed if it was of a known type. */
	assert_int_equal(opened, 203);
	finish(&by_topic);
	finish(&by_ns);
	finish(&by_field);
	finish(&by_both);
}

static void a_bad_filter_is_refused(void **state)
{
	const char *const filters[] = { "=", NULL };
	struct event_subscription *s = NULL;
	AUTO_ERR struct err err = { 0 };

	assert_int_equal(event_subscribe(bus, (char *const *)filters, listen, on_end, NULL, &s,
					 &err),
			-1);
	assert_int_equal(err.kind, ERR_INVALID);
	assert_true(str_starts(err_text(&err),
			"failed parsing subscription filters: filters: parse error: "));
}

static void a_sink_that_refuses_ends_its_subscription(void **state)
{
	struct listener slow, good;

	subscribe(&slow, NULL);
	subscribe(&good, NULL);
	slow.left = 1;
	publish("a", "/1", NULL);
	assert_int_equal(slow.ended, 0);
	publish("a", "/2", NULL);
	assert_int_equal(slow.ended, 1);
	publish("a", "/3", NULL);
	expect_seen(&slow, "a /1\na /2\n");
	expect_seen(&good, "a /1\na /2\na /3\n");
	buf_done(&slow.seen);
	finish(&good);
}

static void a_hostile_filter_ends_its_subscription(void **state)
{
	AUTO_FREE char *evil = xzalloc(73);
	struct listener l;

	subscribe(&l, "event.id~=^(a+)+$");
	memset(evil, 'a', 72);
	memcpy(evil, "id=", 3);
	evil[71] = 'b';
	publish("a", "/x", evil);
	assert_int_equal(l.ended, 1);
	buf_done(&l.seen);
}

static bool stop_inside(void *arg, const struct event *e)
{
	struct listener *l = arg;

	event_unsubscribe(bus, l->subscription);
	assert_int_equal(l->ended, 0); /* not before the sink has returned */
	return true;
}

static void unsubscribing_inside_the_sink_is_fine(void **state)
{
	struct listener l = { .left = -1 };
	AUTO_ERR struct err err = { 0 };

	assert_ok(event_subscribe(bus, NULL, stop_inside, on_end, &l, &l.subscription, &err),
			&err);
	publish("a", "/x", NULL);
	assert_int_equal(l.ended, 1);
	publish("a", "/y", NULL);
}

static bool publish_inside(void *arg, const struct event *e)
{
	struct listener *l = arg;

	buf_addf(&l->seen, "%s\n", e->topic);
	if (str_eq(e->topic, "/x"))
		publish("a", "/from-inside", NULL);
	return true;
}

static void publishing_inside_the_sink_comes_after(void **state)
{
	struct listener l = { .seen = { .limit = SIZE_MAX }, .left = -1 };
	AUTO_ERR struct err err = { 0 };

	assert_ok(event_subscribe(bus, NULL, publish_inside, on_end, &l, &l.subscription, &err),
			&err);
	publish("a", "/x", NULL);
	expect_seen(&l, "/x\n/from-inside\n");
	finish(&l);
}

static void freeing_ends_who_is_left(void **state)
{
	struct listener l;

	subscribe(&l, NULL);
	event_exchange_free(bus);
	bus = NULL;
	assert_int_equal(l.ended, 1);
	buf_done(&l.seen);
}

static void refuse(const char *ns, const char *topic, int64_t when, const char *want)
{
	struct event e = { when, (char *)ns, (char *)topic, { 0 } };
	AUTO_ERR struct err err = { 0 };

	if (event_forward(bus, &e, &err) == 0)
		fail_msg("taken, though: %s", want);
	assert_int_equal(err.kind, ERR_INVALID);
	assert_true(str_starts(err_text(&err), want));
}

/* §8.2, §8.3 */
static void envelopes_are_checked(void **state)
{
	struct event e = { 0, (char[]){ "default" }, (char[]){ "/test" }, { 0 } };
	AUTO_ERR struct err err = { 0 };

	refuse("", "/x", 1,
			"event envelope has invalid namespace: identifier must not be empty");
	refuse("a/b", "/x", 1, "event envelope has invalid namespace: identifier \"a/b\" must");
	refuse("a", "", 1, "envelope topic \"\": must not be empty: invalid argument");
	refuse("a", "x", 1, "envelope topic \"x\": must start with '/': invalid argument");
	refuse("a", "/", 1,
			"envelope topic \"/\": must have at least one component: invalid "
			"argument");
	refuse("a", "/x/", 1, "envelope topic \"/x/\": failed validation on component \"\": ");
	refuse("a", "/tasks/?", 1,
			"envelope topic \"/tasks/?\": failed validation on component \"?\": ");
	refuse("a", "/x", CLOCK_UNSET,
			"timestamp must be set on forwarded event: invalid argument");
	/* A missing timestamp reads as 1970 and passes. */
	assert_ok(event_forward(bus, &e, &err), &err);
}

#define PUBLISHERS 4
#define EACH	   500

struct counter {
	atomic_int in_sink;
	int last[PUBLISHERS], total;
};

static bool count_in_order(void *arg, const struct event *e)
{
	struct counter *c = arg;
	int from = e->topic[1] - 'a', n = (int)strtol(e->topic + 2, NULL, 10);

	if (atomic_fetch_add(&c->in_sink, 1) != 0 || c->last[from] != n - 1)
		abort();
	c->last[from] = n;
	c->total++;
	atomic_fetch_sub(&c->in_sink, 1);
	return true;
}

static void *publish_many(void *arg)
{
	for (int i = 1; i <= EACH; i++) {
		AUTO_FREE char *topic = xasprintf("/%c%d", (char)(intptr_t)arg, i);

		publish("a", topic, NULL);
	}
	return NULL;
}

static void each_publishers_order_is_kept(void **state)
{
	struct counter counters[3] = { 0 };
	struct event_subscription *subscriptions[3];
	pthread_t threads[PUBLISHERS];
	AUTO_ERR struct err err = { 0 };

	for (int i = 0; i < 3; i++)
		assert_ok(event_subscribe(bus, NULL, count_in_order, NULL, &counters[i],
					  &subscriptions[i], &err),
				&err);
	for (intptr_t i = 0; i < PUBLISHERS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, publish_many,
						 (void *)('a' + i)),
				0);
	for (int i = 0; i < PUBLISHERS; i++)
		(void)pthread_join(threads[i], NULL);
	for (int i = 0; i < 3; i++) {
		assert_int_equal(counters[i].total, PUBLISHERS * EACH);
		event_unsubscribe(bus, subscriptions[i]);
	}
}

#define RULE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		RULE(a_subscriber_sees_all_namespaces_from_then_on),
		RULE(filters_choose),
		RULE(a_bad_filter_is_refused),
		RULE(a_sink_that_refuses_ends_its_subscription),
		RULE(a_hostile_filter_ends_its_subscription),
		RULE(unsubscribing_inside_the_sink_is_fine),
		RULE(publishing_inside_the_sink_comes_after),
		RULE(freeing_ends_who_is_left),
		RULE(envelopes_are_checked),
		RULE(each_publishers_order_is_kept),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
