/* SPDX-License-Identifier: Apache-2.0 */
#include "shim/shim_flags.h"

#include "unit/unit.h"

#define PARSE(out, err, ...)                                                                   \
	({                                                                                     \
		const char *args_[] = { "shim", __VA_ARGS__, NULL };                           \
		int count_ = sizeof(args_) / sizeof(args_[0]) - 1;                             \
		shim_flags_parse(count_, (char *const *)(uintptr_t)args_, out, err);           \
	})

static void the_daemons_line_is_understood(void **state)
{
	AUTO_ERR struct err err = { 0 };
	struct shim_flags f;

	assert_ok(PARSE(&f, &err, "-namespace", "ns", "-address", "/run/c.sock",
				  "-publish-binary", "/usr/bin/containerd", "-id", "c1",
				  "-debug", "start"),
			&err);
	assert_string_equal(f.ns, "ns");
	assert_string_equal(f.address, "/run/c.sock");
	assert_string_equal(f.publish_binary, "/usr/bin/containerd");
	assert_string_equal(f.id, "c1");
	assert_true(f.debug);
	assert_string_equal(f.action, "start");
	assert_string_equal(f.bundle, "");
}

static void dashes_and_equal_signs_are_a_matter_of_taste(void **state)
{
	AUTO_ERR struct err err = { 0 };
	struct shim_flags f;

	assert_ok(PARSE(&f, &err, "--namespace=ns", "-id=", "--debug=false", "-info=1", "--",
				  "-x"),
			&err);
	assert_string_equal(f.ns, "ns");
	assert_string_equal(f.id, "");
	assert_false(f.debug);
	assert_true(f.info);
	assert_string_equal(f.action, "-x");
}

static void nothing_means_serve(void **state)
{
	AUTO_ERR struct err err = { 0 };
	struct shim_flags f;

	assert_ok(PARSE(&f, &err, "-namespace", "ns"), &err);
	assert_string_equal(f.action, "");
}

static void what_is_unknown_or_incomplete_is_refused_in_gos_words(void **state)
{
	AUTO_ERR struct err err = { 0 };
	struct shim_flags f;

	assert_int_equal(PARSE(&f, &err, "-nope"), -1);
	assert_string_equal(err_text(&err), "flag provided but not defined: -nope");
	err_clear(&err);
	assert_int_equal(PARSE(&f, &err, "-id"), -1);
	assert_string_equal(err_text(&err), "flag needs an argument: -id");
	err_clear(&err);
	assert_fails(PARSE(&f, &err, "-debug=maybe"), &err, ERR_INVALID);
	assert_fails(PARSE(&f, &err, "-=x"), &err, ERR_INVALID);
	assert_fails(PARSE(&f, &err, "--=x"), &err, ERR_INVALID);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(the_daemons_line_is_understood),
		TEST(dashes_and_equal_signs_are_a_matter_of_taste),
		TEST(nothing_means_serve),
		TEST(what_is_unknown_or_incomplete_is_refused_in_gos_words),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
