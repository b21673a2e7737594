/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A lock for code that may not wait: whoever takes a turn is called back when it is his, in the
 * order of asking, and gives it back when he is done, maybe much later.
 */
#pragma once

#include <stdbool.h>

#include "base/list.h"

struct turns {
	struct list waiting;
	bool is_held;
	bool is_passing_on; /* turns_give() is calling back */
};

struct turn {
	struct list node;
	void (*run)(struct turn *turn);
};

void turns_init(struct turns *t);
/* Runs turn->run now if nobody else has the turn, else later. */
void turns_take(struct turns *t, struct turn *turn);
void turns_give(struct turns *t);
/* Leaves the line. False if it is (or was) already this one's turn. */
bool turns_leave(struct turns *t, struct turn *turn);
