/* SPDX-License-Identifier: Apache-2.0 */
#include "shim/shim_turns.h"

#include <stdlib.h>

#include "unit/unit.h"

struct guest {
	struct turn turn;
	struct turns *turns;
	int *log;
	int name;
	bool gives_at_once;
};

static void on_turn(struct turn *turn)
{
	struct guest *g = container_of(turn, struct guest, turn);

	*g->log = *g->log * 10 + g->name;
	if (g->gives_at_once)
		turns_give(g->turns);
}

static struct guest guest(struct turns *t, int *log, int name, bool at_once)
{
	return (struct guest){ .turn = { .run = on_turn },
		.turns = t,
		.log = log,
		.name = name,
		.gives_at_once = at_once };
}

static void turns_come_in_the_order_of_asking(void **state)
{
	struct turns t;
	int log = 0;
	struct guest a = guest(&t, &log, 1, false), b = guest(&t, &log, 2, false),
		     c = guest(&t, &log, 3, false);

	turns_init(&t);
	turns_take(&t, &a.turn);
	turns_take(&t, &b.turn);
	turns_take(&t, &c.turn);
	assert_int_equal(log, 1);
	turns_give(&t);
	assert_int_equal(log, 12);
	turns_give(&t);
	assert_int_equal(log, 123);
	turns_give(&t);
	assert_false(t.is_held);
}

static void who_leaves_the_line_gets_no_turn(void **state)
{
	struct turns t;
	int log = 0;
	struct guest a = guest(&t, &log, 1, false), b = guest(&t, &log, 2, false);

	turns_init(&t);
	turns_take(&t, &a.turn);
	turns_take(&t, &b.turn);
	assert_true(turns_leave(&t, &b.turn));
	assert_false(turns_leave(&t, &a.turn));
	turns_give(&t);
	assert_int_equal(log, 1);
}

static void a_long_line_of_short_turns_takes_no_stack(void **state)
{
	enum { MANY = 1000000 };
	struct turns t;
	int log = 0, ignored = 0;
	struct guest first = guest(&t, &log, 1, false);
	struct guest *many = calloc(MANY, sizeof(*many));

	turns_init(&t);
	turns_take(&t, &first.turn);
	for (int i = 0; i < MANY; i++) {
		many[i] = guest(&t, &ignored, 0, true);
		turns_take(&t, &many[i].turn);
	}
	turns_give(&t);
	assert_false(t.is_held);
	assert_true(list_is_empty(&t.waiting));
	free(many);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(turns_come_in_the_order_of_asking),
		TEST(who_leaves_the_line_gets_no_turn),
		TEST(a_long_line_of_short_turns_takes_no_stack),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
