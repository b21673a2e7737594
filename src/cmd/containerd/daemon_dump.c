/* SPDX-License-Identifier: Apache-2.0 */
/* What the daemon is doing right now, for people who look into a problem: SIGUSR1. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/io.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/pool.h"
#include "base/str.h"
#include "cmd/containerd/daemon.h"
#include "os/fs.h"
#include "plugin/plugin_set.h"
#include "rpc/server.h"
#include "text/duration.h"

#define MAX_DUMP (256 * 1024)

struct dump {
	struct job job;
	struct buf text;
};

static void add_plugins(struct buf *out, const struct plugin_set *set)
{
	for (size_t i = 0; i < plugin_set_count(set); i++) {
		const struct plugin_info *info = plugin_set_info(set, i);

		buf_addf(out, "plugin %s.%s: %s\n", info->type, info->id,
				info->err == NULL ? "ok" : err_text(info->err));
	}
}

static void add_file(struct buf *out, int dir, const char *name, const char *label)
{
	AUTO_BUF struct buf b = { .limit = 4096 };

	if (io_read_file(dir, name, &b) < 0 || b.size == 0)
		return;
	buf_addf(out, " %s %s%s", label, b.data, b.data[b.size - 1] == '\n' ? "" : "\n");
}

static void add_threads(struct buf *out)
{
	AUTO_CLOSE int tasks = open("/proc/self/task", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	AUTO_STRV char **ids = NULL;

	if (tasks < 0 || fs_list(tasks, ".", &ids) < 0)
		return;
	for (char **id = ids; id != NULL && *id != NULL; id++) {
		AUTO_CLOSE int dir = fs_open_dir(tasks, *id);

		if (dir < 0)
			continue;
		buf_addf(out, "thread %s\n", *id);
		add_file(out, dir, "comm", "name");
		add_file(out, dir, "wchan", "waits in");
		add_file(out, dir, "syscall", "system call");
	}
}

void daemon_add_process(struct buf *out)
{
	AUTO_CLOSE int self = open("/proc/self", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	AUTO_STRV char **fds = NULL;

	add_threads(out);
	if (self < 0)
		return;
	if (fs_list(self, "fd", &fds) == 0)
		buf_addf(out, "descriptors: %zu\n", strv_len(fds));
	add_file(out, self, "status", "status\n");
	add_file(out, self, "smaps_rollup", "memory\n");
}

/* Lines of the log, as the original writes its stacks. */
static void log_dump(const struct buf *text)
{
	AUTO_STRV char **lines = strv_split(text->data, '\n');

	log_info(NULL, "=== BEGIN state dump ===");
	for (char **line = lines; line != NULL && *line != NULL; line++)
		if ((*line)[0] != '\0')
			log_info(NULL, "%s", *line);
	log_info(NULL, "=== END state dump ===");
}

/* The directory may be anybody's: the name must be ours and new. */
static int write_dump(const char *path, const struct buf *text)
{
	AUTO_CLOSE int fd = -1;

	if (unlink(path) < 0 && errno != ENOENT)
		return -errno;
	fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0)
		return -errno;
	return io_write_all(fd, text->data, text->size);
}

static void finish_dump(struct job *job)
{
	struct dump *dump = container_of(job, struct dump, job);
	const char *temp = getenv("TMPDIR");
	AUTO_FREE char *path = xasprintf(
			"%s/containerd.%d.stacks.log", str_or(temp, "/tmp"), (int)getpid());
	int rc;

	daemon_add_process(&dump->text);
	log_dump(&dump->text);
	rc = write_dump(path, &dump->text);
	if (rc < 0)
		log_warn(NULL, "write %s: %s (ignored)", path, errno_text(-rc));
	else
		log_info(NULL, "state dump written to %s", path);
	buf_done(&dump->text);
	free(dump);
}

void daemon_add_state(
		const struct plugin_host *host, int64_t up_ns, size_t calls, struct buf *out)
{
	char up[DURATION_TEXT_SIZE];

	duration_format(up_ns, up);
	buf_addf(out,
			"up %s\ncalls: %zu\njobs for call workers: %zu\njobs for data workers: "
			"%zu\n",
			up, calls, pool_busy(host->workers), pool_busy(host->data));
	add_plugins(out, host->plugins);
}

void daemon_dump(struct daemon *d)
{
	struct dump *dump = xzalloc(sizeof(*dump));

	dump->job.run = finish_dump;
	dump->text.limit = MAX_DUMP;
	daemon_add_state(&d->host, clock_mono_ns() - d->start_ns,
			rpc_server_calls(d->host.server), &dump->text);
	if (pool_submit(d->host.data, &dump->job))
		return;
	log_dump(&dump->text);
	buf_done(&dump->text);
	free(dump);
}
