/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Events: what happened, told to whoever subscribed (reference 01 §8). core knows no protobuf:
 * the payload is an Any whose bytes the publisher made (wire/event_*.h makes the usual ones).
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"
#include "core/any.h"

struct ctx;
struct err;

struct event {
	int64_t when_ns; /* wall */
	char *ns, *topic;
	struct any payload;
};
void event_done(struct event *e);
void event_copy(struct event *to, const struct event *from);

struct event_bus;
struct event_subscription;

/* Takes one event, on any thread, in the order of publication per publisher. Must not block;
 * false ends the subscription (the consumer is too slow or gone). */
typedef bool (*event_sink)(void *arg, const struct event *e);

struct event_bus_ops {
	int (*publish)(struct event_bus *self, const struct event *e, struct err *err);
	int (*subscribe)(struct event_bus *self, char *const *filters, event_sink sink,
			void (*ended)(void *arg), void *arg,
			struct event_subscription **ret_subscription, struct err *err);
	void (*unsubscribe)(struct event_bus *self, struct event_subscription *s);
};
struct event_bus {
	const struct event_bus_ops *ops;
};

/* Checks namespace and topic (INVALID); never blocks, whatever subscribers do. event_forward
 * takes the envelope as it is; event_publish stamps it with the time and the namespace of ctx.
 */
ANY_THREAD MUST_USE int event_publish(struct event_bus *b, struct ctx *ctx, const char *topic,
		const struct any *payload, struct err *err);
ANY_THREAD MUST_USE int event_forward(
		struct event_bus *b, const struct event *e, struct err *err);

/* "ended" runs once, after the last sink call, when the sink said false or after unsubscribe.
 */
ANY_THREAD MUST_USE int event_subscribe(struct event_bus *b, char *const *filters,
		event_sink sink, void (*ended)(void *arg), void *arg,
		struct event_subscription **ret_subscription, struct err *err);
ANY_THREAD void event_unsubscribe(struct event_bus *b, struct event_subscription *s);
