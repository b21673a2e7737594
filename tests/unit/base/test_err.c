/* SPDX-License-Identifier: Apache-2.0 */
#include "unit/unit.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/auto.h"
#include "base/base64.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/err_details.h"
#include "base/mem.h"

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

static void joined_errors_are_lines_and_causes(void **state)
{
	AUTO_ERR struct err err = { 0 }, other = { 0 }, third = { 0 };

	err_set(&third, ERR_UNKNOWN, "third");
	err_set(&other, ERR_NOT_FOUND, "other");
	err_join(&other, &third);
	err_join(&err, &other); /* into none: a copy */
	assert_string_equal(err_text(&err), "other: not found\nthird");
	err_clear(&err);
	err_set(&err, ERR_EXISTS, "one");
	err_wrap(&other, "before");
	err_join(&err, &other);
	err_wrap(&err, "all");
	assert_int_equal(err.kind, ERR_EXISTS);
	assert_string_equal(err_text(&err),
			"all: one: already exists\nbefore: other: not found\nthird");
	assert_int_equal(err_detail_count(&err), 2);
	assert_int_equal(err_detail_at(&err, 0)->kind, ERR_NOT_FOUND);
	assert_string_equal(err_detail_at(&err, 0)->text, "not found");
	assert_int_equal(err_detail_at(&err, 1)->kind, ERR_UNKNOWN);
	assert_string_equal(err_detail_at(&err, 1)->text, "third");
	err_join(&err, &(struct err){ 0 });
	assert_int_equal(err_detail_count(&err), 2);
}

static void copies_and_moves_take_details_along(void **state)
{
	AUTO_ERR struct err err = { 0 }, copy = { 0 }, moved = { 0 };

	err_set(&err, ERR_ABORTED, "x");
	err_add_detail(&err, "a/b", "12", 2);
	err_copy(&copy, &err);
	err_move(&moved, &err);
	assert_int_equal(err_detail_count(&err), 0);
	assert_string_equal(err_text(&copy), "x: aborted");
	assert_int_equal(err_detail_count(&copy), 1);
	assert_int_equal(err_detail_count(&moved), 1);
	assert_ptr_not_equal(err_detail_at(&copy, 0), err_detail_at(&moved, 0));
	assert_string_equal(err_detail_at(&copy, 0)->type_url, "a/b");
	assert_memory_equal(err_detail_at(&copy, 0)->data, "12", 2);
}

static void details_are_bounded(void **state)
{
	AUTO_FREE char *large = xzalloc(ERR_DETAILS_BYTES);
	AUTO_ERR struct err err = { 0 }, other = { 0 };

	memset(large, 'x', ERR_DETAILS_BYTES - 1);
	err_set(&err, ERR_UNKNOWN, "x");
	err_set(&other, ERR_UNKNOWN, "%s%s", large, large);
	err_join(&err, &other);
	assert_string_equal(err_text(&err), "x");
	assert_int_equal(err_detail_count(&err), 0);
	err_add_detail(&err, "a", large, ERR_DETAILS_BYTES - 100);
	for (size_t i = 0; i < 200; i++)
		err_add_detail(&err, "b", "12", 2);
	assert_int_equal(err_detail_count(&err), ERR_DETAILS_MAX);
	err_clear(&err);
	err_set(&err, ERR_UNKNOWN, "x");
	err_add_detail(&err, "a", large, ERR_DETAILS_BYTES - 100);
	err_add_detail(&err, "b", large, 100);
	assert_int_equal(err_detail_count(&err), 1);
}

static void check_base64(const char *bytes, size_t size, const char *padded, const char *bare)
{
	AUTO_FREE char *a = base64_encode(bytes, size, BASE64_PADDED);
	AUTO_FREE char *b = base64_encode(bytes, size, BASE64_BARE);
	AUTO_BUF struct buf out = { .limit = SIZE_MAX };
	size_t at;

	assert_string_equal(a, padded);
	assert_string_equal(b, bare);
	assert_true(base64_decode(padded, strlen(padded), &out, &at));
	assert_true(base64_decode(bare, strlen(bare), &out, &at));
	assert_int_equal(out.size, 2 * size);
	if (size > 0) {
		assert_memory_equal(out.data, bytes, size);
		assert_memory_equal(out.data + size, bytes, size);
	}
}

static void base64_goes_there_and_back(void **state)
{
	check_base64("", 0, "", "");
	check_base64("f", 1, "Zg==", "Zg");
	check_base64("fo", 2, "Zm8=", "Zm8");
	check_base64("foo", 3, "Zm9v", "Zm9v");
	check_base64("foob", 4, "Zm9vYg==", "Zm9vYg");
	check_base64("\0\377\376\0", 4, "AP/+AA==", "AP/+AA");
}

static void what_is_no_base64_is_told(void **state)
{
	static const struct {
		const char *text;
		size_t at;
	} rows[] = { { "A", 1 }, { "AAAAA", 5 }, { "AA-A", 2 }, { "A===", 1 }, { "Zg=", 2 },
		{ "Zg==Zg==", 2 }, { "====", 0 } };

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		AUTO_BUF struct buf out = { .limit = SIZE_MAX };
		size_t at = 99;

		assert_false(base64_decode(rows[i].text, strlen(rows[i].text), &out, &at));
		assert_int_equal(at, rows[i].at);
	}
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
		TEST(joined_errors_are_lines_and_causes),
		TEST(copies_and_moves_take_details_along),
		TEST(details_are_bounded),
		TEST(base64_goes_there_and_back),
		TEST(what_is_no_base64_is_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
