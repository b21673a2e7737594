/* SPDX-License-Identifier: Apache-2.0 */
#include "core/gc.h"

#include "base/thread.h"

void gc_mutated(struct gc_scheduler *s, bool is_dirty)
{
	s->ops->mutated(s, is_dirty);
}

int gc_run(struct gc_scheduler *s, struct ctx *ctx, struct err *err)
{
	ASSERT_MAY_BLOCK();
	return s->ops->run(s, ctx, err);
}

int gc_collect(struct collector *c, struct gc_stats *ret_stats, struct err *err)
{
	ASSERT_MAY_BLOCK();
	return c->collect(c, ret_stats, err);
}
