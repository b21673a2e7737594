/* SPDX-License-Identifier: Apache-2.0 */
#include "os/spawn.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/mem.h"

#define CHILD_STACK  (64 * 1024)
#define SIGSET_BYTES 8 /* the kernel's, not glibc's */

/* What runs in the child shares our memory, that of the sanitizers too, and must not be taken
 * for a fork by them: hence glibc's own name for clone(), and bare system calls. */
#define IN_CHILD SPAWN_IN_CHILD
int __clone(int (*fn)(void *), void *stack, int flags, void *arg, ...);

struct birth {
	const struct spawn *s;
	pid_t parent;
	int error; /* written by the child in our memory */
};

IN_CHILD static int dup_above(int fd, int first)
{
	return (int)syscall(SYS_fcntl, fd, F_DUPFD, first);
}

IN_CHILD static int open_null(int first)
{
	int low = (int)syscall(SYS_openat, AT_FDCWD, "/dev/null", O_RDWR, 0);
	int high = low;

	if (low >= 0 && low < first) {
		high = dup_above(low, first);
		(void)syscall(SYS_close, low);
	}
	return high;
}

IN_CHILD static int place_fds(const struct spawn *s)
{
	int high[SPAWN_MAX_FDS];
	int first = (int)s->fd_count;

	/* Out of the way first: a source may be the number of another target. */
	for (size_t i = 0; i < s->fd_count; i++) {
		high[i] = s->fds[i] >= 0 ? dup_above(s->fds[i], first) : open_null(first);
		if (high[i] < 0)
			return -1;
	}
	for (size_t i = 0; i < s->fd_count; i++)
		if (syscall(SYS_dup3, high[i], (int)i, 0) < 0)
			return -1;
	return (int)syscall(SYS_close_range, (unsigned)first, ~0U, 0);
}

IN_CHILD static void default_signals(void)
{
	static const unsigned long none[4]; /* the kernel's struct sigaction, and a mask */

	for (int sig = 1; sig < NSIG; sig++)
		if (sig != SIGKILL && sig != SIGSTOP)
			(void)syscall(SYS_rt_sigaction, sig, none, NULL, SIGSET_BYTES);
	(void)syscall(SYS_rt_sigprocmask, SIG_SETMASK, none, NULL, SIGSET_BYTES);
}

IN_CHILD static int be_born(struct birth *b)
{
	const struct spawn *s = b->s;

	if (s->death_signal != 0) {
		if (prctl(PR_SET_PDEATHSIG, s->death_signal) < 0)
			return -1;
		if (getppid() != b->parent)
			_exit(127); /* it died before it could be noticed */
	}
	if (s->new_group && setpgid(0, 0) < 0)
		return -1;
	if (s->cwd != NULL && chdir(s->cwd) < 0 && errno != ENOENT)
		return -1;
	if (place_fds(s) < 0)
		return -1;
	default_signals();
	return execve(s->path, s->argv, s->envp == NULL ? environ : s->envp);
}

IN_CHILD static int child_main(void *arg)
{
	struct birth *b = arg;

	(void)be_born(b);
	b->error = errno;
	_exit(127);
}

/* The child's pid when it is done with our memory, or -errno. */
static pid_t clone_and_wait(int (*fn)(void *arg), void *arg, int *ret_pidfd)
{
	sigset_t all, before;
	void *stack;
	pid_t pid;
	int saved;

	stack = mmap(NULL, CHILD_STACK, PROT_READ | PROT_WRITE,
			MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK, -1, 0);
	if (stack == MAP_FAILED)
		return -errno;
	/* A handler of ours must not run in the child, on memory that is ours. */
	sigfillset(&all);
	(void)sigprocmask(SIG_SETMASK, &all, &before);
	pid = __clone(fn, (char *)stack + CHILD_STACK,
			CLONE_VM | CLONE_VFORK | CLONE_PIDFD | SIGCHLD, arg, ret_pidfd);
	saved = errno;
	(void)sigprocmask(SIG_SETMASK, &before, NULL);
	(void)munmap(stack, CHILD_STACK);
	return pid < 0 ? -saved : pid;
}

int spawn_child(const struct spawn *s, pid_t *ret_pid, int *ret_pidfd)
{
	struct birth b = { .s = s, .parent = getpid() };
	AUTO_CLOSE int pidfd = -1;
	pid_t pid;

	assert(s->fd_count >= 3 && s->fd_count <= SPAWN_MAX_FDS);
	pid = clone_and_wait(child_main, &b, &pidfd);
	if (pid < 0)
		return pid;
	if (b.error != 0) {
		(void)waitpid(pid, NULL, 0);
		return -b.error;
	}
	*ret_pid = pid;
	if (ret_pidfd != NULL)
		*ret_pidfd = take_fd(&pidfd);
	return 0;
}

struct errand {
	int (*fn)(void *arg);
	void *arg;
};

/* _exit() and not a return: glibc's clone() would do the same, but not say so. */
IN_CHILD static int errand_main(void *arg)
{
	const struct errand *e = arg;

	(void)e->fn(e->arg);
	_exit(0);
}

int spawn_apart(int (*fn)(void *arg), void *arg)
{
	struct errand e = { fn, arg };
	AUTO_CLOSE int pidfd = -1;
	pid_t pid = clone_and_wait(errand_main, &e, &pidfd);

	return pid < 0 ? pid : 0;
}

static int check_executable(const char *path)
{
	struct stat st;

	if (stat(path, &st) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode) || (st.st_mode & 0111) == 0)
		return -EACCES;
	return 0;
}

int spawn_find(const char *name, const char *path, char **ret_path)
{
	int worst = -ENOENT;

	if (strchr(name, '/') != NULL) {
		int rc = check_executable(name);

		if (rc == 0)
			*ret_path = xstrdup(name);
		return rc;
	}
	while (path != NULL && *path != '\0') {
		size_t n = strcspn(path, ":");
		AUTO_FREE char *try = xasprintf(
				"%.*s/%s", n == 0 ? 1 : (int)n, n == 0 ? "." : path, name);
		int rc = check_executable(try);

		if (rc == 0) {
			*ret_path = take_ptr(try);
			return 0;
		}
		if (rc == -EACCES)
			worst = rc;
		path += n;
		if (*path == ':')
			path++;
	}
	return worst;
}
