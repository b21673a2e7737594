/* SPDX-License-Identifier: Apache-2.0 */
#include "core/event.h"

#include <stdlib.h>

#include "base/clock.h"
#include "base/ctx.h"
#include "base/mem.h"

void event_done(struct event *e)
{
	free(e->ns);
	free(e->topic);
	any_done(&e->payload);
	*e = (struct event){ 0 };
}

void event_copy(struct event *to, const struct event *from)
{
	*to = (struct event){ from->when_ns, xstrdup(from->ns), xstrdup(from->topic), { 0 } };
	any_copy(&to->payload, &from->payload);
}

int event_publish(struct event_bus *b, struct ctx *ctx, const char *topic,
		const struct any *payload, struct err *err)
{
	const char *ns = ctx_namespace(ctx, err);
	struct event e;

	if (ns == NULL)
		return -1;
	e = (struct event){ clock_wall_ns(), (char *)ns, (char *)topic, *payload };
	return b->ops->publish(b, &e, err);
}

int event_forward(struct event_bus *b, const struct event *e, struct err *err)
{
	return b->ops->publish(b, e, err);
}

int event_subscribe(struct event_bus *b, char *const *filters, event_sink sink,
		void (*ended)(void *arg), void *arg,
		struct event_subscription **ret_subscription, struct err *err)
{
	return b->ops->subscribe(b, filters, sink, ended, arg, ret_subscription, err);
}

void event_unsubscribe(struct event_bus *b, struct event_subscription *s)
{
	b->ops->unsubscribe(b, s);
}
