/* SPDX-License-Identifier: Apache-2.0 */
#include "shim/shim_logger.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/str.h"
#include "loop/loop.h"
#include "os/pipe.h"
#include "os/process.h"
#include "os/spawn.h"
#include "shim/shim_reaper.h"

/* Then it is killed. */
#define END_MS 12000

struct logger {
	struct loop *loop;
	struct exit_watch exit;
	bool has_ended;
	bool strict;
	int pidfd;
	int out, err;
	int ready_fd;
	struct loop_watch *ready_watch;
	struct loop_timer *patience;
	void (*ready)(void *arg, const struct err *err);
	void *ready_arg;
	void (*ended)(void *arg);
	void *ended_arg;
};

static void stop_waiting_ready(struct logger *lg)
{
	loop_watch_free(lg->ready_watch);
	lg->ready_watch = NULL;
	close_fd(&lg->ready_fd);
}

static void close_pipes(struct logger *lg)
{
	stop_waiting_ready(lg);
	close_fd(&lg->out);
	close_fd(&lg->err);
}

static void logger_free(struct logger *lg)
{
	close_pipes(lg);
	reaper_unwatch(&lg->exit);
	loop_timer_free(lg->patience);
	close_fd(&lg->pidfd);
	free(lg);
}

static void finish(struct logger *lg)
{
	void (*ended)(void *arg) = lg->ended;
	void *arg = lg->ended_arg;

	logger_free(lg);
	ended(arg);
}

static void on_exit_of(struct exit_watch *w, int status, int64_t wall_ns)
{
	struct logger *lg = container_of(w, struct logger, exit);

	lg->has_ended = true;
	if (lg->ended != NULL)
		finish(lg);
}

static void on_ready(void *arg, int events)
{
	struct logger *lg = arg;
	AUTO_ERR struct err err = { 0 };
	char byte;
	ssize_t n = read(lg->ready_fd, &byte, 1);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	stop_waiting_ready(lg);
	if (n < 0)
		(void)err_sys(&err, errno, "failed to read from logging binary");
	else if (n == 0 && lg->strict)
		(void)err_plain(&err, ERR_UNKNOWN,
				"logging binary did not call ready (it may have crashed or "
				"exited prematurely)");
	lg->ready(lg->ready_arg, err.kind == ERR_NONE ? NULL : &err);
}

struct logger_ends {
	int out, err, ready;
};

static int make_pipes(struct logger *lg, struct logger_ends *theirs)
{
	int rc = pipe_make(&theirs->out, &lg->out);

	if (rc == 0)
		rc = pipe_make(&theirs->err, &lg->err);
	if (rc == 0)
		rc = pipe_make(&lg->ready_fd, &theirs->ready);
	return rc;
}

static int spawn_logger(struct logger *lg, const struct logger_call *call,
		const struct logger_ends *theirs, pid_t *ret_pid)
{
	AUTO_STRV char **argv = NULL;
	AUTO_STRV char **envp = NULL;
	struct spawn s = { .path = call->path,
		.fds = { -1, -1, -1, theirs->out, theirs->err, theirs->ready },
		.fd_count = 6 };

	strv_add(&argv, call->path);
	for (size_t i = 0; call->args != NULL && call->args[i] != NULL; i++)
		strv_add(&argv, call->args[i]);
	strv_addf(&envp, "CONTAINER_ID=%s", call->id);
	strv_addf(&envp, "CONTAINER_NAMESPACE=%s", call->ns);
	s.argv = argv;
	s.envp = envp;
	return spawn_child(&s, ret_pid, &lg->pidfd);
}

int logger_start(struct loop *l, struct reaper *r, const struct logger_call *call,
		void (*ready)(void *arg, const struct err *err), void *arg,
		struct logger **ret_logger, struct err *err)
{
	struct logger *lg = xzalloc(sizeof(*lg));
	struct logger_ends theirs = { -1, -1, -1 };
	pid_t pid;
	int rc;

	*lg = (struct logger){ .loop = l,
		.strict = call->strict,
		.pidfd = -1,
		.out = -1,
		.err = -1,
		.ready_fd = -1,
		.ready = ready,
		.ready_arg = arg };
	lg->exit.ended = on_exit_of;
	rc = make_pipes(lg, &theirs);
	if (rc == 0)
		rc = spawn_logger(lg, call, &theirs, &pid);
	close_fd(&theirs.out);
	close_fd(&theirs.err);
	close_fd(&theirs.ready);
	if (rc == 0)
		lg->ready_watch = loop_watch_new(l, lg->ready_fd, LOOP_READ, on_ready, lg);
	if (rc < 0) {
		logger_free(lg);
		return err_sys(err, -rc, "fork/exec %s", call->path);
	}
	reaper_watch(r, &lg->exit, pid);
	*ret_logger = lg;
	return 0;
}

int logger_stdout(const struct logger *lg)
{
	return lg->out;
}

int logger_stderr(const struct logger *lg)
{
	return lg->err;
}

void logger_release(struct logger *lg)
{
	close_fd(&lg->out);
	close_fd(&lg->err);
}

static void on_impatient(void *arg)
{
	struct logger *lg = arg;

	IGNORE(pidfd_signal(lg->pidfd, SIGKILL)); /* it has just ended */
}

void logger_end(struct logger *lg, bool terminate, void (*ended)(void *arg), void *arg)
{
	close_pipes(lg);
	lg->ended = ended;
	lg->ended_arg = arg;
	if (lg->has_ended || !terminate) {
		finish(lg);
		return;
	}
	IGNORE(pidfd_signal(lg->pidfd, SIGTERM)); /* it has just ended */
	lg->patience = loop_timer_new(lg->loop, on_impatient, lg);
	loop_timer_set(lg->patience, END_MS);
}
