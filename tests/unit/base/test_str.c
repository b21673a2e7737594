/* SPDX-License-Identifier: Apache-2.0 */
#include "unit/unit.h"

#include <stdlib.h>
#include <string.h>

#include "base/auto.h"
#include "base/str.h"

static void splitting_keeps_empty_pieces(void **state)
{
	AUTO_STRV char **v = strv_split("a,,b,", ',');
	AUTO_STRV char **none = strv_split("", ',');

	assert_int_equal(strv_len(v), 4);
	assert_string_equal(v[0], "a");
	assert_string_equal(v[1], "");
	assert_string_equal(v[3], "");
	assert_int_equal(strv_len(none), 0);
}

static void splitting_and_joining_are_inverse(void **state)
{
	AUTO_STRV char **v = strv_split("one two three four five", ' ');
	AUTO_FREE char *joined = strv_join(v, " ");

	assert_string_equal(joined, "one two three four five");
}

static void vectors_grow_one_by_one(void **state)
{
	AUTO_STRV char **v = NULL;

	for (int i = 0; i < 100; i++)
		strv_addf(&v, "%d", i);
	assert_int_equal(strv_len(v), 100);
	assert_string_equal(v[99], "99");
	assert_true(strv_has(v, "42"));
	assert_false(strv_has(v, "100"));
}

static void vectors_made_elsewhere_can_grow(void **state)
{
	char *three[] = { (char *)"a", (char *)"b", (char *)"c", NULL };

	for (size_t n = 0; n <= 3; n++) {
		AUTO_STRV char **v = strv_dup(three + 3 - n);

		strv_add(&v, "x");
		strv_add(&v, "y");
		assert_int_equal(strv_len(v), n + 2);
		assert_string_equal(v[n + 1], "y");
	}
}

static void duplicating_a_vector_lets_it_grow(void **state)
{
	AUTO_STRV char **v = strv_split("a b c", ' ');
	AUTO_STRV char **copy = strv_dup(v);

	for (int i = 0; i < 20; i++)
		strv_add(&copy, "x");
	assert_int_equal(strv_len(copy), 23);
	assert_int_equal(strv_len(v), 3);
}

static void numbers_are_whole_and_bounded(void **state)
{
	uint64_t u;
	int64_t i;
	uint32_t w;

	assert_true(str_u64("18446744073709551615", &u));
	assert_true(u == UINT64_MAX);
	assert_false(str_u64("18446744073709551616", &u));
	assert_false(str_u64("", &u));
	assert_false(str_u64("+1", &u));
	assert_false(str_u64(" 1", &u));
	assert_false(str_u64("1x", &u));
	assert_true(str_i64("-9223372036854775808", &i));
	assert_true(i == INT64_MIN);
	assert_false(str_i64("-9223372036854775809", &i));
	assert_false(str_i64("9223372036854775808", &i));
	assert_false(str_i64("-", &i));
	assert_true(str_u32("4294967295", &w));
	assert_false(str_u32("4294967296", &w));
}

static void utf8_refuses_overlong_and_surrogates(void **state)
{
	assert_true(utf8_valid("gr\xc3\xbc\xc3\x9f \xf0\x9f\x90\xb3", 11));
	assert_false(utf8_valid("\xc0\x80", 2));
	assert_false(utf8_valid("\xed\xa0\x80", 3));
	assert_false(utf8_valid("\xf4\x90\x80\x80", 4));
	assert_false(utf8_valid("\xe2\x82", 2));
	assert_false(utf8_valid("\x80", 1));
	assert_true(utf8_valid("a\0b", 3));
}

static void quoting_follows_go(void **state)
{
	AUTO_FREE char *a = str_quote("a\"b\\c\n\t\x01\x7f\xff\xc3\xbc");

	assert_string_equal(a, "\"a\\\"b\\\\c\\n\\t\\x01\\x7f\\xff\xc3\xbc\"");
}

static void hex_is_lower_case(void **state)
{
	char out[7];

	hex_encode("\x00\xaf\xff", 3, out);
	assert_string_equal(out, "00afff");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(vectors_made_elsewhere_can_grow),
		TEST(splitting_keeps_empty_pieces),
		TEST(splitting_and_joining_are_inverse),
		TEST(vectors_grow_one_by_one),
		TEST(duplicating_a_vector_lets_it_grow),
		TEST(numbers_are_whole_and_bounded),
		TEST(utf8_refuses_overlong_and_surrogates),
		TEST(quoting_follows_go),
		TEST(hex_is_lower_case),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
