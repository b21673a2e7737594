/* SPDX-License-Identifier: Apache-2.0 */
#include "content/content_priv.h"

#include "base/clock.h"
#include "base/ctx.h"
#include "base/err.h"
#include "base/mem.h"

#include <stdlib.h>

struct ref_lock {
	int64_t since_wall_ns, since_mono_ns;
};

void ref_locks_init(struct ref_locks *l, int64_t wait_ns)
{
	mutex_init(&l->lock, RANK_content_ingests);
	cond_init(&l->freed);
	map_init(&l->held);
	l->wait_ns = wait_ns;
}

void ref_locks_done(struct ref_locks *l)
{
	map_done(&l->held, free);
	cond_done(&l->freed);
	mutex_done(&l->lock);
}

static int refuse(const struct ref_lock *held, const char *ref, struct err *err)
{
	int64_t ms = (clock_mono_ns() - held->since_mono_ns) / NS_PER_MS;
	char since[CLOCK_TEXT_SIZE];

	clock_format_short(held->since_wall_ns, since);
	return err_set(err, ERR_UNAVAILABLE, "ref %s locked for %lld.%03llds (since %s)", ref,
			(long long)(ms / 1000), (long long)(ms % 1000), since);
}

int ref_lock(struct ref_locks *l, struct ctx *ctx, const char *ref, struct err *err)
{
	int64_t start = clock_mono_ns(), left = ctx_left_ns(ctx);
	int64_t until = start + (left < l->wait_ns ? left : l->wait_ns);
	struct ref_lock *held;

	LOCKED(&l->lock);
	while ((held = map_find(&l->held, ref)) != NULL) {
		if (l->wait_ns == 0 || !cond_wait_until(&l->freed, &l->lock, until)) {
			held = map_find(&l->held, ref);
			if (held != NULL)
				return refuse(held, ref, err);
		}
	}
	held = xzalloc(sizeof(*held));
	held->since_wall_ns = clock_wall_ns();
	held->since_mono_ns = clock_mono_ns();
	(void)map_put(&l->held, ref, held);
	return 0;
}

void ref_unlock(struct ref_locks *l, const char *ref)
{
	LOCKED(&l->lock);
	free(map_remove(&l->held, ref));
	cond_broadcast(&l->freed);
}
