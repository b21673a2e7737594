/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/auto.h"
#include "base/buf.h"
#include "base/io.h"
#include "os/pipe.h"
#include "os/process.h"
#include "os/spawn.h"

/* Runs a shell line and returns what it wrote to its descriptor 1. */
static char *output_of(struct spawn *s, const char *line)
{
	char sh[] = "/bin/sh", dash_c[] = "-c";
	AUTO_FREE char *text = strdup(line);
	char *argv[] = { sh, dash_c, text, NULL };
	AUTO_CLOSE int read_end = -1;
	AUTO_CLOSE int write_end = -1;
	struct buf out = { .limit = 65536 };
	pid_t pid;
	int status;

	assert_int_equal(pipe_make(&read_end, &write_end), 0);
	s->path = sh;
	s->argv = argv;
	s->fds[0] = -1;
	s->fds[1] = write_end;
	s->fds[2] = -1;
	if (s->fd_count == 0)
		s->fd_count = 3;
	assert_int_equal(spawn_child(s, &pid, NULL), 0);
	close_fd(&write_end);
	assert_int_equal(io_read_all(read_end, &out), 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return buf_take_str(&out);
}

static void child_has_exactly_the_descriptors_named(void **state)
{
	AUTO_CLOSE int stray = open("/dev/zero", O_RDONLY); /* not close-on-exec on purpose */
	struct spawn s = { 0 };
	AUTO_FREE char *links = output_of(&s, "readlink /proc/$$/fd/*");

	assert_true(stray > 2);
	assert_null(strstr(links, "/dev/zero"));
	assert_memory_equal(links, "/dev/null\npipe:", 15);
}

static void sources_may_be_the_numbers_of_other_targets(void **state)
{
	AUTO_CLOSE int a = open("/proc/self/comm", O_RDONLY | O_CLOEXEC);
	AUTO_CLOSE int b = open("/dev/null", O_RDONLY | O_CLOEXEC);
	struct spawn s = { .fd_count = 6 };
	AUTO_FREE char *text = NULL;

	for (int i = 3; i < 6; i++)
		s.fds[i] = i % 2 == 0 ? a : b;
	text = output_of(&s, "readlink /proc/$$/fd/3 /proc/$$/fd/4 /proc/$$/fd/5");
	assert_non_null(strstr(text, "/dev/null\n/proc/"));
	assert_non_null(strstr(text, "comm\n/dev/null\n"));
}

static void signals_start_out_fresh(void **state)
{
	struct spawn s = { 0 };
	AUTO_FREE char *text = NULL;
	sigset_t usr1;

	sigemptyset(&usr1);
	sigaddset(&usr1, SIGUSR1);
	(void)sigprocmask(SIG_BLOCK, &usr1, NULL);
	(void)signal(SIGPIPE, SIG_IGN);
	text = output_of(&s, "grep -E 'Sig(Blk|Ign)' /proc/self/status");
	(void)sigprocmask(SIG_UNBLOCK, &usr1, NULL);
	(void)signal(SIGPIPE, SIG_DFL);
	assert_non_null(strstr(text, "SigBlk:\t0000000000000000\n"));
	assert_non_null(strstr(text, "SigIgn:\t0000000000000000\n"));
}

static void group_death_signal_environment_and_directory_are_as_asked(void **state)
{
	char var[] = "ONLY=this";
	char *env[] = { var, NULL };
	struct spawn s = {
		.envp = env, .cwd = "/usr", .new_group = true, .death_signal = SIGKILL
	};
	AUTO_FREE char *text = output_of(&s,
			"read -r p c s pp g r < /proc/$$/stat; [ $g = $$ ] && echo group; "
			"echo \"$ONLY $PWD\"; echo \"[$HOME]\"");

	assert_string_equal(text, "group\nthis /usr\n[]\n");
}

static void a_directory_that_is_gone_is_not_fatal(void **state)
{
	struct spawn s = { .cwd = "/nowhere" };
	AUTO_FREE char *text = output_of(&s, "echo ran");

	assert_string_equal(text, "ran\n");
}

static void missing_program_is_the_result(void **state)
{
	char name[] = "nope";
	char *argv[] = { name, NULL };
	struct spawn s = {
		.path = "/nowhere/nope", .argv = argv, .fds = { -1, -1, -1 }, .fd_count = 3
	};
	int pidfd = -1;
	pid_t pid;

	assert_int_equal(spawn_child(&s, &pid, &pidfd), -ENOENT);
	assert_int_equal(pidfd, -1);
	assert_int_equal(waitpid(-1, NULL, WNOHANG), -1); /* nothing left to wait for */
}

static void pidfd_tells_and_signals_the_child(void **state)
{
	char name[] = "/bin/sleep", arg[] = "1000";
	char *argv[] = { name, arg, NULL };
	struct spawn s = { .path = name, .argv = argv, .fds = { -1, -1, -1 }, .fd_count = 3 };
	AUTO_CLOSE int pidfd = -1;
	AUTO_CLOSE int self = -1;
	siginfo_t info;
	int status;
	pid_t pid;

	assert_int_equal(spawn_child(&s, &pid, &pidfd), 0);
	assert_int_equal(fcntl(pidfd, F_GETFD), FD_CLOEXEC);
	assert_true(pidfd_is_child(pidfd));
	self = pidfd_of(getpid());
	assert_true(self >= 0);
	assert_false(pidfd_is_child(self));
	assert_int_equal(pidfd_signal(pidfd, SIGTERM), 0);
	assert_int_equal(waitid(P_PIDFD, (id_t)pidfd, &info, WEXITED | WNOWAIT), 0);
	assert_int_equal(process_reap(&status), pid);
	assert_int_equal(status, 128 + SIGTERM);
	assert_int_equal(process_reap(&status), -ECHILD);
	assert_int_equal(pidfd_signal(pidfd, SIGTERM), -ESRCH);
}

static void programs_are_found_in_the_path(void **state)
{
	AUTO_FREE char *found = NULL;
	AUTO_FREE char *same = NULL;
	char *none = NULL;

	assert_int_equal(spawn_find("sh", "/nowhere:/bin:/usr/bin", &found), 0);
	assert_string_equal(found, "/bin/sh");
	assert_int_equal(spawn_find("/bin/sh", NULL, &same), 0);
	assert_string_equal(same, "/bin/sh");
	assert_int_equal(spawn_find("sh", "/nowhere", &none), -ENOENT);
	assert_int_equal(spawn_find("sh", NULL, &none), -ENOENT);
	assert_int_equal(spawn_find("passwd", "/etc", &none), -EACCES);
	assert_null(none);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(child_has_exactly_the_descriptors_named),
		cmocka_unit_test(sources_may_be_the_numbers_of_other_targets),
		cmocka_unit_test(signals_start_out_fresh),
		cmocka_unit_test(group_death_signal_environment_and_directory_are_as_asked),
		cmocka_unit_test(a_directory_that_is_gone_is_not_fatal),
		cmocka_unit_test(missing_program_is_the_result),
		cmocka_unit_test(pidfd_tells_and_signals_the_child),
		cmocka_unit_test(programs_are_found_in_the_path),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
