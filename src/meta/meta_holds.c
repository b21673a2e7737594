/* SPDX-License-Identifier: Apache-2.0 */
#include "meta/meta_holds_priv.h"

#include <assert.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/ctx.h"
#include "base/err.h"
#include "base/mem.h"

struct hold {
	size_t users;
	bool is_alone;
};

void holds_init(struct holds *h)
{
	mutex_init(&h->lock, RANK_meta_refs);
	cond_init(&h->freed);
	map_init(&h->names);
}

void holds_done(struct holds *h)
{
	assert(h->names.count == 0);
	map_done(&h->names, free);
	cond_done(&h->freed);
	mutex_done(&h->lock);
}

static bool try_locked(struct holds *h, const char *name, bool alone)
{
	struct hold *hold = map_find(&h->names, name);

	mutex_assert_held(&h->lock);
	if (hold != NULL && (alone || hold->is_alone))
		return false;
	if (hold == NULL) {
		hold = xzalloc(sizeof(*hold));
		(void)map_put(&h->names, name, hold);
	}
	hold->users++;
	hold->is_alone = alone;
	return true;
}

static void fill(struct held *held, struct holds *h, const char *name)
{
	*held = (struct held){ h, xstrdup(name) };
}

static int take(struct holds *h, struct ctx *ctx, const char *name, bool alone,
		struct held *ret_held, struct err *err)
{
	LOCKED(&h->lock);
	while (!try_locked(h, name, alone)) {
		if (ctx_done(ctx, err))
			return -1;
		if (ctx->deadline_ns == 0)
			cond_wait(&h->freed, &h->lock);
		else
			(void)cond_wait_until(&h->freed, &h->lock, ctx->deadline_ns);
	}
	fill(ret_held, h, name);
	return 0;
}

int hold_shared(struct holds *h, struct ctx *ctx, const char *name, struct held *ret_held,
		struct err *err)
{
	return take(h, ctx, name, false, ret_held, err);
}

int hold_alone(struct holds *h, struct ctx *ctx, const char *name, struct held *ret_held,
		struct err *err)
{
	return take(h, ctx, name, true, ret_held, err);
}

bool hold_try_alone(struct holds *h, const char *name, struct held *ret_held)
{
	LOCKED(&h->lock);
	if (!try_locked(h, name, true))
		return false;
	fill(ret_held, h, name);
	return true;
}

static void release_locked(struct holds *h, const char *name)
{
	struct hold *hold = map_find(&h->names, name);

	mutex_assert_held(&h->lock);
	assert(hold != NULL && hold->users > 0);
	if (--hold->users > 0)
		return;
	(void)map_remove(&h->names, name);
	free(hold);
	cond_broadcast(&h->freed);
}

void held_release(struct held *held)
{
	struct holds *h = held->holds;

	if (h == NULL)
		return;
	mutex_lock(&h->lock);
	release_locked(h, held->name);
	mutex_unlock(&h->lock);
	free(held->name);
	*held = (struct held){ 0 };
}
