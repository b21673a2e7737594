/* SPDX-License-Identifier: Apache-2.0 */
#include "shim/shim_runner.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/buf.h"
#include "base/mem.h"
#include "loop/loop.h"
#include "os/pipe.h"
#include "os/process.h"
#include "os/spawn.h"
#include "shim/shim_reaper.h"

#define MAX_OUTPUT (1024 * 1024)

struct runner {
	struct exit_watch exit;
	int pidfd;
	int output_fd;
	struct loop_watch *watch;
	struct buf output;
	bool cut;
	void (*done)(void *arg, const struct runner_result *result);
	void *arg;
};

enum collected {
	COLLECTED_SOME,
	COLLECTED_ALL_NOW, /* more may come */
	COLLECTED_ALL,
};

static enum collected collect_some(struct runner *r)
{
	char chunk[4096];
	ssize_t n = read(r->output_fd, chunk, sizeof(chunk));

	if (n == 0)
		return COLLECTED_ALL;
	if (n < 0)
		return errno == EINTR || errno == EAGAIN ? COLLECTED_ALL_NOW : COLLECTED_ALL;
	if ((size_t)n <= r->output.limit - r->output.size)
		buf_add(&r->output, chunk, (size_t)n);
	else
		r->cut = true; /* read on: a full pipe would stop the program */
	return COLLECTED_SOME;
}

static void stop_collecting(struct runner *r)
{
	loop_watch_free(r->watch);
	r->watch = NULL;
	close_fd(&r->output_fd);
}

static void on_output(void *arg, int events)
{
	struct runner *r = arg;

	if (collect_some(r) == COLLECTED_ALL)
		stop_collecting(r);
}

static void runner_free(struct runner *r)
{
	stop_collecting(r);
	close_fd(&r->pidfd);
	buf_done(&r->output);
	free(r);
}

static void on_end(struct exit_watch *w, int status, int64_t wall_ns)
{
	struct runner *r = container_of(w, struct runner, exit);
	struct runner_result result = { .status = status };

	/* Not for ever: what others still write now is not its output. */
	for (int i = 0; r->output_fd >= 0 && i < MAX_OUTPUT / 4096; i++)
		if (collect_some(r) != COLLECTED_SOME)
			break;
	result.output = r->output.size > 0 ? r->output.data : "";
	result.output_size = r->output.size;
	result.output_cut = r->cut;
	r->done(r->arg, &result);
	runner_free(r);
}

static int open_output(struct runner *r, struct spawn *s, int *ret_write)
{
	bool wanted = false;
	int rc;

	for (size_t i = 0; i < s->fd_count; i++)
		wanted |= s->fds[i] == RUNNER_CAPTURE;
	if (!wanted)
		return 0;
	rc = pipe_make(&r->output_fd, ret_write);
	if (rc < 0)
		return rc;
	for (size_t i = 0; i < s->fd_count; i++)
		if (s->fds[i] == RUNNER_CAPTURE)
			s->fds[i] = *ret_write;
	return fd_set_nonblocking(r->output_fd, true);
}

int runner_start(struct loop *l, struct reaper *reaper, struct spawn *s,
		void (*done)(void *arg, const struct runner_result *result), void *arg,
		struct runner **ret_runner)
{
	struct runner *r = xzalloc(sizeof(*r));
	AUTO_CLOSE int write_end = -1;
	pid_t pid;
	int rc;

	r->pidfd = r->output_fd = -1;
	r->output.limit = MAX_OUTPUT;
	r->done = done;
	r->arg = arg;
	rc = open_output(r, s, &write_end);
	if (rc == 0)
		rc = spawn_child(s, &pid, &r->pidfd);
	if (rc < 0) {
		runner_free(r);
		return rc;
	}
	if (r->output_fd >= 0)
		r->watch = loop_watch_new(l, r->output_fd, LOOP_READ, on_output, r);
	r->exit.ended = on_end;
	*ret_runner = r; /* the program may have ended, but that is told on a later turn */
	reaper_watch(reaper, &r->exit, pid);
	return 0;
}

void runner_kill(struct runner *r)
{
	IGNORE(pidfd_signal(r->pidfd, SIGKILL)); /* it has just ended */
}
