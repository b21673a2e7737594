/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/shim-runc/runc_pids.h"

#include <stdlib.h>
#include <string.h>

#include "base/auto.h"
#include "unit/unit.h"

static int parse(const char *text, uint32_t **pids, size_t *count, struct err *err)
{
	return runc_parse_pids(text, strlen(text), pids, count, err);
}

static void a_list_of_numbers_is_read(void **state)
{
	AUTO_ERR struct err err = { 0 };
	AUTO_FREE uint32_t *pids = NULL;
	size_t count;

	assert_ok(parse("[1, 22,4194304]\n", &pids, &count, &err), &err);
	assert_int_equal(count, 3);
	assert_int_equal(pids[1], 22);
	assert_int_equal(pids[2], 4194304);
	free(pids);
	assert_ok(parse("[\n  5,\n  6\n]\n", &pids, &count, &err), &err); /* crun */
	assert_int_equal(count, 2);
	assert_int_equal(pids[1], 6);
}

static void nothing_can_be_said_in_two_ways(void **state)
{
	AUTO_ERR struct err err = { 0 };
	AUTO_FREE uint32_t *pids = NULL;
	size_t count;

	assert_ok(parse("null", &pids, &count, &err), &err);
	assert_int_equal(count, 0);
	assert_ok(parse("[]", &pids, &count, &err), &err);
	assert_int_equal(count, 0);
}

static void warnings_before_the_answer_are_no_part_of_it(void **state)
{
	AUTO_ERR struct err err = { 0 };
	AUTO_FREE uint32_t *pids = NULL;
	size_t count;

	assert_ok(parse("warning: [7]\nmore\n[8]", &pids, &count, &err), &err);
	assert_int_equal(count, 1);
	assert_int_equal(pids[0], 8);
}

static void garbage_is_an_error(void **state)
{
	static const char *const bad[] = { "", "\n", "{}", "{\"a\":1}x", "[1", "[1,]",
		"[\"1\"]", "[-1]", "[1.5]", "[99999999999]", "[1] x", "nul" };
	AUTO_ERR struct err err = { 0 };
	uint32_t *pids;
	size_t count;

	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		if (parse(bad[i], &pids, &count, &err) == 0)
			fail_msg("taken: %s", bad[i]);
		assert_null(pids);
		err_clear(&err);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_list_of_numbers_is_read),
		TEST(nothing_can_be_said_in_two_ways),
		TEST(warnings_before_the_answer_are_no_part_of_it),
		TEST(garbage_is_an_error),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
