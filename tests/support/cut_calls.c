/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cut_calls MODE N STATUS PROGRAM [ARGUMENT]...: runs the program (its threads, not its
 * children) and acts at the N-th of its system calls that change a file:
 *
 *   before, after   the program is killed instead of the call, or once it is done
 *   refuse          the call fails with EIO
 *   full            it, and all later calls that need room, fail with ENOSPC
 *
 * SIGUSR1 ends the refusals: there is room again. SIGTERM is passed on. When the program ends,
 * STATUS gets the number of such calls and the name of the one that was hit ("-": none). The
 * exit status is the program's.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

#if !defined(__x86_64__)

int main(void)
{
	(void)fprintf(stderr, "cut_calls: knows only x86-64\n");
	return 77;
}

#else

/* fd: the argument with a descriptor that may be no file (-1: there is none). */
static const struct call {
	long nr;
	const char *name;
	bool needs_room;
	bool is_open;
	int fd;
} calls[] = {
	{ SYS_write, "write", true, false, 0 },
	{ SYS_pwrite64, "pwrite64", true, false, -1 },
	{ SYS_writev, "writev", true, false, 0 },
	{ SYS_pwritev, "pwritev", true, false, -1 },
	{ SYS_copy_file_range, "copy_file_range", true, false, -1 },
	{ SYS_fallocate, "fallocate", true, false, -1 },
	{ SYS_ftruncate, "ftruncate", true, false, -1 },
	{ SYS_fsync, "fsync", true, false, -1 },
	{ SYS_fdatasync, "fdatasync", true, false, -1 },
	{ SYS_syncfs, "syncfs", true, false, -1 },
	{ SYS_sync_file_range, "sync_file_range", true, false, -1 },
	{ SYS_msync, "msync", true, false, -1 },
	{ SYS_open, "open", true, true, -1 },
	{ SYS_openat, "openat", true, true, -1 },
	{ SYS_rename, "rename", true, false, -1 },
	{ SYS_renameat, "renameat", true, false, -1 },
	{ SYS_renameat2, "renameat2", true, false, -1 },
	{ SYS_mkdir, "mkdir", true, false, -1 },
	{ SYS_mkdirat, "mkdirat", true, false, -1 },
	{ SYS_link, "link", true, false, -1 },
	{ SYS_linkat, "linkat", true, false, -1 },
	{ SYS_symlinkat, "symlinkat", true, false, -1 },
	{ SYS_mknodat, "mknodat", true, false, -1 },
	{ SYS_fsetxattr, "fsetxattr", true, false, -1 },
	{ SYS_setxattr, "setxattr", true, false, -1 },
	{ SYS_lsetxattr, "lsetxattr", true, false, -1 },
	{ SYS_unlink, "unlink", false, false, -1 },
	{ SYS_unlinkat, "unlinkat", false, false, -1 },
	{ SYS_rmdir, "rmdir", false, false, -1 },
	{ SYS_fchmod, "fchmod", false, false, -1 },
	{ SYS_fchmodat, "fchmodat", false, false, -1 },
	{ SYS_fchown, "fchown", false, false, -1 },
	{ SYS_fchownat, "fchownat", false, false, -1 },
	{ SYS_utimensat, "utimensat", false, false, -1 },
};

static const struct call *find_call(uint64_t nr)
{
	for (size_t i = 0; i < sizeof(calls) / sizeof(calls[0]); i++)
		if ((uint64_t)calls[i].nr == nr)
			return &calls[i];
	return NULL;
}

enum mode {
	MODE_BEFORE,
	MODE_AFTER,
	MODE_REFUSE,
	MODE_FULL,
};

struct run {
	enum mode mode;
	unsigned long at, passed;
	const char *hit;
	pid_t pid;
};

/* Threads whose call is refused: what it is to return. */
#define MAX_REFUSED 256
static struct refused {
	pid_t tid;
	int error; /* 0: to be killed behind the call */
} refused[MAX_REFUSED];

static volatile sig_atomic_t is_over;
static volatile sig_atomic_t program;

static void on_signal(int signo)
{
	if (signo == SIGUSR1)
		is_over = 1;
	else
		(void)kill(program, SIGTERM);
}

static void die(const char *what)
{
	perror(what);
	exit(1);
}

static struct refused *find_refused(pid_t tid)
{
	for (size_t i = 0; i < MAX_REFUSED; i++)
		if (refused[i].tid == tid)
			return &refused[i];
	return NULL;
}

/* Sockets and pipes are written to as well, and are no files. */
static bool is_file(pid_t tid, uint64_t fd)
{
	char link[64], target[256];
	ssize_t n;

	(void)snprintf(link, sizeof(link), "/proc/%d/fd/%llu", tid, (unsigned long long)fd);
	n = readlink(link, target, sizeof(target) - 1);
	if (n <= 0 || fd <= 2)
		return false;
	target[n] = '\0';
	return target[0] == '/' && strncmp(target, "/dev/", 5) != 0 &&
	       strncmp(target, "/proc/", 6) != 0 && strncmp(target, "/sys/", 5) != 0 &&
	       strncmp(target, "/memfd:", 7) != 0;
}

static bool counts(pid_t tid, const struct call *c, const uint64_t args[6])
{
	uint64_t flags = c->nr == SYS_open ? args[1] : args[2];

	if (c->is_open)
		return (flags & O_CREAT) != 0;
	return c->fd < 0 || is_file(tid, args[c->fd]);
}

/* Opening what is there needs no room, whatever the flags say. */
static bool is_there(pid_t tid, const struct call *c, const uint64_t args[6])
{
	uint64_t at = c->nr == SYS_open ? args[0] : args[1];
	int dir = c->nr == SYS_open ? AT_FDCWD : (int)args[0];
	char name[4096] = "", path[4200];
	struct iovec to = { name, sizeof(name) - 1 };
	struct iovec from = { (void *)(uintptr_t)at, 4096 - at % 4096 };

	if (process_vm_readv(tid, &to, 1, &from, 1, 0) <= 0)
		return false;
	if (name[0] == '/')
		(void)snprintf(path, sizeof(path), "/proc/%d/root%s", tid, name);
	else if (dir == AT_FDCWD)
		(void)snprintf(path, sizeof(path), "/proc/%d/cwd/%s", tid, name);
	else
		(void)snprintf(path, sizeof(path), "/proc/%d/fd/%d/%s", tid, dir, name);
	return access(path, F_OK) == 0;
}

static bool needs_room(pid_t tid, const struct call *c, const uint64_t args[6])
{
	return c->needs_room && !(c->is_open && is_there(tid, c, args));
}

static void refuse(pid_t tid, int error)
{
	struct refused *r = find_refused(0);

	if (r == NULL)
		die("too many threads");
	*r = (struct refused){ tid, error };
	/* There is no call of that number. */
	if (error != 0 && ptrace(PTRACE_POKEUSER, tid, offsetof(struct user, regs.orig_rax),
					  (void *)-1L) < 0)
		die("change a call");
}

static void on_entry(struct run *run, pid_t tid, const struct __ptrace_syscall_info *info)
{
	const struct call *c = find_call(info->entry.nr);
	const uint64_t *args = (const uint64_t *)info->entry.args;

	if (c == NULL || !counts(tid, c, args))
		return;
	run->passed++;
	if (run->at == 0 || run->passed < run->at || is_over)
		return;
	if (run->passed > run->at) {
		if (run->mode == MODE_FULL && needs_room(tid, c, args))
			refuse(tid, ENOSPC);
		return;
	}
	run->hit = c->name;
	if (run->mode == MODE_BEFORE)
		(void)kill(run->pid, SIGKILL);
	else if (run->mode == MODE_AFTER)
		refuse(tid, 0);
	else if (run->mode == MODE_REFUSE || needs_room(tid, c, args))
		refuse(tid, run->mode == MODE_REFUSE ? EIO : ENOSPC);
}

static void on_exit_of(const struct run *run, pid_t tid)
{
	struct refused *r = find_refused(tid);

	if (r == NULL)
		return;
	r->tid = 0;
	if (r->error == 0)
		(void)kill(run->pid, SIGKILL);
	else
		(void)ptrace(PTRACE_POKEUSER, tid, offsetof(struct user, regs.rax),
				(void *)(long)-r->error);
}

static void on_call(struct run *run, pid_t tid)
{
	struct __ptrace_syscall_info info;

	if (ptrace(PTRACE_GET_SYSCALL_INFO, tid, (void *)sizeof(info), &info) < 0)
		return; /* killed meanwhile */
	if (info.op == PTRACE_SYSCALL_INFO_ENTRY)
		on_entry(run, tid, &info);
	else if (info.op == PTRACE_SYSCALL_INFO_EXIT)
		on_exit_of(run, tid);
}

/* One stop of one thread; lets it go on. */
static void on_stop(struct run *run, pid_t tid, int status)
{
	int signo = WSTOPSIG(status), event = status >> 16;
	long pass = 0;

	if (signo == (SIGTRAP | 0x80)) {
		on_call(run, tid);
	} else if (event == PTRACE_EVENT_STOP && signo != SIGTRAP) {
		(void)ptrace(PTRACE_LISTEN, tid, NULL, NULL);
		return;
	} else if (event == 0) {
		pass = signo;
	}
	(void)ptrace(PTRACE_SYSCALL, tid, NULL, (void *)pass);
}

static int trace(struct run *run)
{
	int status;
	pid_t tid;

	for (;;) {
		tid = waitpid(-1, &status, __WALL);
		if (tid < 0 && errno == EINTR)
			continue;
		if (tid < 0)
			die("wait");
		if (WIFSTOPPED(status))
			on_stop(run, tid, status);
		else if (tid == run->pid)
			return WIFSIGNALED(status) ? 128 + WTERMSIG(status)
						   : WEXITSTATUS(status);
	}
}

/* Begins once it is traced. */
static pid_t start(char **argv)
{
	int go[2];
	pid_t pid;
	char c = 0;

	if (pipe2(go, O_CLOEXEC) < 0 || (pid = fork()) < 0)
		die("start");
	if (pid == 0) {
		if (read(go[0], &c, 1) == 1)
			execvp(argv[0], argv);
		_exit(127);
	}
	if (ptrace(PTRACE_SEIZE, pid, NULL,
			    (void *)(PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACECLONE |
					    PTRACE_O_TRACEEXEC | PTRACE_O_EXITKILL)) < 0 ||
			ptrace(PTRACE_INTERRUPT, pid, NULL, NULL) < 0)
		die("trace");
	if (write(go[1], &c, 1) != 1)
		die("start");
	return pid;
}

static bool parse_mode(const char *word, enum mode *ret)
{
	static const char *const words[] = { "before", "after", "refuse", "full" };

	for (int i = 0; i < 4; i++)
		if (strcmp(word, words[i]) == 0) {
			*ret = (enum mode)i;
			return true;
		}
	return false;
}

static void tell(const struct run *run, const char *path)
{
	FILE *f = fopen(path, "we");

	if (f == NULL || fprintf(f, "%lu %s\n", run->passed, run->hit) < 0 || fclose(f) != 0)
		die(path);
}

int main(int argc, char **argv)
{
	struct sigaction act = { .sa_handler = on_signal };
	struct run run = { .hit = "-" };
	int status;

	if (argc < 5 || !parse_mode(argv[1], &run.mode)) {
		(void)fprintf(stderr, "usage: cut_calls before|after|refuse|full N STATUS "
				      "PROGRAM [ARGUMENT]...\n");
		return 2;
	}
	run.at = strtoul(argv[2], NULL, 10);
	run.pid = program = start(argv + 4);
	(void)sigaction(SIGUSR1, &act, NULL);
	(void)sigaction(SIGTERM, &act, NULL);
	status = trace(&run);
	tell(&run, argv[3]);
	return status;
}

#endif
