/* SPDX-License-Identifier: Apache-2.0 */
#include "base/cancel.h"

#include <stdatomic.h>
#include <stdlib.h>

#include "base/mem.h"
#include "base/mutex.h"

struct cancel {
	struct mutex lock;
	struct list hooks;
	atomic_bool fired;
	atomic_int refs;
};

struct cancel *cancel_new(void)
{
	struct cancel *c = xzalloc(sizeof(*c));

	mutex_init(&c->lock, RANK_cancel);
	list_init(&c->hooks);
	atomic_init(&c->refs, 1);
	return c;
}

struct cancel *cancel_ref(struct cancel *c)
{
	atomic_fetch_add(&c->refs, 1);
	return c;
}

void cancel_unref(struct cancel *c)
{
	if (c == NULL || atomic_fetch_sub(&c->refs, 1) != 1)
		return;
	mutex_done(&c->lock);
	free(c);
}

static struct cancel_hook *pop(struct cancel *c)
{
	LOCKED(&c->lock);
	struct cancel_hook *hook = list_first(&c->hooks, struct cancel_hook, node);

	if (hook != NULL)
		list_remove(&hook->node);
	return hook;
}

void cancel_fire(struct cancel *c)
{
	struct cancel_hook *hook;

	{
		LOCKED(&c->lock);
		if (atomic_exchange(&c->fired, true))
			return;
	}
	while ((hook = pop(c)) != NULL)
		hook->fired(hook);
}

bool cancel_is_fired(const struct cancel *c)
{
	return atomic_load(&c->fired);
}

bool cancel_hook_add(struct cancel *c, struct cancel_hook *hook)
{
	LOCKED(&c->lock);
	list_init(&hook->node); /* so that removing is harmless either way */
	if (atomic_load(&c->fired))
		return false;
	list_append(&c->hooks, &hook->node);
	return true;
}

bool cancel_hook_remove(struct cancel *c, struct cancel_hook *hook)
{
	LOCKED(&c->lock);
	if (list_is_empty(&hook->node))
		return false;
	list_remove(&hook->node);
	return true;
}
