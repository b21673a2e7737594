/* SPDX-License-Identifier: Apache-2.0 */
#include "os/child_run.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/buf.h"
#include "base/cancel.h"
#include "base/clock.h"
#include "base/ctx.h"
#include "base/err.h"
#include "base/io.h"
#include "base/thread.h"
#include "os/spawn.h"

#define READ_SIZE 16384

struct child {
	pid_t pid;
	int pidfd;
	int out, err_out; /* our ends of the pipes; -1 when at the end */
	int wake;	  /* readable once the ctx is cancelled */
};

struct wake_hook {
	struct cancel_hook hook;
	int fd;
};

static void wake_up(struct cancel_hook *hook)
{
	uint64_t one = 1;

	IGNORE(write(container_of(hook, struct wake_hook, hook)->fd, &one, sizeof(one)));
}

/* Input is a file, not a pipe: nobody has to feed it, whatever its size. */
static int make_input(const struct child_run *run, int *ret_fd)
{
	AUTO_CLOSE int fd = -1;
	int rc;

	if (run->input == NULL)
		return 0;
	fd = memfd_create("input", MFD_CLOEXEC);
	if (fd < 0)
		return -errno;
	rc = io_write_all(fd, run->input, run->input_size);
	if (rc == 0 && lseek(fd, 0, SEEK_SET) < 0)
		rc = -errno;
	if (rc == 0)
		*ret_fd = take_fd(&fd);
	return rc;
}

/* Our end does not block: a grandchild may keep the other one open for ever. */
static int make_pipe(int *ret_ours, int *ret_theirs)
{
	int ends[2];

	if (pipe2(ends, O_CLOEXEC) < 0)
		return -errno;
	(void)fcntl(ends[0], F_SETFL, O_NONBLOCK);
	*ret_ours = ends[0];
	*ret_theirs = ends[1];
	return 0;
}

static int start(const struct child_run *run, struct child *c)
{
	AUTO_CLOSE int in = -1, out = -1, err_out = -1;
	struct spawn s = { .path = run->path,
		.argv = run->argv,
		.envp = run->envp,
		.cwd = run->cwd,
		.fd_count = 3,
		.death_signal = run->dies_with_us ? SIGKILL : 0,
		.new_group = true };
	bool is_joined = run->out == run->err_out;
	int rc = make_input(run, &in);

	if (rc == 0)
		rc = make_pipe(&c->out, &out);
	if (rc == 0 && !is_joined)
		rc = make_pipe(&c->err_out, &err_out);
	if (rc < 0)
		return rc;
	s.fds[0] = in;
	s.fds[1] = out;
	s.fds[2] = is_joined ? out : err_out;
	return spawn_child(&s, &c->pid, &c->pidfd);
}

/* Reads what is there. The descriptor is closed at the end of the output. */
static void drain(int *fd, struct buf *to)
{
	char chunk[READ_SIZE];
	ssize_t n;

	while (*fd >= 0) {
		n = read(*fd, chunk, sizeof(chunk));
		if (n > 0) {
			buf_add(to, chunk, (size_t)n);
			continue;
		}
		if (n < 0 && errno == EINTR)
			continue;
		if (n == 0 || errno != EAGAIN)
			close_fd(fd);
		return;
	}
}

static int timeout_of(const struct ctx *ctx)
{
	int64_t left = ctx_left_ns(ctx);

	if (left == INT64_MAX)
		return -1;
	left = (left + NS_PER_MS - 1) / NS_PER_MS;
	return left > 1000000 ? 1000000 : (int)left;
}

/* 0 when the program has ended. */
static int collect(
		const struct child_run *run, struct child *c, struct ctx *ctx, struct err *err)
{
	struct pollfd fds[4] = { { .fd = c->pidfd, .events = POLLIN },
		{ .fd = c->wake, .events = POLLIN } };

	for (;;) {
		if (ctx_done(ctx, err))
			return -1;
		fds[2] = (struct pollfd){ .fd = c->out, .events = POLLIN };
		fds[3] = (struct pollfd){ .fd = c->err_out, .events = POLLIN };
		if (poll(fds, ARRAY_LEN(fds), timeout_of(ctx)) < 0)
			continue;
		drain(&c->out, run->out);
		drain(&c->err_out, run->err_out);
		if (fds[0].revents != 0) {
			drain(&c->out, run->out);
			drain(&c->err_out, run->err_out);
			return 0;
		}
	}
}

static int reap(struct child *c)
{
	siginfo_t info = { 0 };

	while (waitid(P_PIDFD, (id_t)c->pidfd, &info, WEXITED) < 0)
		if (errno != EINTR)
			return 255;
	return info.si_code == CLD_EXITED ? info.si_status : 128 + info.si_status;
}

/* Waits with an eye on the ctx's cancellation. */
static int wait_for(
		const struct child_run *run, struct child *c, struct ctx *ctx, struct err *err)
{
	struct wake_hook hook = { .hook = { .fired = wake_up }, .fd = c->wake };
	bool is_hooked = ctx->cancel != NULL && c->wake >= 0 &&
			 cancel_hook_add(ctx->cancel, &hook.hook);
	int rc = collect(run, c, ctx, err);

	/* A hook that is running just now still uses the descriptor: it writes before anyone
	 * can read, so wait for that. */
	if (is_hooked && !cancel_hook_remove(ctx->cancel, &hook.hook)) {
		uint64_t count;

		IGNORE(read(c->wake, &count, sizeof(count)));
	}
	return rc;
}

static void child_done(struct child *c)
{
	close_fd(&c->pidfd);
	close_fd(&c->out);
	close_fd(&c->err_out);
	close_fd(&c->wake);
}

int child_run(const struct child_run *run, struct ctx *ctx, struct err *err)
{
	__attribute__((cleanup(child_done))) struct child c = {
		.pidfd = -1, .out = -1, .err_out = -1, .wake = -1
	};
	int rc, status;

	ASSERT_MAY_BLOCK();
	if (ctx->cancel != NULL)
		c.wake = eventfd(0, EFD_CLOEXEC);
	rc = start(run, &c);
	if (rc < 0)
		return err_sys(err, -rc, "fork/exec %s", run->path);
	rc = wait_for(run, &c, ctx, err);
	if (rc < 0)
		(void)kill(-c.pid, SIGKILL);
	status = reap(&c);
	return rc < 0 ? err_wrap(err, "%s", run->path) : status;
}
