/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Standard streams over named pipes, one thread each. A thread waits in poll() for its stream
 * and for the cancel descriptor; only the first opening of stdin waits in open(), because the
 * other side may come late, and is released by opening that side ourselves.
 */
#include "client/client_priv.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/io.h"
#include "base/mem.h"
#include "base/str.h"
#include "base/thread.h"
#include "os/fs.h"
#include "os/pipe.h"

#define COPY_BYTES (64 * 1024)
#define PIPE_BYTES (256 * 1024)
#define DIR_TRIES  100

enum which { IN, OUT, ERR, STREAMS };

struct copier {
	struct ctrd_io *io;
	enum which which;
	int from, to; /* stdin: "to" is opened by the thread */
	unsigned long thread;
	bool is_running;
};

struct ctrd_io {
	char *paths[STREAMS]; /* "" where there is none */
	char *dir;	      /* ours, to be removed; or NULL */
	bool terminal, is_uri;
	void (*stdin_ended)(void *arg);
	void *arg;
	int cancel_fd;
	int hold_fd; /* the other side of stdin, held to let a waiting open() return */
	struct copier copiers[STREAMS];
	struct mutex lock;
	struct cond ended;
	size_t outputs; /* under lock: output threads that have not come to their end */
	bool cancelled; /* under lock */
};

/* --- making ------------------------------------------------------------------------------- */

static struct ctrd_io *io_new(const char *in, const char *out, const char *err, bool terminal)
{
	struct ctrd_io *io = xzalloc(sizeof(*io));

	io->paths[IN] = xstrdup(str_or(in, ""));
	io->paths[OUT] = xstrdup(str_or(out, ""));
	io->paths[ERR] = xstrdup(str_or(err, ""));
	io->terminal = terminal;
	io->cancel_fd = -1;
	io->hold_fd = -1;
	for (size_t i = 0; i < STREAMS; i++)
		io->copiers[i] = (struct copier){
			.io = io, .which = (enum which)i, .from = -1, .to = -1
		};
	mutex_init(&io->lock, RANK_client_io);
	cond_init(&io->ended);
	return io;
}

static int make_dir(const char *parent, char **ret_dir, struct err *err)
{
	int rc = fs_make_dirs(AT_FDCWD, parent, 0700);

	for (int i = 0; i < DIR_TRIES && (rc == 0 || rc == -EEXIST); i++) {
		uint32_t number = (uint32_t)i;
		AUTO_FREE char *dir = NULL;

		if (getrandom(&number, sizeof(number), 0) < 0)
			number = (uint32_t)i;
		dir = xasprintf("%s/%" PRIu32, parent, number);
		rc = mkdir(dir, 0700) < 0 ? -errno : 0;
		if (rc == 0) {
			*ret_dir = take_ptr(dir);
			return 0;
		}
	}
	return err_sys(err, -rc, "mkdir %s", parent);
}

static char *stream_path(const char *dir, const char *id, const char *stream)
{
	return xasprintf("%s/%s-%s", dir, id, stream);
}

int ctrd_io_fifos(const char *dir, const char *id, int terminal, struct ctrd_io **ret_io,
		struct ctrd_error **ret_error)
{
	AUTO_ERR struct err err = { 0 };
	AUTO_FREE char *made = NULL, *in = NULL, *out = NULL, *err_path = NULL;

	if (strchr(id, '/') != NULL || id[0] == '\0') {
		err_set(&err, ERR_INVALID, "\"%s\" cannot name a pipe", id);
		return api_result(-1, &err, ret_error);
	}
	if (make_dir(str_or(dir, CTRD_DEFAULT_FIFO_DIR), &made, &err) < 0)
		return api_result(-1, &err, ret_error);
	in = stream_path(made, id, "stdin");
	out = stream_path(made, id, "stdout");
	err_path = terminal ? NULL : stream_path(made, id, "stderr");
	*ret_io = io_new(in, out, err_path, terminal != 0);
	(*ret_io)->dir = take_ptr(made);
	return 0;
}

struct ctrd_io *ctrd_io_paths(const char *in, const char *out, const char *err, int terminal)
{
	return io_new(in, out, err, terminal != 0);
}

struct ctrd_io *ctrd_io_null(void)
{
	return io_new(NULL, NULL, NULL, false);
}

int ctrd_io_uri(const char *uri, struct ctrd_io **ret_io, struct ctrd_error **ret_error)
{
	static const char *const schemes[] = { "binary://", "file://", "fifo://" };
	AUTO_ERR struct err err = { 0 };

	for (size_t i = 0; i < ARRAY_LEN(schemes); i++) {
		if (!str_starts(uri, schemes[i]))
			continue;
		*ret_io = io_new(NULL, uri, uri, false);
		(*ret_io)->is_uri = true;
		return 0;
	}
	err_set(&err, ERR_INVALID, "log uri \"%s\"", uri);
	return api_result(-1, &err, ret_error);
}

const char *ctrd_io_stdin(const struct ctrd_io *io)
{
	return io->paths[IN];
}

const char *ctrd_io_stdout(const struct ctrd_io *io)
{
	return io->paths[OUT];
}

const char *ctrd_io_stderr(const struct ctrd_io *io)
{
	return io->paths[ERR];
}

int ctrd_io_terminal(const struct ctrd_io *io)
{
	return io->terminal;
}

/* --- copying ------------------------------------------------------------------------------ */

/* True when fd is ready, false when the copying is called off. */
static bool wait_for(struct ctrd_io *io, int fd, short events)
{
	struct pollfd fds[] = { { fd, events, 0 }, { io->cancel_fd, POLLIN, 0 } };

	while (poll(fds, 2, -1) < 0)
		if (errno != EINTR)
			return false;
	/* What is there already is still taken along. */
	return fds[0].revents != 0;
}

/* Whatever kind of descriptor "to" is. False if it takes nothing any more. */
static bool write_out(struct ctrd_io *io, int to, const char *data, size_t size)
{
	while (size > 0) {
		ssize_t n = write(to, data, size);

		if (n < 0 && errno == EAGAIN) {
			if (!wait_for(io, to, POLLOUT))
				return false;
			continue;
		}
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return false;
		data += n;
		size -= (size_t)n;
	}
	return true;
}

/* Bytes, 0 at the end, -1 when called off. */
static ssize_t read_in(struct ctrd_io *io, int from, char *data)
{
	for (;;) {
		ssize_t n;

		if (!wait_for(io, from, POLLIN))
			return -1;
		n = read(from, data, COPY_BYTES);
		if (n >= 0)
			return n;
		if (errno == EIO)
			return 0; /* a terminal whose other side has gone */
		if (errno != EAGAIN && errno != EINTR)
			return -1;
	}
}

static bool is_cancelled(struct ctrd_io *io)
{
	LOCKED(&io->lock);
	return io->cancelled;
}

static void *copy_output(void *arg)
{
	struct copier *c = arg;
	AUTO_FREE char *data = xmalloc(COPY_BYTES);
	bool takes = true;
	ssize_t n;

	/* Without a taker the process must not block on a full pipe: go on reading. */
	while ((n = read_in(c->io, c->from, data)) > 0)
		takes = takes && write_out(c->io, c->to, data, (size_t)n);
	close_fd(&c->from);
	mutex_lock(&c->io->lock);
	c->io->outputs--;
	cond_broadcast(&c->io->ended);
	mutex_unlock(&c->io->lock);
	return NULL;
}

static void *copy_input(void *arg)
{
	struct copier *c = arg;
	AUTO_FREE char *data = xmalloc(COPY_BYTES);
	ssize_t n = -1;

	c->to = open(c->io->paths[IN], O_WRONLY | O_CLOEXEC);
	if (c->to >= 0 && !is_cancelled(c->io) && fd_set_nonblocking(c->to, true) == 0)
		while ((n = read_in(c->io, c->from, data)) > 0)
			if (!write_out(c->io, c->to, data, (size_t)n))
				break;
	close_fd(&c->to);
	if (n == 0 && c->io->stdin_ended != NULL)
		c->io->stdin_ended(c->io->arg);
	return NULL;
}

static int make_pipes(struct ctrd_io *io, struct err *err)
{
	for (size_t i = 0; io->dir != NULL && i < STREAMS; i++) {
		int rc;

		if (io->paths[i][0] == '\0')
			continue;
		rc = fifo_make(io->paths[i], 0700);
		if (rc < 0)
			return err_sys(err, -rc, "creating fifo %s", io->paths[i]);
	}
	return 0;
}

static int start_output(struct ctrd_io *io, enum which which, int to, struct err *err)
{
	struct copier *c = &io->copiers[which];
	int rc;

	if (to < 0 || io->paths[which][0] == '\0')
		return 0;
	rc = fifo_open(io->paths[which], FIFO_READ);
	if (rc < 0)
		return err_sys(err, -rc, "open %s", io->paths[which]);
	c->from = rc;
	c->to = to;
	pipe_enlarge(c->from, PIPE_BYTES);
	mutex_lock(&io->lock);
	io->outputs++;
	mutex_unlock(&io->lock);
	rc = thread_start(&c->thread, copy_output, c, "ctrd-output");
	if (rc < 0) {
		mutex_lock(&io->lock);
		io->outputs--;
		mutex_unlock(&io->lock);
		return err_sys(err, -rc, "start thread");
	}
	c->is_running = true;
	return 0;
}

static int start_input(struct ctrd_io *io, int from, struct err *err)
{
	struct copier *c = &io->copiers[IN];
	int rc;

	if (from < 0 || io->paths[IN][0] == '\0')
		return 0;
	c->from = from;
	rc = thread_start(&c->thread, copy_input, c, "ctrd-input");
	if (rc < 0)
		return err_sys(err, -rc, "start thread");
	c->is_running = true;
	return 0;
}

int ctrd_io_start(struct ctrd_io *io, int in_fd, int out_fd, int err_fd,
		void (*stdin_ended)(void *arg), void *arg, struct ctrd_error **ret_error)
{
	AUTO_ERR struct err err = { 0 };

	if (io->is_uri || io->cancel_fd >= 0)
		return 0;
	io->cancel_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (io->cancel_fd < 0) {
		err_sys(&err, errno, "eventfd");
		return api_result(-1, &err, ret_error);
	}
	io->stdin_ended = stdin_ended;
	io->arg = arg;
	if (make_pipes(io, &err) < 0 || start_output(io, OUT, out_fd, &err) < 0 ||
			start_output(io, ERR, err_fd, &err) < 0 ||
			start_input(io, in_fd, &err) < 0)
		return api_result(-1, &err, ret_error);
	return 0;
}

/* --- ending ------------------------------------------------------------------------------- */

/* A pipe that nobody has ever written to looks like one that somebody may write to yet. Being a
 * writer for a moment makes it one whose last writer has gone, unless there is another. */
static void nudge(struct ctrd_io *io, enum which which)
{
	int fd;

	if (!io->copiers[which].is_running)
		return;
	fd = fifo_open(io->paths[which], FIFO_WRITE);
	if (fd >= 0)
		close_fd(&fd);
}

void ctrd_io_wait(struct ctrd_io *io)
{
	nudge(io, OUT);
	nudge(io, ERR);
	LOCKED(&io->lock);
	while (io->outputs > 0)
		cond_wait(&io->ended, &io->lock);
}

void ctrd_io_cancel(struct ctrd_io *io)
{
	uint64_t one = 1;

	mutex_lock(&io->lock);
	io->cancelled = true;
	mutex_unlock(&io->lock);
	if (io->cancel_fd >= 0)
		(void)!write(io->cancel_fd, &one, sizeof(one));
	/* Held until the thread has ended: it may be on its way to open(). */
	if (io->copiers[IN].is_running && io->hold_fd < 0)
		io->hold_fd = fifo_open(io->paths[IN], FIFO_BOTH);
}

static void remove_pipes(struct ctrd_io *io)
{
	for (size_t i = 0; i < STREAMS; i++)
		if (io->paths[i][0] != '\0')
			unlink(io->paths[i]);
	rmdir(io->dir);
}

void ctrd_io_free(struct ctrd_io *io, int keep)
{
	if (io == NULL)
		return;
	ctrd_io_cancel(io);
	for (size_t i = 0; i < STREAMS; i++)
		if (io->copiers[i].is_running)
			thread_join(io->copiers[i].thread);
	if (io->dir != NULL && !keep)
		remove_pipes(io);
	if (io->copiers[OUT].from >= 0)
		close_fd(&io->copiers[OUT].from);
	if (io->copiers[ERR].from >= 0)
		close_fd(&io->copiers[ERR].from);
	if (io->hold_fd >= 0)
		close_fd(&io->hold_fd);
	close_fd(&io->cancel_fd);
	mutex_done(&io->lock);
	cond_done(&io->ended);
	for (size_t i = 0; i < STREAMS; i++)
		free(io->paths[i]);
	free(io->dir);
	free(io);
}
