/* SPDX-License-Identifier: Apache-2.0 */
/* Command lines and help as urfave/cli v2 has them. */
#include "cmd/ctr/ctr_command.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/buf.h"
#include "base/io.h"
#include "base/mem.h"
#include "base/str.h"
#include "unit/unit.h"

struct args {
	bool sw;
	const char *text;
	char **list;
	int64_t number, duration;
	uint64_t count;
	double real;
};

static struct args got;
static char *got_argv, *got_text;

static int keep(struct cx *cx)
{
	const struct args *a = cx->args;

	strv_free(got.list);
	got = *a;
	free(got_text);
	got.text = got_text = xstrdup(a->text);
	got.list = strv_dup(a->list);
	free(got_argv);
	got_argv = strv_join(
			cx->argc == 0 ? (char *const[]){ (char *)"", NULL } : cx->argv, "|");
	return cx_is_given(cx, "sw") ? 7 : 0;
}

static const struct flag flags[] = {
	FLAG("sw, s", FLAG_SWITCH, offsetof(struct args, sw), "a switch"),
	FLAG("text, t", FLAG_TEXT, offsetof(struct args, text), "a `word` of text",
			.fallback = "none", .env = "CTR_TEST_TEXT"),
	FLAG("list", FLAG_LIST, offsetof(struct args, list), "a list"),
	FLAG("number", FLAG_INT, offsetof(struct args, number), "a number", .fallback = "-1"),
	FLAG("count", FLAG_UINT, offsetof(struct args, count), "a count"),
	FLAG("real", FLAG_REAL, offsetof(struct args, real), "a real number"),
	FLAG("wait, x", FLAG_DURATION, offsetof(struct args, duration), "how long",
			.fallback = "24h"),
	{ 0 },
};

static const struct flag required_flags[] = {
	FLAG("id", FLAG_TEXT, offsetof(struct args, text), "an id", .required = true),
	{ 0 },
};

static const struct command below[] = {
	{ .names = "list, ls",
			.help = "list things",
			.args = "[flags] [<filter>, ...]",
			.flags = flags,
			.args_size = sizeof(struct args),
			.run = keep },
	{ .names = "need",
			.help = "need something",
			.flags = required_flags,
			.args_size = sizeof(struct args),
			.run = keep },
	{ 0 },
};

static const struct command above[] = {
	{ .names = "things, thing, t", .help = "manage things", .commands = below },
	{ 0 },
};

static const struct command top = { .names = "ctr", .help = "a client", .commands = above };

/* What a command line prints on stdout, and its status. */
static char *run(int *ret_status, const char *line)
{
	AUTO_STRV char **argv = strv_split(line, ' ');
	AUTO_BUF struct buf out = { .limit = 1 << 20 };
	int old_out = dup(1), old_err = dup(2), fds[2];

	assert_int_equal(pipe(fds), 0);
	fflush(stdout);
	dup2(fds[1], 1);
	dup2(fds[1], 2);
	close(fds[1]);
	*ret_status = command_main(&top, (int)strv_len(argv), argv);
	fflush(stdout);
	fflush(stderr);
	dup2(old_out, 1);
	dup2(old_err, 2);
	close(old_out);
	close(old_err);
	assert_int_equal(io_read_all(fds[0], &out), 0);
	close(fds[0]);
	return buf_take_str(&out);
}

static void expect(const char *line, int want_status)
{
	int status;
	AUTO_FREE char *out = run(&status, line);

	if (status != want_status)
		fail_msg("%s: status %d: %s", line, status, out);
}

static void expect_error(const char *line, int want_status, const char *want)
{
	int status;
	AUTO_FREE char *out = run(&status, line);

	assert_int_equal(status, want_status);
	if (strstr(out, want) == NULL)
		fail_msg("%s: no \"%s\" in: %s", line, want, out);
}

static void flags_come_before_arguments_in_either_form(void **state)
{
	expect("ctr t ls -s --text=a=b -list x --list y,z --number 0x10 --count 7 -x 1h30m arg "
	       "--text q",
			7);
	assert_true(got.sw);
	assert_string_equal(got.text, "a=b");
	assert_int_equal(strv_len(got.list), 2);
	assert_string_equal(got.list[1], "y,z");
	assert_int_equal(got.number, 16);
	assert_int_equal(got.count, 7);
	assert_true(got.duration == INT64_C(5400000000000));
	assert_string_equal(got_argv, "arg|--text|q");
}

static void two_dashes_end_the_flags(void **state)
{
	expect("ctr thing list -- -s x", 0);
	assert_string_equal(got_argv, "-s|x");
	expect("ctr thing list - -s", 0);
	assert_string_equal(got_argv, "-|-s");
}

static void switches_may_be_given_as_false_and_count_as_given(void **state)
{
	expect("ctr t ls --sw=false", 7);
	assert_false(got.sw);
}

static void the_environment_stands_in_for_flags(void **state)
{
	expect("ctr t ls", 0);
	assert_string_equal(got.text, "none");
	assert_int_equal(got.number, -1);
	assert_true(got.duration == INT64_C(86400000000000));
	assert_int_equal(putenv((char *)"CTR_TEST_TEXT=env"), 0);
	expect("ctr t ls", 0);
	assert_string_equal(got.text, "env");
	expect("ctr t ls --text flag", 0);
	assert_string_equal(got.text, "flag");
	assert_int_equal(putenv((char *)"CTR_TEST_TEXT="), 0);
}

static void faults_are_told_in_go_s_words(void **state)
{
	expect_error("ctr t ls --none", 1,
			"Incorrect Usage: flag provided but not defined: -none\n\nNAME:\n   "
			"ctr "
			"things list");
	expect_error("ctr t ls --none", 1, "ctr: flag provided but not defined: -none\n");
	expect_error("ctr t ls --wait 10", 1,
			"invalid value \"10\" for flag -wait: parse error");
	expect_error("ctr t ls --number x", 1, "invalid value \"x\" for flag -number");
	expect_error("ctr t ls --count -1", 1, "invalid value \"-1\" for flag -count");
	expect_error("ctr t ls --sw=maybe", 1, "invalid boolean value \"maybe\" for -sw");
	expect_error("ctr t ls --text", 1, "flag needs an argument: -text");
	expect_error("ctr t ls ---x", 1, "bad flag syntax: ---x");
}

static void required_flags_are_asked_for(void **state)
{
	expect_error("ctr t need", 1, "NAME:\n   ctr things need");
	expect_error("ctr t need x", 1, "ctr: Required flag \"id\" not set\n");
	expect("ctr t need --id x", 0);
}

static void unknown_commands_have_a_status_of_their_own(void **state)
{
	expect_error("ctr nope", 3, "No help topic for 'nope'\n");
	expect_error("ctr t nope", 3, "No help topic for 'nope'\n");
	expect_error("ctr help nope", 3, "No help topic for 'nope'\n");
}

static void help_of_a_command_has_the_layout_of_the_original(void **state)
{
	int status;
	AUTO_FREE char *out = run(&status, "ctr t ls -h");

	assert_int_equal(status, 0);
	assert_string_equal(out,
			"NAME:\n"
			"   ctr things list - list things\n"
			"\n"
			"USAGE:\n"
			"   ctr things list [command options] [flags] [<filter>, ...]\n"
			"\n"
			"OPTIONS:\n"
			"   --sw, -s                       a switch (default: false)\n"
			"   --text word, -t word           a word of text (default: \"none\") "
			"[$CTR_TEST_TEXT]\n"
			"   --list value [ --list value ]  a list\n"
			"   --number value                 a number (default: -1)\n"
			"   --count value                  a count (default: 0)\n"
			"   --real value                   a real number (default: 0)\n"
			"   --wait value, -x value         how long (default: 24h0m0s)\n"
			"   --help, -h                     show help\n");
}

static void help_of_a_group_lists_its_commands(void **state)
{
	int status;
	AUTO_FREE char *out = run(&status, "ctr t");
	AUTO_FREE char *same = run(&status, "ctr help things");

	assert_string_equal(out,
			"NAME:\n"
			"   ctr things - manage things\n"
			"\n"
			"USAGE:\n"
			"   ctr things command [command options]\n"
			"\n"
			"COMMANDS:\n"
			"   list, ls  list things\n"
			"   need      need something\n"
			"   help, h   Shows a list of commands or help for one command\n"
			"\n"
			"OPTIONS:\n"
			"   --help, -h  show help\n");
	assert_string_equal(out, same);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(flags_come_before_arguments_in_either_form),
		TEST(two_dashes_end_the_flags),
		TEST(switches_may_be_given_as_false_and_count_as_given),
		TEST(the_environment_stands_in_for_flags),
		TEST(faults_are_told_in_go_s_words),
		TEST(required_flags_are_asked_for),
		TEST(unknown_commands_have_a_status_of_their_own),
		TEST(help_of_a_command_has_the_layout_of_the_original),
		TEST(help_of_a_group_lists_its_commands),
	};
	int rc = cmocka_run_group_tests(tests, NULL, NULL);

	free(got_argv);
	free(got_text);
	strv_free(got.list);
	return rc;
}
