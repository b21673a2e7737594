/* SPDX-License-Identifier: Apache-2.0 */
#include "support/topics_bus.h"

#include "base/str.h"

static int publish(struct event_bus *self, const struct event *e, struct err *err)
{
	struct topics_bus *b = (struct topics_bus *)self;

	LOCKED(&b->lock);
	strv_add(&b->topics, e->topic);
	cond_broadcast(&b->changed);
	return 0;
}

static const struct event_bus_ops bus_ops = { .publish = publish };

void topics_bus_init(struct topics_bus *b)
{
	*b = (struct topics_bus){ .base.ops = &bus_ops };
	mutex_init(&b->lock, RANK_event_queue);
	cond_init(&b->changed);
}

void topics_bus_done(struct topics_bus *b)
{
	strv_free(b->topics);
	cond_done(&b->changed);
	mutex_done(&b->lock);
}

void topics_bus_wait(struct topics_bus *b, const char *topic)
{
	LOCKED(&b->lock);
	while (!strv_has(b->topics, topic))
		cond_wait(&b->changed, &b->lock);
}
