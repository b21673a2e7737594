/* SPDX-License-Identifier: Apache-2.0 */
#include "shim/shim_turns.h"

#include <assert.h>

void turns_init(struct turns *t)
{
	*t = (struct turns){ 0 };
	list_init(&t->waiting);
}

void turns_take(struct turns *t, struct turn *turn)
{
	if (t->is_held || t->is_passing_on) {
		list_append(&t->waiting, &turn->node);
		return;
	}
	list_init(&turn->node);
	t->is_held = true;
	turn->run(turn);
}

/* A loop, not a recursion: a thousand short turns in line must not fill the stack. */
void turns_give(struct turns *t)
{
	assert(t->is_held);
	t->is_held = false;
	if (t->is_passing_on)
		return;
	t->is_passing_on = true;
	while (!t->is_held && !list_is_empty(&t->waiting)) {
		struct turn *next = list_first(&t->waiting, struct turn, node);

		list_remove(&next->node);
		t->is_held = true;
		next->run(next);
	}
	t->is_passing_on = false;
}

bool turns_leave(struct turns *t, struct turn *turn)
{
	list_for_each (it, &t->waiting) {
		if (it != &turn->node)
			continue;
		list_remove(it);
		return true;
	}
	return false;
}
