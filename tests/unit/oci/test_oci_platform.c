/* SPDX-License-Identifier: Apache-2.0 */
#include "oci/platform.h"

#include "base/auto.h"
#include "unit/unit.h"

static void assert_parses(const char *text, const char *want)
{
	AUTO_ERR struct err err = { 0 };
	AUTO_PLATFORM struct platform p = { 0 };
	AUTO_FREE char *got = NULL;

	assert_ok(platform_parse(text, &p, &err), &err);
	got = platform_text_all(&p);
	assert_string_equal(got, want);
}

static void specifiers_are_normalised(void **state)
{
	static const char *const cases[][2] = {
		{ "linux/amd64", "linux/amd64" },
		{ "Linux/x86_64", "linux/amd64" },
		{ "linux/x86-64/v1", "linux/amd64" },
		{ "linux/amd64/v2", "linux/amd64/v2" },
		{ "macos/aarch64", "darwin/arm64" },
		{ "linux/i386/x", "linux/386" },
		{ "linux/armhf", "linux/arm" },
		{ "linux/armel", "linux/arm/v6" },
		{ "linux/arm", "linux/arm" },
		{ "linux/arm/7", "linux/arm/v7" },
		{ "linux/arm64", "linux/arm64" },
		{ "linux/arm64/v8", "linux/arm64/v8" },
		{ "linux/arm64/9", "linux/arm64/v9" },
		{ "windows(10.0.17763+win32k)/amd64", "windows(10.0.17763+win32k)/amd64" },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		assert_parses(cases[i][0], cases[i][1]);
}

static void one_word_is_completed_by_the_host(void **state)
{
	AUTO_PLATFORM struct platform host = { 0 };
	AUTO_FREE char *text = NULL;

	platform_host(&host);
	text = platform_text(&host);
	assert_parses("linux", text);
	assert_parses("s390x", "linux/s390x");
}

static void bad_specifiers_are_refused(void **state)
{
	static const char *const bad[] = { "", "*", "linux/*", "a/b/c/d", "nosuch", "linux/",
		"li nux/amd64", "linux/am d", "linux(", "linux(x%0", "linux.x/amd64" };

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		AUTO_ERR struct err err = { 0 };
		AUTO_PLATFORM struct platform p = { 0 };

		if (platform_parse(bad[i], &p, &err) == 0)
			fail_msg("accepted: %s", bad[i]);
	}
}

static int rank(const struct platform_match *m, const char *candidate)
{
	AUTO_ERR struct err err = { 0 };
	AUTO_PLATFORM struct platform p = { 0 };

	assert_ok(platform_parse(candidate, &p, &err), &err);
	return platform_match_rank(m, &p);
}

static void match_for(struct platform_match *m, const char *text, bool strict)
{
	AUTO_ERR struct err err = { 0 };
	AUTO_PLATFORM struct platform p = { 0 };

	assert_ok(platform_parse(text, &p, &err), &err);
	if (strict)
		platform_match_strict(m, &p);
	else
		platform_match_only(m, &p);
}

static void machines_run_older_ones_too_but_prefer_their_own(void **state)
{
	struct platform_match m = { 0 };

	match_for(&m, "linux/amd64", false);
	assert_int_equal(rank(&m, "linux/amd64"), 0);
	assert_int_equal(rank(&m, "linux/386"), 1);
	assert_int_equal(rank(&m, "linux/amd64/v2"), -1);
	assert_int_equal(rank(&m, "windows/amd64"), -1);
	platform_match_done(&m);
	match_for(&m, "linux/arm/v7", false);
	assert_int_equal(rank(&m, "linux/arm/v7"), 0);
	assert_int_equal(rank(&m, "linux/arm/v5"), 2);
	assert_int_equal(rank(&m, "linux/arm/v8"), -1);
	platform_match_done(&m);
	match_for(&m, "linux/arm64", false);
	assert_int_equal(rank(&m, "linux/arm64"), 0);
	assert_true(rank(&m, "linux/arm/v7") > rank(&m, "linux/arm/v8"));
	assert_int_equal(rank(&m, "linux/arm64/v9"), -1);
	platform_match_done(&m);
}

static void strict_means_exactly(void **state)
{
	struct platform_match m = { 0 };

	match_for(&m, "linux/amd64", true);
	assert_int_equal(rank(&m, "linux/amd64"), 0);
	assert_int_equal(rank(&m, "linux/386"), -1);
	platform_match_done(&m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(specifiers_are_normalised),
		TEST(one_word_is_completed_by_the_host),
		TEST(bad_specifiers_are_refused),
		TEST(machines_run_older_ones_too_but_prefer_their_own),
		TEST(strict_means_exactly),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
