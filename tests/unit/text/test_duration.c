/* SPDX-License-Identifier: Apache-2.0 */
#include "text/duration.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/clock.h"
#include "text/size.h"

static void durations_are_written_as_go_does(void **state)
{
	static const struct {
		int64_t ns;
		const char *text;
	} rows[] = {
		{ 0, "0s" },
		{ 1, "1ns" },
		{ 1100, "1.1\xc2\xb5s" },
		{ 2200 * NS_PER_US, "2.2ms" },
		{ 100 * NS_PER_MS, "100ms" },
		{ 3300 * NS_PER_MS, "3.3s" },
		{ 60 * NS_PER_S, "1m0s" },
		{ 4 * 3600 * NS_PER_S, "4h0m0s" },
		{ 245 * NS_PER_S + NS_PER_MS, "4m5.001s" },
		{ -1500 * NS_PER_MS, "-1.5s" },
		{ INT64_MAX, "2562047h47m16.854775807s" },
		{ INT64_MIN, "-2562047h47m16.854775808s" },
	};
	char text[DURATION_TEXT_SIZE];
	int64_t back = 0;

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		duration_format(rows[i].ns, text);
		assert_string_equal(text, rows[i].text);
		assert_true(duration_parse(text, &back));
		assert_true(back == rows[i].ns);
	}
}

static void durations_are_read_as_go_does(void **state)
{
	static const struct {
		const char *text;
		int64_t ns;
	} rows[] = {
		{ "0", 0 },
		{ "+5s", 5 * NS_PER_S },
		{ "1.5h", 5400 * NS_PER_S },
		{ "1h15m30.918s", 4530918 * NS_PER_MS },
		{ ".5s", 500 * NS_PER_MS },
		{ "5.s", 5 * NS_PER_S },
		{ "1\xce\xbcs", NS_PER_US },
		{ "0.3333333333333333333h", 1200 * NS_PER_S },
	};
	static const char *const bad[] = { "", "3", "-", "s", ".", "-.", ".s", "+.s", "1d",
		"1s2", "1 s", "3000000h", "9223372036854775808ns", "0.1.2s", "1m-5s" };
	int64_t ns = 0;

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		assert_true(duration_parse(rows[i].text, &ns));
		assert_true(ns == rows[i].ns);
	}
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		assert_false(duration_parse(bad[i], &ns));
}

static void ages_are_rounded_for_people(void **state)
{
	static const struct {
		int64_t seconds;
		const char *text;
	} rows[] = {
		{ 0, "Less than a second" },
		{ 1, "1 second" },
		{ 59, "59 seconds" },
		{ 61, "About a minute" },
		{ 59 * 60, "59 minutes" },
		{ 60 * 60, "About an hour" },
		{ 90 * 60, "2 hours" },
		{ 47 * 3600, "47 hours" },
		{ 13 * 86400, "13 days" },
		{ 59 * 86400, "8 weeks" },
		{ 61 * 86400, "2 months" },
		{ 729 * 86400, "24 months" },
		{ 731 * 86400, "2 years" },
	};
	char text[DURATION_HUMAN_SIZE];

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		duration_human(rows[i].seconds * NS_PER_S, text);
		assert_string_equal(text, rows[i].text);
	}
}

static void sizes_are_written_in_both_forms(void **state)
{
	char text[SIZE_TEXT_SIZE];

	size_format(0, text);
	assert_string_equal(text, "0.0 B");
	size_format(12 * 1024, text);
	assert_string_equal(text, "12.0 KiB");
	size_format(1029632, text);
	assert_string_equal(text, "1005.5 KiB");
	size_format(INT64_MAX, text);
	assert_string_equal(text, "8.0 EiB");
	size_format_si(329, text);
	assert_string_equal(text, "329B");
	size_format_si(1028000, text);
	assert_string_equal(text, "1.028MB");
}

static void sizes_are_read_in_powers_of_1024(void **state)
{
	static const struct {
		const char *text;
		int64_t bytes;
	} rows[] = { { "32", 32 }, { "32b", 32 }, { "32k", 32 << 10 }, { "32 KiB", 32 << 10 },
		{ "1.5GB", 3LL << 29 }, { "2T", 2LL << 40 }, { "0", 0 } };
	static const char *const bad[] = { "", "k", "-1", "1x", "1kk", "1.", "99999999P" };
	int64_t bytes = 0;

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		assert_true(size_parse(rows[i].text, &bytes));
		assert_true(bytes == rows[i].bytes);
	}
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		assert_false(size_parse(bad[i], &bytes));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(durations_are_written_as_go_does),
		cmocka_unit_test(durations_are_read_as_go_does),
		cmocka_unit_test(ages_are_rounded_for_people),
		cmocka_unit_test(sizes_are_written_in_both_forms),
		cmocka_unit_test(sizes_are_read_in_powers_of_1024),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
