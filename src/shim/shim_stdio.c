/* SPDX-License-Identifier: Apache-2.0 */
#include "shim/shim_stdio.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/err.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "os/pipe.h"
#include "shim/shim_console.h"
#include "shim/shim_copy.h"
#include "shim/shim_logger.h"

enum { IN, OUT, ERR, STREAMS };

struct stdio {
	const struct stdio_env *env;
	bool terminal;
	int child[STREAMS]; /* the runtime's ends */
	int ours[STREAMS];  /* the other ends of those pipes */
	int peer[STREAMS];  /* what the streams are copied from or to */
	int input_writer;   /* keeps the client's input from ending when it leaves */
	struct copy *copies[STREAMS];
	struct console *console;
	struct logger *logger;
	unsigned undrained; /* outputs still being copied */
	void (*drained)(void *arg);
	void *drained_arg;
	void (*opened)(void *arg, const struct err *err);
	void *opened_arg;
	void (*closed)(void *arg);
	void *closed_arg;
};

struct stdio *stdio_new(const struct stdio_env *env)
{
	struct stdio *io = xzalloc(sizeof(*io));

	io->env = env;
	io->input_writer = -1;
	for (int i = 0; i < STREAMS; i++)
		io->child[i] = io->ours[i] = io->peer[i] = -1;
	return io;
}

/* A file's name may be anything, but only pipes and files can be copied to or from. */
static int open_other(const char *path, int flags)
{
	AUTO_CLOSE int fd = open(path, flags | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	struct stat st;

	if (fd < 0)
		return -errno;
	if (fstat(fd, &st) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode) && !S_ISCHR(st.st_mode))
		return -EINVAL;
	return take_fd(&fd);
}

static int open_output_file(int *ret_fd, const char *path, struct err *err)
{
	int fd = open_other(path, O_WRONLY | O_APPEND);

	if (fd >= 0) {
		*ret_fd = fd;
		return 0;
	}
	(void)err_sys(err, -fd, "open %s", path);
	return err_wrap(err, "containerd-shim: opening file \"%s\" failed", path);
}

static int open_output(int *ret_fd, const char *path, struct err *err)
{
	int fd = fifo_open(path, FIFO_BOTH);

	if (fd >= 0) {
		*ret_fd = fd;
		return 0;
	}
	if (fd == -EPROTOTYPE || fd == -ENOENT)
		return open_output_file(ret_fd, path, err);
	return err_sys(err, -fd, "containerd-shim: opening w/o fifo \"%s\" failed: open %s",
			path, path);
}

static int open_input(struct stdio *io, const char *path, struct err *err)
{
	int fd = fifo_open(path, FIFO_READ);

	if (fd >= 0) {
		io->peer[IN] = fd;
		/* There is a reader now, so this does not wait or fail for want of one. */
		fd = io->input_writer = fifo_open(path, FIFO_WRITE);
	} else if (fd == -EPROTOTYPE) {
		fd = io->peer[IN] = open_other(path, O_RDONLY);
	}
	if (fd < 0)
		return err_sys(err, -fd, "failed to open stdin fifo %s: open %s", path, path);
	return 0;
}

static int make_parents(const char *path)
{
	for (const char *p = strchr(path + 1, '/'); p != NULL; p = strchr(p + 1, '/')) {
		AUTO_FREE char *dir = xstrndup(path, (size_t)(p - path));

		if (mkdir(dir, 0755) < 0 && errno != EEXIST)
			return -errno;
	}
	return 0;
}

static int make_file(const char *path, struct err *err)
{
	AUTO_CLOSE int fd = -1;
	int rc;

	if (path[0] != '/')
		return err_sys(err, ENOENT, "open %s", path);
	rc = make_parents(path);
	if (rc < 0)
		return err_sys(err, -rc, "mkdir of the parents of %s", path);
	fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NONBLOCK | O_NOCTTY,
			0644);
	return fd < 0 ? err_sys(err, errno, "open %s", path) : 0;
}

/* A pipe between the process and us, owned by the user it runs as: it may open its /dev/stdout.
 */
static int make_pipe(
		struct stdio *io, int stream, const struct stdio_names *names, struct err *err)
{
	int rc = stream == IN ? pipe_make(&io->child[IN], &io->ours[IN])
			      : pipe_make(&io->ours[stream], &io->child[stream]);

	if (rc == 0 && (names->uid != 0 || names->gid != 0) &&
			fchown(io->child[stream], names->uid, names->gid) < 0)
		rc = -errno;
	if (rc == 0)
		rc = fd_set_nonblocking(io->ours[stream], true);
	return rc < 0 ? err_sys(err, -rc, "pipe") : 0;
}

static int open_outputs(struct stdio *io, const struct stdio_url *url,
		const struct stdio_names *names, struct err *err)
{
	if (url->kind == STDIO_FILE) {
		if (open_output_file(&io->peer[OUT], url->path, err) < 0)
			return -1;
	} else if (url->path[0] != '\0' && open_output(&io->peer[OUT], url->path, err) < 0) {
		return -1;
	}
	/* The same name twice is one file, opened once: both streams keep their order. */
	if (url->kind == STDIO_FILE ||
			(names->err[0] != '\0' && str_eq(names->out, names->err))) {
		io->peer[ERR] = fcntl(io->peer[OUT], F_DUPFD_CLOEXEC, 3);
		return io->peer[ERR] < 0 ? err_sys(err, errno, "dup") : 0;
	}
	return names->err[0] == '\0' ? 0 : open_output(&io->peer[ERR], names->err, err);
}

/* In the original's words: an exec's streams are an init's, too. */
static int fail_create(struct err *err)
{
	return err_wrap(err, "failed to create init process I/O");
}

static int open_copied(struct stdio *io, const struct stdio_url *url,
		const struct stdio_names *names, struct err *err)
{
	if (url->kind == STDIO_FILE && make_file(url->path, err) < 0)
		return fail_create(err);
	if (names->in[0] != '\0' && open_input(io, names->in, err) < 0)
		return -1;
	if (open_outputs(io, url, names, err) < 0)
		return err_wrap(err, "failed to start io pipe copy: unable to copy pipes");
	for (int i = 0; i < STREAMS; i++)
		if (io->peer[i] >= 0 && make_pipe(io, i, names, err) < 0)
			return fail_create(err);
	return 0;
}

static int open_terminal(struct stdio *io, const struct stdio_url *url,
		const struct stdio_names *names, struct err *err)
{
	if (names->in[0] != '\0' && open_input(io, names->in, err) < 0)
		return -1;
	if (url->kind == STDIO_FILE)
		return err_plain(err, ERR_UNKNOWN,
				"failed to start console copy: unknown STDIO scheme file");
	if (url->kind == STDIO_FIFO && url->path[0] != '\0' &&
			open_output(&io->peer[OUT], url->path, err) < 0)
		return err_wrap(err, "failed to start console copy");
	return 0;
}

static int take_logger_ends(struct stdio *io, struct err *err)
{
	int *out = io->terminal ? &io->peer[OUT] : &io->child[OUT];

	*out = fcntl(logger_stdout(io->logger), F_DUPFD_CLOEXEC, 3);
	if (*out < 0)
		return err_sys(err, errno, "dup");
	if (io->terminal) {
		logger_release(io->logger);
		return 0;
	}
	io->child[ERR] = fcntl(logger_stderr(io->logger), F_DUPFD_CLOEXEC, 3);
	return io->child[ERR] < 0 ? err_sys(err, errno, "dup") : 0;
}

static void on_logger_ready(void *arg, const struct err *failure)
{
	struct stdio *io = arg;
	AUTO_ERR struct err err = { 0 };

	if (failure != NULL)
		(void)err_plain(&err, failure->kind, "%s", err_text(failure));
	else
		IGNORE(take_logger_ends(io, &err)); /* said by err */
	if (err.kind != ERR_NONE && !io->terminal)
		(void)fail_create(&err);
	else if (err.kind != ERR_NONE)
		(void)err_wrap(&err, "failed to start console copy");
	io->opened(io->opened_arg, err.kind == ERR_NONE ? NULL : &err);
}

static int open_logger(struct stdio *io, const struct stdio_url *url,
		const struct stdio_names *names, struct err *err)
{
	struct logger_call call = { .path = url->path,
		.args = url->args,
		.id = names->id,
		.ns = io->env->ns,
		.strict = url->kind == STDIO_BINARY_STRICT };

	if (logger_start(io->env->loop, io->env->reaper, &call, on_logger_ready, io,
			    &io->logger, err) == 0)
		return 0;
	if (io->terminal)
		return err_wrap(err,
				"failed to start console copy: failed to start logging binary "
				"process");
	(void)err_wrap(err, "failed to start binary process");
	return fail_create(err);
}

void stdio_open(struct stdio *io, const struct stdio_names *names,
		void (*opened)(void *arg, const struct err *err), void *arg)
{
	AUTO_ERR struct err err = { 0 };
	struct stdio_url url = { 0 };
	bool is_binary;
	int rc;

	io->terminal = names->terminal;
	io->opened = opened;
	io->opened_arg = arg;
	rc = stdio_url_parse(names->out, &url, &err);
	if (rc < 0 && !io->terminal)
		rc = fail_create(&err);
	is_binary = url.kind == STDIO_BINARY || url.kind == STDIO_BINARY_STRICT;
	if (rc == 0 && io->terminal)
		rc = open_terminal(io, &url, names, &err);
	else if (rc == 0 && !is_binary)
		rc = open_copied(io, &url, names, &err);
	if (rc == 0 && is_binary)
		rc = open_logger(io, &url, names, &err);
	stdio_url_done(&url);
	if (rc < 0)
		opened(arg, &err);
	else if (!is_binary)
		opened(arg, NULL);
}

bool stdio_child_fds(const struct stdio *io, int fds[3])
{
	for (int i = 0; i < STREAMS; i++)
		fds[i] = io->child[i];
	return !io->terminal;
}

static void count_down(struct stdio *io)
{
	if (--io->undrained == 0 && io->drained != NULL)
		io->drained(io->drained_arg);
}

static void on_output_done(void *arg)
{
	count_down(arg);
}

static void on_input_done(void *arg)
{
	/* The pipe to the process is closed: it has met the end of its input. */
}

static void start_copy(struct stdio *io, int stream)
{
	int from = stream == IN ? take_fd(&io->peer[IN]) : take_fd(&io->ours[stream]);
	int to = stream == IN ? take_fd(&io->ours[IN]) : take_fd(&io->peer[stream]);

	if (from < 0 || to < 0)
		return; /* there is no such stream */
	io->copies[stream] = copy_start(io->env->loop, from, to,
			stream == IN ? on_input_done : on_output_done, io);
	if (io->copies[stream] == NULL)
		log_error(NULL, "stream %d cannot be copied", stream);
	else if (stream != IN)
		io->undrained++;
}

void stdio_spawned(struct stdio *io)
{
	/* Our copy of the input's read end stays: the process may close its own for a while. */
	close_fd(&io->child[OUT]);
	close_fd(&io->child[ERR]);
	if (io->terminal)
		return;
	for (int i = 0; i < STREAMS; i++)
		start_copy(io, i);
}

int stdio_attach_console(struct stdio *io, int own_master)
{
	int rc = console_start(io->env->hub, own_master, take_fd(&io->peer[IN]),
			take_fd(&io->peer[OUT]), on_output_done, io, &io->console);

	if (rc == 0)
		io->undrained++;
	return rc;
}

int stdio_resize(struct stdio *io, uint16_t columns, uint16_t rows)
{
	return io->console == NULL ? 0 : console_resize(io->console, columns, rows);
}

void stdio_close_input(struct stdio *io)
{
	close_fd(&io->input_writer);
}

void stdio_process_ended(struct stdio *io)
{
	if (io->console != NULL)
		console_shutdown(io->console);
}

bool stdio_is_drained(const struct stdio *io)
{
	return io->undrained == 0;
}

void stdio_on_drained(struct stdio *io, void (*drained)(void *arg), void *arg)
{
	io->drained = drained;
	io->drained_arg = arg;
}

static void finish_close(void *arg)
{
	struct stdio *io = arg;
	void (*closed)(void *arg) = io->closed;
	void *closed_arg = io->closed_arg;

	free(io);
	closed(closed_arg);
}

void stdio_close(struct stdio *io, void (*closed)(void *arg), void *arg)
{
	io->drained = NULL;
	io->closed = closed;
	io->closed_arg = arg;
	console_free(io->console);
	for (int i = 0; i < STREAMS; i++) {
		copy_free(io->copies[i]);
		close_fd(&io->child[i]);
		close_fd(&io->ours[i]);
		close_fd(&io->peer[i]);
	}
	close_fd(&io->input_writer);
	if (io->logger != NULL)
		logger_end(io->logger, !io->terminal, finish_close, io);
	else
		finish_close(io);
}
