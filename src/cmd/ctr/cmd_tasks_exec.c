/* SPDX-License-Identifier: Apache-2.0 */
/* exec and attach: standing by another process than the first. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "cmd/ctr/cmd_attend.h"
#include "cmd/ctr/cmd_tasks.h"
#include "cmd/ctr/ctr_client.h"
#include "cmd/ctr/ctr_out.h"

typedef const struct tasks_exec_args args_type;

static int check(const struct cx *cx)
{
	args_type *args = cx->args;

	if (cx_arg(cx, 0)[0] == '\0')
		return out_fail("container id must be provided");
	if (!str_is_empty(args->log_uri) && args->tty)
		return out_fail("can't use log-uri with tty");
	if (!str_is_empty(args->log_uri) && !str_is_empty(args->fifo_dir))
		return out_fail("can't use log-uri with fifo-dir");
	return 0;
}

/* Users are looked up where the container's own were. */
static int apply_user(struct ctrd_client *client, const char *id, const char *user,
		struct ctrd_spec *spec)
{
	AUTO(ctrd_container_free) struct ctrd_container *c = NULL;
	AUTO(ctrd_rootfs_free) struct ctrd_rootfs *rootfs = NULL;
	struct ctrd_error *error = NULL;

	if (ctrd_container_get(client, id, &c, &error) < 0)
		return out_error(error);
	if (ctrd_container_snapshot_key(c)[0] != '\0' &&
			ctrd_rootfs_of_snapshot(client, ctrd_container_snapshotter(c),
					ctrd_container_snapshot_key(c), &rootfs, &error) < 0)
		return out_error(error);
	if (ctrd_spec_set_user(spec, user, rootfs, &error) < 0)
		return out_error(error);
	return 0;
}

/* The container's process with other arguments. */
static int make_process(struct cx *cx, struct ctrd_client *client, char **ret_json)
{
	args_type *args = cx->args;
	AUTO(ctrd_spec_free) struct ctrd_spec *spec = NULL;
	int status = container_spec(client, cx->argv[0], &spec);

	if (status != 0)
		return status;
	if (!str_is_empty(args->user)) {
		status = apply_user(client, cx->argv[0], args->user, spec);
		if (status != 0)
			return status;
	}
	ctrd_spec_set_terminal(spec, args->tty);
	ctrd_spec_set_args(spec, (const char *const *)cx->argv + 1);
	if (!str_is_empty(args->cwd))
		ctrd_spec_set_cwd(spec, args->cwd);
	*ret_json = ctrd_spec_process_json(spec, NULL);
	return 0;
}

/* The process exists: whatever fails from here on, it has to go. */
static int start_and_wait(args_type *args, struct attend *a, uint32_t *ret_status)
{
	struct ctrd_error *error = NULL;
	uint32_t pid = 0;

	if (!args->detach && attend_prepare(a) != 0)
		return STATUS_FAILED;
	if (ctrd_task_start(a->client, a->container, a->exec_id, &pid, &error) < 0)
		return out_error(error);
	attend_started(a);
	*ret_status = 0;
	if (args->detach)
		return 0;
	if (attend_wait(a, ret_status) != 0)
		return STATUS_FAILED;
	ctrd_io_wait(a->io);
	return 0;
}

static int exec_attended(struct cx *cx, struct attend *a, const char *process)
{
	args_type *args = cx->args;
	AUTO_ERROR struct ctrd_error *ignored = NULL;
	struct ctrd_error *error = NULL;
	uint32_t status = 0, unused;
	int rc;

	if (attend_make_io(a, args->exec_id, false, args->log_uri, args->fifo_dir, args->tty) !=
			0)
		return STATUS_FAILED;
	if (attend_copy(a, !args->detach) != 0)
		return STATUS_FAILED;
	if (ctrd_task_exec(a->client, a->container, a->exec_id, process, a->io, &error) < 0)
		return out_error(error);
	rc = start_and_wait(args, a, &status);
	if (!args->detach)
		(void)!ctrd_task_remove(a->client, a->container, a->exec_id, rc != 0, &unused,
				&ignored);
	return rc != 0 ? rc : (int)status;
}

int run_tasks_exec(struct cx *cx)
{
	args_type *args = cx->args;
	AUTO(ctrd_client_close) struct ctrd_client *client = NULL;
	AUTO(ctrd_process_free) struct ctrd_process *task = NULL;
	AUTO_FREE char *process = NULL;
	struct ctrd_error *error = NULL;
	struct attend a;
	int status = check(cx);

	if (status == 0)
		status = cx_connect(cx, &client);
	if (status == 0)
		status = make_process(cx, client, &process);
	if (status != 0)
		return status;
	if (ctrd_task_state(client, cx->argv[0], NULL, &task, &error) < 0)
		return out_error(error);
	if (attend_open(&a, client, cx->argv[0], args->exec_id, args->tty && !args->detach) !=
			0)
		return STATUS_FAILED;
	status = exec_attended(cx, &a, process);
	(void)attend_close(&a, args->detach && status == 0);
	return status;
}

/* --- attach ------------------------------------------------------------------------------- */

static int attach(struct attend *a)
{
	struct ctrd_error *error = NULL;
	uint32_t status = 0, unused;

	if (attend_copy(a, true) != 0 || attend_prepare(a) != 0)
		return STATUS_FAILED;
	if (attend_wait(a, &status) != 0)
		return STATUS_FAILED;
	ctrd_io_wait(a->io);
	/* Whoever attaches to the end cleans up: so the original has it. */
	if (ctrd_task_remove(a->client, a->container, NULL, 0, &unused, &error) < 0 &&
			ctrd_error_code(error) != CTRD_NOT_FOUND)
		out_log("error", error, "unable to delete %s", a->container);
	ctrd_error_free(error);
	return (int)status;
}

int run_tasks_attach(struct cx *cx)
{
	AUTO(ctrd_client_close) struct ctrd_client *client = NULL;
	AUTO(ctrd_container_free) struct ctrd_container *container = NULL;
	AUTO(ctrd_process_free) struct ctrd_process *task = NULL;
	struct ctrd_error *error = NULL;
	const char *id = cx_arg(cx, 0);
	struct attend a;
	int status = cx_connect(cx, &client);
	bool terminal;

	if (status != 0)
		return status;
	if (ctrd_container_get(client, id, &container, &error) < 0 ||
			ctrd_task_state(client, id, NULL, &task, &error) < 0)
		return out_error(error);
	terminal = ctrd_process_terminal(task) != 0;
	if (attend_open(&a, client, id, NULL, terminal) != 0)
		return STATUS_FAILED;
	a.io = ctrd_io_paths(ctrd_process_stdin(task), ctrd_process_stdout(task),
			ctrd_process_stderr(task), terminal);
	status = attach(&a);
	(void)attend_close(&a, true);
	return status;
}

const struct flag tasks_exec_flags[] = {
	FLAG("cwd", FLAG_TEXT, offsetof(args_type, cwd), "working directory of the process"),
	FLAG("tty, t", FLAG_SWITCH, offsetof(args_type, tty), "give the process a terminal"),
	FLAG("detach, d", FLAG_SWITCH, offsetof(args_type, detach),
			"return once the process runs"),
	FLAG("exec-id", FLAG_TEXT, offsetof(args_type, exec_id), "id for the process",
			.required = true),
	FLAG("fifo-dir", FLAG_TEXT, offsetof(args_type, fifo_dir), "directory for named pipes"),
	FLAG("log-uri", FLAG_TEXT, offsetof(args_type, log_uri), "where output is logged to"),
	FLAG("user", FLAG_TEXT, offsetof(args_type, user), "user or uid"),
	{ 0 },
};
