/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/ctr/cmd_task_run.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/io.h"
#include "base/mem.h"
#include "base/str.h"
#include "cmd/ctr/cmd_attend.h"
#include "cmd/ctr/ctr_client.h"
#include "cmd/ctr/ctr_out.h"

int write_pid_file(const char *name, uint32_t pid)
{
	const char *slash = strrchr(name, '/');
	AUTO_FREE char *dir = slash == NULL   ? xstrdup(".")
			      : slash == name ? xstrdup("/")
					      : xstrndup(name, (size_t)(slash - name));
	AUTO_CLOSE int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	char text[16];
	int n = snprintf(text, sizeof(text), "%u", pid), rc;

	if (fd < 0)
		return out_fail("open %s: %s", dir, errno_text(errno));
	rc = io_replace_file(fd, slash == NULL ? name : slash + 1, text, (size_t)n, 0666);
	return rc < 0 ? out_fail("write %s: %s", name, errno_text(-rc)) : 0;
}

/* Gone already is gone. */
static void remove_task(const struct task_run *t)
{
	AUTO_ERROR struct ctrd_error *error = NULL;
	uint32_t status;

	if (ctrd_task_remove(t->client, t->container, NULL, 1, &status, &error) < 0 &&
			ctrd_error_code(error) != CTRD_NOT_FOUND)
		out_log("error", error, "failed to delete task");
}

static int create_task(const struct task_run *t, struct attend *a, uint32_t *ret_pid)
{
	struct ctrd_task_options o = CTRD_TASK_OPTIONS_INIT;
	struct ctrd_error *error = NULL;

	o.io = a->io;
	o.no_pivot = t->no_pivot;
	o.io_uid = t->io_uid;
	o.io_gid = t->io_gid;
	if (ctrd_task_create(t->client, t->container, &o, ret_pid, &error) < 0)
		return out_error(error);
	return 0;
}

/* The task exists: whatever fails from here on, it has to go. */
static int start_and_wait(
		const struct task_run *t, struct attend *a, uint32_t pid, uint32_t *ret_status)
{
	struct ctrd_error *error = NULL;

	if (!t->detach && attend_prepare(a) != 0)
		return STATUS_FAILED;
	if (!str_is_empty(t->pid_file) && write_pid_file(t->pid_file, pid) != 0)
		return STATUS_FAILED;
	if (ctrd_task_start(t->client, t->container, NULL, &pid, &error) < 0)
		return out_error(error);
	attend_started(a);
	*ret_status = 0;
	if (t->detach)
		return 0;
	if (attend_wait(a, ret_status) != 0)
		return STATUS_FAILED;
	ctrd_io_wait(a->io);
	if (ctrd_task_remove(t->client, t->container, NULL, 0, ret_status, &error) < 0)
		return out_error(error);
	return 0;
}

static int run_attended(const struct task_run *t, struct attend *a)
{
	uint32_t pid = 0, status = 0;

	if (attend_make_io(a, t->container, t->null_io, t->log_uri, t->fifo_dir, t->terminal) !=
			0)
		return STATUS_FAILED;
	if (attend_copy(a, !t->detach) != 0 || create_task(t, a, &pid) != 0)
		return STATUS_FAILED;
	if (start_and_wait(t, a, pid, &status) == 0)
		return (int)status;
	if (!t->detach)
		remove_task(t);
	return STATUS_FAILED;
}

int task_run(struct task_run *t)
{
	struct attend a;
	int status;

	if (attend_open(&a, t->client, t->container, NULL, t->terminal) != 0)
		return STATUS_FAILED;
	status = run_attended(t, &a);
	t->is_cancelled = attend_close(&a, t->detach && status == 0);
	return status;
}
