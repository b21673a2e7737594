/* SPDX-License-Identifier: Apache-2.0 */
#include "unit/unit.h"

#include <errno.h>

#include "base/err.h"

static void message_ends_with_the_kind(void **state)
{
	AUTO_ERR struct err err = { 0 };

	assert_int_equal(err_set(&err, ERR_NOT_FOUND, "snapshot %s", "base"), -1);
	assert_string_equal(err_text(&err), "snapshot base: not found");
	assert_int_equal(err_grpc_status(&err), 5);
}

static void an_empty_message_is_the_bare_kind(void **state)
{
	AUTO_ERR struct err err = { 0 };

	err_set(&err, ERR_INVALID, "%s", "");
	assert_string_equal(err_text(&err), "invalid argument");
}

static void unknown_has_no_suffix(void **state)
{
	AUTO_ERR struct err err = { 0 };

	err_set(&err, ERR_UNKNOWN, "key required");
	assert_string_equal(err_text(&err), "key required");
	assert_int_equal(err_grpc_status(&err), 2);
}

static void plain_keeps_the_text_as_it_is(void **state)
{
	AUTO_ERR struct err err = { 0 };

	err_plain(&err, ERR_UNIMPLEMENTED, "unknown service x");
	assert_string_equal(err_text(&err), "unknown service x");
	assert_int_equal(err_grpc_status(&err), 12);
}

static void system_errors_use_go_words(void **state)
{
	AUTO_ERR struct err err = { 0 };

	err_sys(&err, ENOENT, "open %s", "/x");
	assert_string_equal(err_text(&err), "open /x: no such file or directory");
	assert_int_equal(err.sys, ENOENT);
	assert_int_equal(err.kind, ERR_UNKNOWN);
	assert_string_equal(errno_text(EAGAIN), "resource temporarily unavailable");
	assert_string_equal(errno_text(99999), "unknown error");
}

static void wrapping_goes_in_front_and_keeps_the_kind(void **state)
{
	AUTO_ERR struct err err = { 0 };

	err_set(&err, ERR_EXISTS, "b");
	assert_int_equal(err_wrap(&err, "a %d", 1), -1);
	assert_string_equal(err_text(&err), "a 1: b: already exists");
	assert_int_equal(err.kind, ERR_EXISTS);
}

static void moving_empties_the_source(void **state)
{
	AUTO_ERR struct err from = { 0 }, to = { 0 };

	err_set(&from, ERR_INTERNAL, "x");
	err_move(&to, &from);
	assert_int_equal(from.kind, ERR_NONE);
	assert_string_equal(err_text(&to), "x: internal");
}

static void conflict_is_told_by_the_end_of_the_message(void **state)
{
	assert_int_equal(err_kind_of_grpc(9, "x: conflict"), ERR_CONFLICT);
	assert_int_equal(err_kind_of_grpc(9, "conflict"), ERR_CONFLICT);
	assert_int_equal(err_kind_of_grpc(9, "a conflict"), ERR_PRECONDITION);
	assert_int_equal(err_kind_of_grpc(9, "x: not modified"), ERR_NOT_MODIFIED);
	assert_int_equal(err_kind_of_grpc(9, "x: failed precondition"), ERR_PRECONDITION);
	assert_int_equal(err_kind_of_grpc(0, ""), ERR_NONE);
	assert_int_equal(err_kind_of_grpc(77, ""), ERR_UNKNOWN);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(message_ends_with_the_kind),
		TEST(an_empty_message_is_the_bare_kind),
		TEST(unknown_has_no_suffix),
		TEST(plain_keeps_the_text_as_it_is),
		TEST(system_errors_use_go_words),
		TEST(wrapping_goes_in_front_and_keeps_the_kind),
		TEST(moving_empties_the_source),
		TEST(conflict_is_told_by_the_end_of_the_message),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
