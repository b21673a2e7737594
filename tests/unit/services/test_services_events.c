/* SPDX-License-Identifier: Apache-2.0 */
/* The events services over a bus that has room for one subscriber. */
#include "unit/unit.h"

#include <stdlib.h>
#include <string.h>

#include "api/pb/empty.pb-c.h"
#include "api/pb/events.pb-c.h"
#include "api/pb/ttrpc_events.pb-c.h"
#include "base/mem.h"
#include "base/mutex.h"
#include "base/str.h"
#include "core/event.h"
#include "services/services.h"
#include "support/served.h"

#define EVENTS "containerd.services.events.v1.Events"
#define SHIMS  "containerd.services.events.ttrpc.v1.Events"

struct bus {
	struct event_bus base;
	struct mutex lock;
	struct cond changed;
	event_sink sink; /* under lock, as the rest */
	void (*ended)(void *arg);
	void *arg;
	char *filter;
	size_t ends;
	struct event last;
};

static void end_subscription(struct bus *b)
{
	void (*ended)(void *arg);
	void *arg;

	mutex_lock(&b->lock);
	ended = b->ended;
	arg = b->arg;
	b->sink = NULL;
	b->ended = NULL;
	b->ends++;
	cond_broadcast(&b->changed);
	mutex_unlock(&b->lock);
	if (ended != NULL)
		ended(arg);
}

static int publish(struct event_bus *self, const struct event *e, struct err *err)
{
	struct bus *b = (struct bus *)self;
	bool go_on = true;

	if (!str_starts(e->topic, "/"))
		return err_set(err, ERR_INVALID, "topic");
	mutex_lock(&b->lock);
	event_done(&b->last);
	event_copy(&b->last, e);
	if (b->sink != NULL)
		go_on = b->sink(b->arg, e);
	mutex_unlock(&b->lock);
	if (!go_on)
		end_subscription(b);
	return 0;
}

static int subscribe(struct event_bus *self, char *const *filters, event_sink sink,
		void (*ended)(void *arg), void *arg, struct event_subscription **ret,
		struct err *err)
{
	struct bus *b = (struct bus *)self;
	LOCKED(&b->lock);

	if (filters[0] != NULL && strcmp(filters[0], "bad") == 0)
		return err_set(err, ERR_INVALID, "filters");
	free(b->filter);
	b->filter = xstrdup(filters[0]);
	b->sink = sink;
	b->ended = ended;
	b->arg = arg;
	*ret = (struct event_subscription *)b;
	cond_broadcast(&b->changed);
	return 0;
}

static void unsubscribe(struct event_bus *self, struct event_subscription *s)
{
	end_subscription((struct bus *)self);
}

static const struct event_bus_ops bus_ops = { publish, subscribe, unsubscribe };

struct world {
	struct bus bus;
	struct events_service service;
	struct served *served;
	struct err err;
};

static int begin(void **state)
{
	struct world *w = xzalloc(sizeof(*w));

	w->bus.base.ops = &bus_ops;
	mutex_init(&w->bus.lock, RANK_event_subscribers);
	cond_init(&w->bus.changed);
	w->service.bus = &w->bus.base;
	w->served = serve((struct served_service[]){ { &events_service, &w->service },
			{ &shim_events_service, &w->service }, { NULL, NULL } });
	*state = w;
	return 0;
}

static int end(void **state)
{
	struct world *w = *state;

	served_free(w->served);
	event_done(&w->bus.last);
	free(w->bus.filter);
	cond_done(&w->bus.changed);
	mutex_done(&w->bus.lock);
	err_clear(&w->err);
	free(w);
	return 0;
}

static struct rpc_stream *subscribe_to(struct world *w, const char *filter)
{
	Events__SubscribeRequest r = EVENTS__SUBSCRIBE_REQUEST__INIT;
	struct rpc_stream *stream = NULL;

	r.filters = &filter;
	r.n_filters = 1;
	assert_ok(channel_stream(w->served->channel, &w->served->ctx, EVENTS, "Subscribe",
				  &stream, &w->err),
			&w->err);
	assert_ok(rpc_stream_send(stream, &r.base, &w->err), &w->err);
	assert_ok(rpc_stream_close_send(stream, &w->err), &w->err);
	return stream;
}

static int next(struct world *w, struct rpc_stream *stream, Types__Envelope **ret)
{
	ProtobufCMessage *m = NULL;
	int rc = rpc_stream_recv(
			stream, &types__envelope__descriptor, &w->served->arena, &m, &w->err);

	*ret = (Types__Envelope *)m;
	return rc;
}

static void publish_to(struct world *w, const char *topic)
{
	Events__PublishRequest r = EVENTS__PUBLISH_REQUEST__INIT;
	Google__Protobuf__Any any = GOOGLE__PROTOBUF__ANY__INIT;

	r.topic = topic;
	r.event = &any;
	any.type_url = (char *)"some.Type";
	assert_ok(served_call(w->served, EVENTS, "Publish", &r.base,
				  &google__protobuf__empty__descriptor, NULL, &w->err),
			&w->err);
}

static void wait_for_subscriber(struct world *w)
{
	LOCKED(&w->bus.lock);
	while (w->bus.sink == NULL)
		cond_wait(&w->bus.changed, &w->bus.lock);
}

static void what_is_published_reaches_subscribers(void **state)
{
	struct world *w = *state;
	AUTO(rpc_stream_free) struct rpc_stream *stream = subscribe_to(w, "topic~=x");
	Types__Envelope *e;

	publish_to(w, "/before"); /* drives the channel until the server has both */
	wait_for_subscriber(w);
	publish_to(w, "/a");
	do
		assert_int_equal(next(w, stream, &e), 1);
	while (strcmp(e->topic, "/before") == 0);
	assert_string_equal(e->topic, "/a");
	assert_string_equal(e->namespace_, "ns");
	assert_string_equal(e->event->type_url, "some.Type");
	assert_true(e->timestamp->seconds > 1600000000);
	assert_string_equal(w->bus.filter, "topic~=x");
}

static void a_client_that_leaves_is_unsubscribed(void **state)
{
	struct world *w = *state;
	AUTO(rpc_stream_free) struct rpc_stream *stream = subscribe_to(w, "");

	publish_to(w, "/a");
	wait_for_subscriber(w);
	channel_unref(w->served->channel);
	w->served->channel = NULL;
	rpc_stream_free(take_ptr(stream));
	LOCKED(&w->bus.lock);
	while (w->bus.ends == 0)
		cond_wait(&w->bus.changed, &w->bus.lock);
	assert_null(w->bus.sink);
}

static void when_the_bus_ends_the_stream_ends_well(void **state)
{
	struct world *w = *state;
	AUTO(rpc_stream_free) struct rpc_stream *stream = subscribe_to(w, "");
	Types__Envelope *e;

	publish_to(w, "/a");
	wait_for_subscriber(w);
	end_subscription(&w->bus);
	while (next(w, stream, &e) == 1)
		continue;
	/* Above all not CANCELED: dockerd would not come back. */
	assert_int_equal(w->err.kind, ERR_NONE);
}

static void a_bad_filter_is_refused(void **state)
{
	struct world *w = *state;
	AUTO(rpc_stream_free) struct rpc_stream *stream = subscribe_to(w, "bad");
	Types__Envelope *e;

	assert_int_equal(next(w, stream, &e), -1);
	assert_string_equal(err_text(&w->err), "subscription error: filters: invalid argument");
	err_clear(&w->err);
}

static void failures_to_publish_say_so(void **state)
{
	struct world *w = *state;
	Events__PublishRequest r = EVENTS__PUBLISH_REQUEST__INIT;

	r.topic = "x";
	assert_int_equal(served_call(w->served, EVENTS, "Publish", &r.base,
					 &google__protobuf__empty__descriptor, NULL, &w->err),
			-1);
	assert_string_equal(err_text(&w->err), "topic: invalid argument");
	err_clear(&w->err);
	w->served->ctx.ns = NULL;
	r.topic = "/x";
	assert_int_equal(served_call(w->served, EVENTS, "Publish", &r.base,
					 &google__protobuf__empty__descriptor, NULL, &w->err),
			-1);
	assert_string_equal(err_text(&w->err),
			"failed publishing event: namespace is required: "
			"failed precondition");
	err_clear(&w->err);
}

static void shims_forward_whole_envelopes(void **state)
{
	struct world *w = *state;
	TtrpcEvents__ForwardRequest r = TTRPC_EVENTS__FORWARD_REQUEST__INIT;
	Types__Envelope e = TYPES__ENVELOPE__INIT;
	Google__Protobuf__Timestamp when = GOOGLE__PROTOBUF__TIMESTAMP__INIT;

	assert_int_equal(served_call(w->served, SHIMS, "Forward", &r.base,
					 &google__protobuf__empty__descriptor, NULL, &w->err),
			-1);
	assert_int_equal(w->err.kind, ERR_INVALID);
	err_clear(&w->err);
	when.seconds = 5;
	e.timestamp = &when;
	e.namespace_ = "theirs";
	e.topic = "/tasks/start";
	r.envelope = &e;
	w->served->ctx.ns = NULL; /* none is needed */
	assert_ok(served_call(w->served, SHIMS, "Forward", &r.base,
				  &google__protobuf__empty__descriptor, NULL, &w->err),
			&w->err);
	assert_string_equal(w->bus.last.ns, "theirs");
	assert_int_equal(w->bus.last.when_ns, 5000000000);
}

#define T(name) cmocka_unit_test_setup_teardown(name, begin, end)
int main(void)
{
	const struct CMUnitTest tests[] = {
		T(what_is_published_reaches_subscribers),
		T(a_client_that_leaves_is_unsubscribed),
		T(when_the_bus_ends_the_stream_ends_well),
		T(a_bad_filter_is_refused),
		T(failures_to_publish_say_so),
		T(shims_forward_whole_envelopes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
