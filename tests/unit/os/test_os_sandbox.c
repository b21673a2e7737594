/* SPDX-License-Identifier: Apache-2.0 */
/* A sandbox is for good, so each test runs this program again inside one. */
#include "unit/unit.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/attr.h"
#include "base/auto.h"
#include "base/buf.h"
#include "base/io.h"
#include "base/mem.h"
#include "base/str.h"
#include "os/confine.h"
#include "os/pipe.h"
#include "os/spawn.h"

#define NOBODY 65534

static int inside(const char *what)
{
	static const int calls[] = { SYS_read, SYS_write, SYS_exit_group, SYS_mmap, SYS_munmap,
		SYS_brk, SYS_madvise, SYS_futex, SYS_exit };
	struct sandbox s = { NOBODY, NOBODY, UINT64_C(64) << 20, 1, calls, ARRAY_LEN(calls) };
	char byte;

	if (sandbox_enter(&s) < 0)
		return 77;
	if (str_eq(what, "open"))
		return open("/etc/passwd", O_RDONLY) < 0;
	if (str_eq(what, "signal"))
		return kill(getppid(), 0);
	if (str_eq(what, "execute"))
		return mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1,
				       0) == MAP_FAILED;
	if (str_eq(what, "memory"))
		return mmap(NULL, 100 << 20, PROT_READ | PROT_WRITE,
				       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED
				       ? 3
				       : 0;
	while (str_eq(what, "spin"))
		;
	/* "wait": shows that it is inside, then waits to be looked at. */
	return write(1, "x", 1) == 1 && read(0, &byte, 1) == 0 ? 0 : 1;
}

static pid_t start(const char *what, int in, int out)
{
	char self[] = "/proc/self/exe";
	AUTO_FREE char *arg = xstrdup(what);
	char *argv[] = { self, arg, NULL };
	struct spawn s = { .path = self, .argv = argv, .fds = { in, out, 2 }, .fd_count = 3 };
	pid_t pid;

	assert_int_equal(spawn_child(&s, &pid, NULL), 0);
	return pid;
}

static int run(const char *what)
{
	int status;
	pid_t pid = start(what, -1, -1);

	assert_int_equal(waitpid(pid, &status, 0), pid);
	return WIFSIGNALED(status) ? 1000 + WTERMSIG(status) : WEXITSTATUS(status);
}

static void calls_that_are_not_listed_kill(void **state)
{
	assert_int_equal(run("open"), 1000 + SIGSYS);
	assert_int_equal(run("signal"), 1000 + SIGSYS);
}

static void memory_is_never_made_executable(void **state)
{
	assert_int_equal(run("execute"), 1000 + SIGSYS);
}

static void memory_is_limited(void **state)
{
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
	skip();
#endif
	assert_int_equal(run("memory"), 3);
}

static void time_is_limited(void **state)
{
	int status = run("spin");

	assert_true(status == 1000 + SIGXCPU || status == 1000 + SIGKILL);
}

static void expect_line(const char *text, const char *name, const char *value)
{
	AUTO_FREE char *line = xasprintf("\n%s:\t%s\n", name, value);

	if (strstr(text, line) == NULL)
		fail_msg("no \"%s: %s\" in %s", name, value, text);
}

static void nothing_is_left_of_root(void **state)
{
	AUTO_CLOSE int in = -1, in_far = -1, out = -1, out_far = -1;
	AUTO_FREE char *path = NULL;
	struct buf text AUTO_BUF = { .limit = 65536 };
	char byte;
	pid_t pid;
	int status, fd;

	assert_int_equal(pipe_make(&in_far, &in), 0);
	assert_int_equal(pipe_make(&out, &out_far), 0);
	pid = start("wait", in_far, out_far);
	assert_int_equal(read(out, &byte, 1), 1);
	path = xasprintf("/proc/%d/status", pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	assert_int_equal(io_read_all(fd, &text), 0);
	close(fd);
	expect_line(text.data, "CapEff", "0000000000000000");
	expect_line(text.data, "CapPrm", "0000000000000000");
	expect_line(text.data, "CapAmb", "0000000000000000");
	expect_line(text.data, "NoNewPrivs", "1");
	expect_line(text.data, "Seccomp", "2");
	if (geteuid() == 0) {
		expect_line(text.data, "CapBnd", "0000000000000000");
		expect_line(text.data, "Uid", "65534\t65534\t65534\t65534");
		expect_line(text.data, "Gid", "65534\t65534\t65534\t65534");
		expect_line(text.data, "Groups", " ");
	}
	close_fd(&in);
	assert_int_equal(waitpid(pid, &status, 0), pid);
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
	assert_int_equal(status, 0); /* sanitizers make calls of their own at the end */
#endif
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		TEST(calls_that_are_not_listed_kill),
		TEST(memory_is_never_made_executable),
		TEST(memory_is_limited),
		TEST(time_is_limited),
		TEST(nothing_is_left_of_root),
	};

	if (argc == 2)
		_exit(inside(argv[1]));
	return cmocka_run_group_tests(tests, NULL, NULL);
}
