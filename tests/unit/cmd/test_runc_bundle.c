/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/shim-runc/runc_bundle.h"

#include <string.h>

#include "base/auto.h"
#include "cmd/shim-runc/runc_call.h"
#include "cmd/shim-runc/runc_options.h"
#include "unit/unit.h"

#include "support/tempdir.h"

static int last_error(const char *log, char **text, struct err *err)
{
	return runc_log_last_error(log, strlen(log), text, err);
}

static void the_last_error_of_the_log_counts(void **state)
{
	AUTO_ERR struct err err = { 0 };
	AUTO_FREE char *text = NULL;

	assert_int_equal(last_error("{\"level\":\"error\",\"msg\":\"first\",\"time\":\"t\"}\n"
				    "{\"level\":\"error\",\"msg\":\" the \\\"last\\\"\\n\"}"
				    "{\"level\":\"warning\",\"msg\":\"later\"}\n",
					 &text, &err),
			1);
	assert_string_equal(text, "the \"last\"");
}

static void a_log_without_errors_has_none(void **state)
{
	AUTO_ERR struct err err = { 0 };
	char *text = NULL;

	assert_int_equal(last_error("", &text, &err), 0);
	assert_int_equal(last_error(" \n", &text, &err), 0);
	assert_int_equal(last_error("{\"level\":\"info\",\"msg\":\"x\"}7 null []", &text, &err),
			0);
	assert_null(text);
}

static void a_log_that_is_none_is_said_to_be_unreadable(void **state)
{
	AUTO_ERR struct err err = { 0 };
	char *text = NULL;

	assert_fails(last_error("panic: something\n", &text, &err), &err, ERR_INVALID);
	assert_fails(last_error("{\"level\":\"error\",\"msg\":", &text, &err), &err,
			ERR_INVALID);
}

static void fail_with(const char *bundle, struct err *err)
{
	struct runc_options options = { 0 };
	struct runc r = { .options = &options, .ns = "ns", .bundle = bundle };
	AUTO_ERR struct err cause = { 0 };

	(void)err_plain(&cause, ERR_UNKNOWN,
			"runc did not terminate successfully: exit status 1");
	runc_fail(&r, "OCI runtime create failed", &cause, err);
}

static void failures_are_told_in_the_runtimes_words(void **state)
{
	AUTO_ERR struct err err = { 0 };
	struct tempdir dir;
	char want[256];

	tempdir_make(&dir);
	fail_with(dir.path, &err);
	(void)snprintf(want, sizeof(want),
			"OCI runtime create failed: unable to retrieve OCI runtime error (open "
			"%s/log.json: no such file or directory): runc did not terminate "
			"successfully: exit status 1",
			dir.path);
	assert_string_equal(err_text(&err), want);
	err_clear(&err);
	put_file(dir.fd, "log.json", "");
	fail_with(dir.path, &err);
	assert_string_equal(err_text(&err), "OCI runtime create failed: runc did not terminate "
					    "successfully: exit status 1");
	err_clear(&err);
	put_file(dir.fd, "log.json", "{\"level\":\"error\",\"msg\":\"no such thing\"}");
	fail_with(dir.path, &err);
	assert_string_equal(err_text(&err), "OCI runtime create failed: no such thing");
	tempdir_remove(&dir);
}

static void a_long_log_is_read_from_its_end(void **state)
{
	AUTO_BUF struct buf log = { .limit = SIZE_MAX };
	AUTO_ERR struct err err = { 0 };
	AUTO_FREE char *text = NULL;
	struct tempdir dir;
	char path[128];

	tempdir_make(&dir);
	for (int i = 0; i < 60000; i++)
		buf_addf(&log, "{\"level\":\"error\",\"msg\":\"number %d\"}\n", i);
	put_file(dir.fd, "log.json", log.data);
	(void)snprintf(path, sizeof(path), "%s/log.json", dir.path);
	assert_int_equal(bundle_last_error(path, &text, &err), 1);
	assert_string_equal(text, "number 59999");
	tempdir_remove(&dir);
}

static void only_digits_are_a_pid(void **state)
{
	static const char *const bad[] = { "", "12\n", "-1", "0", "1x", " 1", "4294967295",
		"123456789012345678901234567890123" };
	AUTO_ERR struct err err = { 0 };
	struct tempdir dir;
	char path[128];
	pid_t pid;

	tempdir_make(&dir);
	(void)snprintf(path, sizeof(path), "%s/init.pid", dir.path);
	assert_fails(bundle_read_pid(path, &pid, &err), &err, ERR_NOT_FOUND);
	put_file(dir.fd, "init.pid", "4711");
	assert_ok(bundle_read_pid(path, &pid, &err), &err);
	assert_int_equal(pid, 4711);
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		put_file(dir.fd, "init.pid", bad[i]);
		if (bundle_read_pid(path, &pid, &err) == 0)
			fail_msg("taken: %s", bad[i]);
		err_clear(&err);
	}
	tempdir_remove(&dir);
}

static void options_are_found_again_and_their_absence_is_fine(void **state)
{
	AUTO_RUNC_OPTIONS struct runc_options o = { 0 };
	AUTO_RUNC_OPTIONS struct runc_options none = { 0 };
	AUTO_RUNC_OPTIONS struct runc_options back = { 0 };
	AUTO_FREE char *runtime = NULL;
	AUTO_ERR struct err err = { 0 };
	struct tempdir dir;

	tempdir_make(&dir);
	assert_ok(bundle_load_options(dir.path, &none, &err), &err);
	assert_null(none.binary_name);
	o.binary_name = strdup("crun");
	o.root = strdup("/run/x");
	assert_ok(bundle_save_options(dir.path, &o, &err), &err);
	runtime = get_file(dir.fd, "runtime");
	assert_string_equal(runtime, "crun");
	assert_ok(bundle_load_options(dir.path, &back, &err), &err);
	assert_string_equal(back.binary_name, "crun");
	assert_string_equal(back.root, "/run/x");
	put_file(dir.fd, "options.json", "not json");
	assert_fails(bundle_load_options(dir.path, &none, &err), &err, ERR_INVALID);
	tempdir_remove(&dir);
	assert_fails(bundle_save_options(dir.path, &o, &err), &err, ERR_NOT_FOUND);
}

static void kills_that_missed_are_not_found(void **state)
{
	static const struct {
		const char *said;
		enum err_kind kind;
		const char *text;
	} rows[] = {
		{ "runc …: container not running", ERR_NOT_FOUND,
				"process already finished: not found" },
		{ "kill: No such process", ERR_NOT_FOUND,
				"process already finished: not found" },
		{ "container \"x\" does not exist", ERR_NOT_FOUND,
				"no such container: not found" },
		{ "boom", ERR_UNKNOWN, "unknown error after kill: boom" },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		AUTO_ERR struct err cause = { 0 };
		AUTO_ERR struct err err = { 0 };

		(void)err_plain(&cause, ERR_UNKNOWN, "%s", rows[i].said);
		runc_fail_kill(&cause, &err);
		assert_int_equal(err.kind, rows[i].kind);
		assert_string_equal(err_text(&err), rows[i].text);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(the_last_error_of_the_log_counts),
		TEST(a_log_without_errors_has_none),
		TEST(a_log_that_is_none_is_said_to_be_unreadable),
		TEST(failures_are_told_in_the_runtimes_words),
		TEST(a_long_log_is_read_from_its_end),
		TEST(only_digits_are_a_pid),
		TEST(options_are_found_again_and_their_absence_is_fine),
		TEST(kills_that_missed_are_not_found),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
