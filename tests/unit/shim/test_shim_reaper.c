/* SPDX-License-Identifier: Apache-2.0 */
/* The reaper, and programs run under it. */
#include "shim/shim_reaper.h"

#include <errno.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "os/process.h"
#include "os/spawn.h"
#include "shim/shim_runner.h"
#include "shim_test.h"

struct seen {
	struct exit_watch watch;
	int count, status;
};

static void on_end(struct exit_watch *w, int status, int64_t wall_ns)
{
	struct seen *s = container_of(w, struct seen, watch);

	s->count++;
	s->status = status;
}

static pid_t start(const char *line)
{
	static char sh[] = "/bin/sh", dash_c[] = "-c";
	char *argv[] = { sh, dash_c, (char *)(uintptr_t)line, NULL };
	struct spawn s = { .path = sh, .argv = argv, .fds = { -1, -1, -1 }, .fd_count = 3 };
	pid_t pid;

	assert_int_equal(spawn_child(&s, &pid, NULL), 0);
	return pid;
}

static void an_exit_is_told_to_its_watch(void **state)
{
	struct loop *l = loop_new();
	struct reaper *r = reaper_new(l);
	struct seen a = { .watch.ended = on_end }, b = { .watch.ended = on_end };

	reaper_watch(r, &a.watch, start("exit 3"));
	reaper_watch(r, &b.watch, start("kill -9 $$"));
	run_until(l, a.count == 1 && b.count == 1);
	assert_int_equal(a.status, 3);
	assert_int_equal(b.status, 128 + SIGKILL);
	reaper_free(r);
	loop_free(l);
}

/* As when a container's process ends before its pid file has been read. */
static void an_exit_that_came_first_is_kept_while_held(void **state)
{
	struct loop *l = loop_new();
	struct reaper *r = reaper_new(l);
	struct seen early = { .watch.ended = on_end }, mark = { .watch.ended = on_end };
	pid_t pid;

	reaper_hold(r);
	pid = start("exit 5");
	(void)waitid(P_PID, (id_t)pid, &(siginfo_t){ 0 }, WEXITED | WNOWAIT);
	reaper_watch(r, &mark.watch, start("exit 0"));
	run_until(l, mark.count == 1); /* the other one has been reaped by then */
	reaper_watch(r, &early.watch, pid);
	assert_int_equal(early.count, 1);
	assert_int_equal(early.status, 5);
	reaper_release(r);
	reaper_free(r);
	loop_free(l);
}

static void a_stranger_ends_with_an_unknown_status(void **state)
{
	struct loop *l = loop_new();
	struct reaper *r = reaper_new(l);
	struct seen gone = { .watch.ended = on_end }, other = { .watch.ended = on_end };

	reaper_watch(r, &gone.watch, 0x7ffffff0); /* nobody */
	assert_int_equal(gone.count, 1);
	assert_int_equal(gone.status, 255);
	reaper_watch(r, &other.watch, 1); /* not ours */
	loop_run_once(l, 0);
	assert_int_equal(other.count, 0);
	reaper_unwatch(&other.watch);
	reaper_free(r);
	loop_free(l);
}

struct ran {
	int count, status;
	char output[64];
	size_t size;
	bool cut;
};

static void on_ran(void *arg, const struct runner_result *result)
{
	struct ran *ran = arg;

	ran->count++;
	ran->status = result->status;
	ran->size = result->output_size;
	ran->cut = result->output_cut;
	(void)strncpy(ran->output, result->output, sizeof(ran->output) - 1);
}

static struct runner *run_line(
		struct loop *l, struct reaper *r, const char *line, struct ran *ran)
{
	static char sh[] = "/bin/sh", dash_c[] = "-c";
	char *argv[] = { sh, dash_c, (char *)(uintptr_t)line, NULL };
	struct spawn s = { .path = sh,
		.argv = argv,
		.fds = { -1, RUNNER_CAPTURE, RUNNER_CAPTURE },
		.fd_count = 3 };
	struct runner *runner;

	assert_int_equal(runner_start(l, r, &s, on_ran, ran, &runner), 0);
	return runner;
}

static void output_and_error_are_collected_together(void **state)
{
	struct loop *l = loop_new();
	struct reaper *r = reaper_new(l);
	struct ran ran = { 0 };

	(void)run_line(l, r, "echo one; echo two >&2; exit 4", &ran);
	run_until(l, ran.count == 1);
	assert_int_equal(ran.status, 4);
	assert_string_equal(ran.output, "one\ntwo\n");
	reaper_free(r);
	loop_free(l);
}

static void endless_output_is_cut_and_does_not_stop_the_program(void **state)
{
	struct loop *l = loop_new();
	struct reaper *r = reaper_new(l);
	struct ran ran = { 0 };

	(void)run_line(l, r, "head -c 8000000 /dev/zero", &ran);
	run_until(l, ran.count == 1);
	assert_int_equal(ran.status, 0);
	assert_true(ran.cut);
	assert_true(ran.size <= 1024 * 1024);
	reaper_free(r);
	loop_free(l);
}

static void what_a_program_leaves_behind_is_not_waited_for(void **state)
{
	struct loop *l = loop_new();
	struct reaper *r = reaper_new(l);
	struct ran ran = { 0 };
	uint32_t pid = 0;

	(void)run_line(l, r, "sleep 1000 & echo $!", &ran);
	run_until(l, ran.count == 1);
	for (const char *p = ran.output; *p >= '0' && *p <= '9'; p++)
		pid = pid * 10 + (uint32_t)(*p - '0');
	assert_true(pid > 1);
	assert_int_equal(kill((pid_t)pid, SIGKILL), 0);
	reaper_free(r);
	loop_free(l);
}

static void a_program_that_hangs_can_be_killed(void **state)
{
	struct loop *l = loop_new();
	struct reaper *r = reaper_new(l);
	struct ran ran = { 0 };

	runner_kill(run_line(l, r, "exec sleep 1000", &ran));
	run_until(l, ran.count == 1);
	assert_int_equal(ran.status, 128 + SIGKILL);
	reaper_free(r);
	loop_free(l);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(an_exit_is_told_to_its_watch),
		TEST(an_exit_that_came_first_is_kept_while_held),
		TEST(a_stranger_ends_with_an_unknown_status),
		TEST(output_and_error_are_collected_together),
		TEST(endless_output_is_cut_and_does_not_stop_the_program),
		TEST(what_a_program_leaves_behind_is_not_waited_for),
		TEST(a_program_that_hangs_can_be_killed),
	};

	block_sigchld();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
