/* SPDX-License-Identifier: Apache-2.0 */
#include <stdatomic.h>
#include <stdlib.h>

#include "api/pb/events.pb-c.h"
#include "api/pb/ttrpc_events.pb-c.h"
#include "base/cancel.h"
#include "base/mem.h"
#include "core/event.h"
#include "services/services_priv.h"
#include "wire/wire_event.h"
#include "wire/wire_map.h"

/* A subscriber that lets this much pile up is not reading any more. The original lets it grow
 * without end. */
#define QUEUE_MAX ((size_t)32 << 20)

static struct event_bus *bus_of(void *self)
{
	return ((struct events_service *)self)->bus;
}

static enum call_fate publish(struct call *call, void *self,
		const struct ProtobufCMessage *request, struct err *err)
{
	const Events__PublishRequest *r = (const void *)request;
	struct any payload = wire_any_in(r->event);

	payload.is_set = true;
	if (ctx_namespace(ctx_of(call), err) == NULL) {
		(void)err_wrap(err, "failed publishing event");
		return CALL_FAILED;
	}
	if (event_publish(bus_of(self), ctx_of(call), r->topic, &payload, err) < 0)
		return CALL_FAILED;
	return call_answer_empty(call, err);
}

static enum call_fate forward_envelope(
		struct call *call, void *self, const Types__Envelope *envelope, struct err *err)
{
	struct event e;

	if (envelope == NULL)
		return refuse_absent("envelope", err);
	e = wire_event_in(envelope);
	return answer_done(call, event_forward(bus_of(self), &e, err), err);
}

static enum call_fate forward(struct call *call, void *self,
		const struct ProtobufCMessage *request, struct err *err)
{
	const Events__ForwardRequest *r = (const void *)request;

	return forward_envelope(call, self, r->envelope, err);
}

static enum call_fate forward_of_shim(struct call *call, void *self,
		const struct ProtobufCMessage *request, struct err *err)
{
	const TtrpcEvents__ForwardRequest *r = (const void *)request;

	return forward_envelope(call, self, r->envelope, err);
}

/*
 * A subscription ends in one of two ways: the sink refuses an event, and the bus ends it; or
 * the call is cancelled, and we do. Whoever moves the state first decides.
 */
enum {
	STARTING, /* "subscription" is not known yet */
	RUNNING,
	OVERFLOWN, /* the sink has refused: the bus ends it */
	CANCELLED, /* we have unsubscribed, or will as soon as we know what */
	ENDED,	   /* the bus has said its last word */
};

struct subscriber {
	struct cancel_hook hook;
	struct call *call;
	struct event_bus *bus;
	struct event_subscription *subscription;
	_Atomic int state; /* see above */
	_Atomic int refs;  /* of the subscription, the hook, and the handler while it runs */
};

static void subscriber_unref(struct subscriber *s)
{
	if (atomic_fetch_sub(&s->refs, 1) > 1)
		return;
	call_unref(s->call);
	free(s);
}
DEFINE_AUTO(struct subscriber *, subscriber_unref)

static bool move(struct subscriber *s, int from, int to)
{
	return atomic_compare_exchange_strong(&s->state, &from, to);
}

static bool sink(void *arg, const struct event *e)
{
	struct subscriber *s = arg;
	AUTO_ARENA struct arena a = { 0 };

	arena_init(&a, SIZE_MAX);
	if (call_try_send(s->call, &wire_event_out(&a, e)->base, QUEUE_MAX))
		return true;
	return !(move(s, STARTING, OVERFLOWN) || move(s, RUNNING, OVERFLOWN));
}

static void cancelled(struct cancel_hook *hook)
{
	struct subscriber *s = container_of(hook, struct subscriber, hook);

	if (move(s, RUNNING, CANCELLED))
		event_unsubscribe(s->bus, s->subscription);
	else
		(void)move(s, STARTING, CANCELLED);
	subscriber_unref(s);
}

/* Takes the hook's reference back, unless the hook has run and dropped it. */
static void unhook(struct subscriber *s)
{
	if (cancel_hook_remove(call_ctx(s->call)->cancel, &s->hook))
		subscriber_unref(s);
}

static void ended(void *arg)
{
	struct subscriber *s = arg;
	AUTO_ERR struct err err = { 0 };

	if (atomic_exchange(&s->state, ENDED) == OVERFLOWN)
		(void)err_set(&err, ERR_EXHAUSTED, "subscriber is too slow");
	/* Never CANCELED: dockerd takes that for its own doing and does not come back. */
	call_finish(s->call, &err);
	unhook(s);
	subscriber_unref(s);
}

static struct subscriber *subscriber_new(struct call *call, struct event_bus *bus)
{
	struct subscriber *s = xzalloc(sizeof(*s));

	s->hook.fired = cancelled;
	s->call = call_ref(call);
	s->bus = bus;
	atomic_init(&s->state, STARTING);
	atomic_init(&s->refs, 3);
	return s;
}

static enum call_fate subscribe(struct call *call, void *self,
		const struct ProtobufCMessage *request, struct err *err)
{
	const Events__SubscribeRequest *r = (const void *)request;
	char **filters = wire_strv_in(call_arena(call), r->n_filters, r->filters);
	AUTO(subscriber_unref) struct subscriber *s = subscriber_new(call, bus_of(self));
	struct event_subscription *subscription = NULL;

	if (!cancel_hook_add(call_ctx(call)->cancel, &s->hook)) {
		subscriber_unref(s);
		subscriber_unref(s);
		(void)err_set(err, ERR_CANCELED, "%s", "");
		return CALL_FAILED;
	}
	if (event_subscribe(s->bus, filters, sink, ended, s, &subscription, err) < 0) {
		(void)err_wrap(err, "subscription error");
		unhook(s);
		subscriber_unref(s);
		return CALL_FAILED;
	}
	s->subscription = subscription;
	if (!move(s, STARTING, RUNNING) && atomic_load(&s->state) == CANCELLED)
		event_unsubscribe(s->bus, subscription);
	return CALL_PARKED;
}

static const struct rpc_method methods[] = {
	TO_EMPTY("Publish", RPC_ON_LOOP, events__publish_request, publish),
	TO_EMPTY("Forward", RPC_ON_LOOP, events__forward_request, forward),
	SERVER_STREAM("Subscribe", RPC_ON_LOOP | RPC_AGAIN, events__subscribe_request,
			types__envelope, subscribe),
};

const struct rpc_service events_service = { "containerd.services.events.v1.Events", methods,
	ARRAY_LEN(methods) };

static const struct rpc_method shim_methods[] = {
	TO_EMPTY("Forward", RPC_ON_LOOP, ttrpc_events__forward_request, forward_of_shim),
};

const struct rpc_service shim_events_service = { "containerd.services.events.ttrpc.v1.Events",
	shim_methods, ARRAY_LEN(shim_methods) };
