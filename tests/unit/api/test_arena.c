/* SPDX-License-Identifier: Apache-2.0 */
#include "api/arena.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "api/pb/types.pb-c.h"

static void budget_ends_the_first_door(void **state)
{
	AUTO_ARENA struct arena a = { 0 };

	arena_init(&a, 64);
	assert_non_null(arena_try_alloc(&a, 60)); /* counted as 64 */
	assert_null(arena_try_alloc(&a, 1));
	assert_non_null(arena_try_alloc(&a, 0));
}

static void sizes_near_the_end_of_size_t_are_refused(void **state)
{
	AUTO_ARENA struct arena a = { 0 };

	arena_init(&a, SIZE_MAX);
	assert_non_null(arena_try_alloc(&a, 8));
	assert_null(arena_try_alloc(&a, SIZE_MAX));
	assert_null(arena_try_alloc(&a, SIZE_MAX - 4));
}

static void what_the_program_builds_is_not_counted(void **state)
{
	AUTO_ARENA struct arena a = { 0 };

	arena_init(&a, 8);
	for (int i = 0; i < 100; i++)
		assert_non_null(arena_alloc(&a, 1000));
	assert_non_null(arena_try_alloc(&a, 8));
	assert_null(arena_try_alloc(&a, 8));
}

static void memory_is_zeroed_aligned_and_apart(void **state)
{
	AUTO_ARENA struct arena a = { 0 };
	unsigned char *blocks[300];

	arena_init(&a, 0);
	for (size_t i = 0; i < 300; i++) {
		size_t size = i * 7 % 5 == 0 ? 20000 : i + 1;

		blocks[i] = arena_alloc(&a, size);
		assert_int_equal((uintptr_t)blocks[i] % 8, 0);
		for (size_t j = 0; j < size; j++)
			assert_int_equal(blocks[i][j], 0);
		memset(blocks[i], (int)(i % 255) + 1, size);
	}
	for (size_t i = 0; i < 300; i++)
		assert_int_equal(blocks[i][0], i % 255 + 1);
}

static void reset_gives_the_budget_back(void **state)
{
	AUTO_ARENA struct arena a = { 0 };

	arena_init(&a, 100000);
	for (int i = 0; i < 5; i++) {
		assert_non_null(arena_try_alloc(&a, 90000));
		assert_null(arena_try_alloc(&a, 90000));
		assert_non_null(arena_strdup(&a, "small"));
		arena_reset(&a);
	}
}

static void text_is_copied(void **state)
{
	AUTO_ARENA struct arena a = { 0 };
	char text[] = "abc";
	char *copy;

	arena_init(&a, 0);
	copy = arena_strdup(&a, text);
	text[0] = 'x';
	assert_string_equal(copy, "abc");
	assert_null(arena_strdup(&a, NULL));
	assert_string_equal(arena_printf(&a, "%s-%d", copy, 7), "abc-7");
	assert_memory_equal(arena_memdup(&a, "a\0b", 3), "a\0b\0", 4);
}

static void new_messages_are_initialised(void **state)
{
	AUTO_ARENA struct arena a = { 0 };
	Types__Mount *mount;

	arena_init(&a, 0);
	mount = ARENA_NEW(&a, Types__Mount, types__mount);
	assert_ptr_equal(mount->base.descriptor, &types__mount__descriptor);
	assert_string_equal(mount->type, "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(budget_ends_the_first_door),
		cmocka_unit_test(sizes_near_the_end_of_size_t_are_refused),
		cmocka_unit_test(what_the_program_builds_is_not_counted),
		cmocka_unit_test(memory_is_zeroed_aligned_and_apart),
		cmocka_unit_test(reset_gives_the_budget_back),
		cmocka_unit_test(text_is_copied),
		cmocka_unit_test(new_messages_are_initialised),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
