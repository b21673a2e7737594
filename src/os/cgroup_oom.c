/* SPDX-License-Identifier: Apache-2.0 */
#include "os/cgroup_oom.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/buf.h"
#include "base/io.h"
#include "base/mem.h"
#include "os/cgroup.h"

#define MAX_EVENTS_FILE 4096

static int open_v1(struct oom_watch *w)
{
	AUTO_FREE char *control = xasprintf("%s/memory.oom_control", w->path);
	AUTO_FREE char *events = xasprintf("%s/cgroup.event_control", w->path);
	AUTO_CLOSE int event_control = open(events, O_WRONLY | O_CLOEXEC);
	char line[32];
	int n, rc;

	if (event_control < 0)
		return -errno;
	w->control = open(control, O_RDONLY | O_CLOEXEC);
	if (w->control < 0)
		return -errno;
	w->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (w->fd < 0)
		return -errno;
	n = snprintf(line, sizeof(line), "%d %d ", w->fd, w->control);
	rc = io_write_all(event_control, line, (size_t)n);
	return rc;
}

static int add_watch(int fd, const char *dir, const char *file)
{
	AUTO_FREE char *path = xasprintf("%s/%s", dir, file);

	return inotify_add_watch(fd, path, IN_MODIFY) < 0 ? -errno : 0;
}

static uint64_t read_kills(const struct oom_watch *w)
{
	AUTO_FREE char *path = xasprintf("%s/memory.events", w->path);
	AUTO_BUF struct buf text = { .limit = MAX_EVENTS_FILE };
	struct cgroup_pair p;
	const char *at;

	if (io_read_file(AT_FDCWD, path, &text) < 0 || text.size == 0)
		return 0;
	at = text.data;
	while (cgroup_next_pair(&at, &p))
		if (cgroup_pair_is(&p, "oom_kill"))
			return p.value;
	return 0;
}

static int open_v2(struct oom_watch *w)
{
	int rc;

	w->fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
	if (w->fd < 0)
		return -errno;
	rc = add_watch(w->fd, w->path, "memory.events");
	/* This one changes when the group empties or goes. */
	if (rc == 0)
		rc = add_watch(w->fd, w->path, "cgroup.events");
	return rc;
}

int oom_watch_open(struct oom_watch *w, const struct cgroup *cg)
{
	const char *path = cgroup_path(cg, "memory");
	int rc;

	*w = (struct oom_watch){ .fd = -1, .control = -1, .unified = cg->unified };
	if (path == NULL)
		return -ENOENT;
	w->path = xstrdup(path);
	rc = w->unified ? open_v2(w) : open_v1(w);
	if (rc < 0)
		oom_watch_close(w);
	return rc;
}

uint64_t oom_watch_fetch(struct oom_watch *w)
{
	char events[4096];
	uint64_t count, now, added;

	if (w->fd < 0)
		return 0;
	if (!w->unified) {
		if (read(w->fd, &count, sizeof(count)) != (ssize_t)sizeof(count))
			return 0;
		/* Removing the group fires as well. */
		return access(w->path, F_OK) == 0 ? 1 : 0;
	}
	while (read(w->fd, events, sizeof(events)) > 0)
		continue;
	now = read_kills(w);
	added = now > w->kills ? now - w->kills : 0;
	w->kills += added;
	return added;
}

void oom_watch_close(struct oom_watch *w)
{
	close_fd(&w->fd);
	close_fd(&w->control);
	free(w->path);
	w->path = NULL;
}
