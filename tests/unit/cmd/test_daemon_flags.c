/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/containerd/daemon_flags.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/err.h"
#include "base/str.h"

static int parse(struct daemon_flags *f, int *rest, struct err *err, ...)
{
	char name[] = "containerd";
	char *argv[16] = { name };
	int argc = 1;
	va_list args;

	va_start(args, err);
	while ((argv[argc] = va_arg(args, char *)) != NULL)
		argc++;
	va_end(args);
	return daemon_flags_parse(argc, argv, f, rest, err);
}

static void flags_come_in_every_spelling(void **state)
{
	struct daemon_flags f = { 0 };
	struct err err = { 0 };
	int rest = 0;

	assert_int_equal(parse(&f, &rest, &err, "-c", "one", "--root=two", "-state", "three",
					 "--address", "", "-l=debug", "config", "--root", "x",
					 NULL),
			0);
	assert_string_equal(f.config, "one");
	assert_string_equal(f.root, "two");
	assert_string_equal(f.state, "three");
	assert_string_equal(f.address, "");
	assert_string_equal(f.log_level, "debug");
	assert_int_equal(rest, 9);
}

static void two_dashes_end_the_flags(void **state)
{
	struct daemon_flags f = { 0 };
	struct err err = { 0 };
	int rest = 0;

	assert_int_equal(parse(&f, &rest, &err, "--version=false", "--", "--help", NULL), 0);
	assert_false(f.version);
	assert_false(f.help);
	assert_int_equal(rest, 3);
}

static void faults_are_told_in_the_words_of_the_original(void **state)
{
	static const struct {
		const char *arg, *want;
	} rows[] = {
		{ "--nope", "flag provided but not defined: -nope" },
		{ "-x=1", "flag provided but not defined: -x" },
		{ "--root", "flag needs an argument: -root" },
		{ "--help=maybe", "invalid boolean value \"maybe\" for -help: parse error" },
		{ "--=x", "bad flag syntax: --=x" },
		{ "---root", "bad flag syntax: ---root" },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		AUTO_ERR struct err err = { 0 };
		struct daemon_flags f = { 0 };
		int rest = 0;

		assert_int_equal(parse(&f, &rest, &err, rows[i].arg, NULL), -1);
		assert_string_equal(err_text(&err), rows[i].want);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(flags_come_in_every_spelling),
		cmocka_unit_test(two_dashes_end_the_flags),
		cmocka_unit_test(faults_are_told_in_the_words_of_the_original),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
