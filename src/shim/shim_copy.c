/* SPDX-License-Identifier: Apache-2.0 */
#include "shim/shim_copy.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/io.h"
#include "base/mem.h"
#include "loop/loop.h"
#include "os/pipe.h"

/* Then the loop looks after others. */
#define MOVES_PER_TURN 16

enum copy_wait {
	COPY_FOR_SOURCE,
	COPY_FOR_TARGET,
	COPY_ENDED,
};

struct copy {
	struct loop *loop;
	int from, to;
	bool to_file; /* append to it: the kernel does not splice to such */
	struct loop_watch *from_watch, *to_watch;
	void (*done)(void *arg);
	void *arg;
};

static void close_all(struct copy *c)
{
	loop_watch_free(c->from_watch);
	loop_watch_free(c->to_watch);
	c->from_watch = c->to_watch = NULL;
	close_fd(&c->from);
	close_fd(&c->to);
}

/* A splice that moved nothing does not say whose fault it was. */
static enum copy_wait blocked_on(const struct copy *c)
{
	int waiting = 0;

	if (ioctl(c->from, FIONREAD, &waiting) < 0)
		return COPY_ENDED;
	return waiting > 0 ? COPY_FOR_TARGET : COPY_FOR_SOURCE;
}

static ssize_t move_to_file(struct copy *c)
{
	char chunk[16384];
	ssize_t n = read(c->from, chunk, sizeof(chunk));

	/* A full disk, or a terminal that is stopped, must not stop the container. */
	if (n > 0 && io_write_all(c->to, chunk, (size_t)n) < 0)
		errno = 0;
	return n;
}

static ssize_t move_some(struct copy *c)
{
	if (c->to_file)
		return move_to_file(c);
	return splice(c->from, NULL, c->to, NULL, COPY_PIPE_SIZE,
			SPLICE_F_MOVE | SPLICE_F_NONBLOCK);
}

static enum copy_wait move(struct copy *c)
{
	for (int i = 0; i < MOVES_PER_TURN; i++) {
		ssize_t n = move_some(c);

		if (n == 0)
			return COPY_ENDED;
		if (n < 0 && errno == EAGAIN)
			return blocked_on(c);
		if (n < 0 && errno != EINTR)
			return COPY_ENDED;
	}
	return COPY_FOR_SOURCE;
}

static void on_ready(void *arg, int events);

/* Files are always ready: the other side sets the pace. */
static int watch_for(struct copy *c, enum copy_wait wait)
{
	bool on_target = wait == COPY_FOR_TARGET || c->from_watch == NULL;

	if (on_target && c->to_watch == NULL) {
		c->to_watch = loop_watch_new(c->loop, c->to, 0, on_ready, c);
		if (c->to_watch == NULL)
			return -1;
	}
	if (c->from_watch != NULL)
		loop_watch_set(c->from_watch, on_target ? 0 : LOOP_READ);
	if (c->to_watch != NULL)
		loop_watch_set(c->to_watch, on_target ? LOOP_WRITE : 0);
	return 0;
}

static void on_ready(void *arg, int events)
{
	struct copy *c = arg;
	enum copy_wait wait = move(c);

	if (wait != COPY_ENDED && watch_for(c, wait) == 0)
		return;
	close_all(c);
	c->done(c->arg);
}

static bool is_pipe(int fd)
{
	struct stat st;

	return fstat(fd, &st) == 0 && S_ISFIFO(st.st_mode);
}

struct copy *copy_start(
		struct loop *l, int own_from, int own_to, void (*done)(void *arg), void *arg)
{
	struct copy *c = xzalloc(sizeof(*c));

	*c = (struct copy){
		.loop = l, .from = own_from, .to = own_to, .done = done, .arg = arg
	};
	c->to_file = !is_pipe(c->to);
	pipe_enlarge(c->from, COPY_PIPE_SIZE);
	pipe_enlarge(c->to, COPY_PIPE_SIZE);
	c->from_watch = loop_watch_new(l, c->from, LOOP_READ, on_ready, c);
	if (c->from_watch == NULL && (c->to_file || watch_for(c, COPY_FOR_SOURCE) < 0)) {
		copy_free(c);
		return NULL;
	}
	return c;
}

void copy_free(struct copy *c)
{
	if (c == NULL)
		return;
	close_all(c);
	free(c);
}
