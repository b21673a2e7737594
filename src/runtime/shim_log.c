/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/shim_log.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/io.h"
#include "base/mem.h"
#include "loop/loop.h"

#define READ_SIZE 16384

struct shim_log {
	struct loop *loop;
	struct loop_watch *watch; /* the loop's */
	int fd;
	struct loop_task begin, end;
};

/* One read for each turn of the loop: a shim that floods its log must not starve the others. */
static ssize_t copy_some(struct shim_log *log)
{
	char chunk[READ_SIZE];
	ssize_t n = read(log->fd, chunk, sizeof(chunk));

	if (n > 0)
		IGNORE(io_write_all(STDERR_FILENO, chunk, (size_t)n)); /* as our own lines */
	return n;
}

static void ready(void *arg, int events UNUSED)
{
	(void)copy_some(arg);
}

static void begin_on_loop(struct loop_task *task)
{
	struct shim_log *log = container_of(task, struct shim_log, begin);

	log->watch = loop_watch_new(log->loop, log->fd, LOOP_READ, ready, log);
}

static void end_on_loop(struct loop_task *task)
{
	struct shim_log *log = container_of(task, struct shim_log, end);

	while (copy_some(log) == READ_SIZE)
		;
	loop_watch_free(log->watch);
	close_fd(&log->fd);
	free(log);
}

int shim_log_open(struct loop *loop, const char *bundle, struct shim_log **ret_log)
{
	AUTO_FREE char *path = xasprintf("%s/log", bundle);
	AUTO_CLOSE int fd = -1;
	struct shim_log *log = NULL;
	struct stat st;

	if (mkfifo(path, 0700) < 0 && errno != EEXIST)
		return -errno;
	fd = open(path, O_RDWR | O_NONBLOCK | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0)
		return -errno;
	if (fstat(fd, &st) < 0)
		return -errno;
	if (!S_ISFIFO(st.st_mode))
		return -EINVAL;
	log = xzalloc(sizeof(*log));
	log->loop = loop;
	log->fd = take_fd(&fd);
	log->begin.run = begin_on_loop;
	log->end.run = end_on_loop;
	loop_post(loop, &log->begin);
	*ret_log = log;
	return 0;
}

void shim_log_close(struct shim_log *log)
{
	if (log != NULL)
		loop_post(log->loop, &log->end);
}
