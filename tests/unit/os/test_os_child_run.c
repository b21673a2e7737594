/* SPDX-License-Identifier: Apache-2.0 */
#include "unit/unit.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/buf.h"
#include "base/cancel.h"
#include "base/clock.h"
#include "base/ctx.h"
#include "base/mem.h"
#include "base/str.h"
#include "base/thread.h"
#include "os/child_run.h"
#include "os/process.h"

static int run_shell(const char *script, const char *input, struct buf *out,
		struct buf *err_out, struct ctx *ctx, struct err *err)
{
	char *argv[] = { (char *)"sh", (char *)"-c", (char *)script, NULL };
	struct child_run run = { .path = "/bin/sh",
		.argv = argv,
		.input = input,
		.input_size = input == NULL ? 0 : strlen(input),
		.out = out,
		.err_out = err_out };

	return child_run(&run, ctx, err);
}

static void output_and_status_come_back(void **state)
{
	AUTO_ERR struct err err = { 0 };
	AUTO_BUF struct buf out = { .limit = 100 }, err_out = { .limit = 100 };
	struct ctx ctx = { 0 };

	assert_int_equal(run_shell("cat; echo two >&2; exit 3", "one", &out, &err_out, &ctx,
					 &err),
			3);
	assert_string_equal(out.data, "one");
	assert_string_equal(err_out.data, "two\n");
}

static void both_outputs_can_be_one(void **state)
{
	AUTO_ERR struct err err = { 0 };
	AUTO_BUF struct buf out = { .limit = 100 };
	struct ctx ctx = { 0 };

	assert_int_equal(run_shell("echo a; echo b >&2; kill -9 $$", NULL, &out, &out, &ctx,
					 &err),
			128 + SIGKILL);
	assert_string_equal(out.data, "a\nb\n");
}

static void output_beyond_the_limit_is_dropped(void **state)
{
	AUTO_ERR struct err err = { 0 };
	AUTO_BUF struct buf out = { .limit = 20000 };
	struct ctx ctx = { 0 };

	assert_int_equal(run_shell("head -c 3000000 /dev/zero", NULL, &out, &out, &ctx, &err),
			0);
	assert_true(out.overflowed);
	assert_true(out.size <= 20000);
}

static void a_grandchild_that_holds_the_pipe_is_not_waited_for(void **state)
{
	AUTO_ERR struct err err = { 0 };
	AUTO_BUF struct buf out = { .limit = 100 };
	struct ctx ctx = { 0 };
	int64_t pid = 0;

	assert_int_equal(run_shell("sleep 1000 & echo $!", NULL, &out, &out, &ctx, &err), 0);
	out.data[strcspn(out.data, "\n")] = '\0';
	assert_true(str_i64(out.data, &pid));
	assert_int_equal(kill((pid_t)pid, SIGKILL), 0);
}

static void a_missing_program_is_named(void **state)
{
	AUTO_ERR struct err err = { 0 };
	AUTO_BUF struct buf out = { .limit = 100 };
	struct ctx ctx = { 0 };
	char *argv[] = { (char *)"x", NULL };
	struct child_run run = {
		.path = "/nowhere/x", .argv = argv, .out = &out, .err_out = &out
	};

	assert_int_equal(child_run(&run, &ctx, &err), -1);
	assert_string_equal(err_text(&err), "fork/exec /nowhere/x: no such file or directory");
}

static void time_over_kills_the_whole_group(void **state)
{
	AUTO_ERR struct err err = { 0 };
	AUTO_BUF struct buf out = { .limit = 100 };
	struct ctx ctx = { .deadline_ns = clock_mono_ns() + 200 * NS_PER_MS };
	struct pollfd fd = { .events = POLLIN };
	int64_t pid = 0;

	assert_fails(run_shell("sleep 1000 & echo $!; wait", NULL, &out, &out, &ctx, &err),
			&err, ERR_DEADLINE);
	out.data[strcspn(out.data, "\n")] = '\0';
	assert_true(str_i64(out.data, &pid));
	fd.fd = pidfd_of((pid_t)pid); /* it may have been reaped already */
	if (fd.fd >= 0)
		assert_int_equal(poll(&fd, 1, 10000), 1);
	close_fd(&fd.fd);
}

static void *fire(void *cancel)
{
	cancel_fire(cancel);
	return NULL;
}

static void cancellation_kills_it(void **state)
{
	AUTO_ERR struct err err = { 0 };
	AUTO_BUF struct buf out = { .limit = 100 };
	AUTO(cancel_unref) struct cancel *cancel = cancel_new();
	struct ctx ctx = { .cancel = cancel };
	unsigned long thread;

	assert_int_equal(thread_start(&thread, fire, cancel, "fire"), 0);
	assert_fails(run_shell("exec sleep 1000", NULL, &out, &out, &ctx, &err), &err,
			ERR_CANCELED);
	thread_join(thread);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(output_and_status_come_back),
		TEST(both_outputs_can_be_one),
		TEST(output_beyond_the_limit_is_dropped),
		TEST(a_grandchild_that_holds_the_pipe_is_not_waited_for),
		TEST(a_missing_program_is_named),
		TEST(time_over_kills_the_whole_group),
		TEST(cancellation_kills_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
