/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/str.h"
#include "cmd/ctr/cmd_task_run.h"
#include "cmd/ctr/cmd_tasks.h"
#include "cmd/ctr/ctr_client.h"
#include "cmd/ctr/ctr_cmds.h"
#include "cmd/ctr/ctr_out.h"

#define STOP_SIGNAL_LABEL "io.containerd.image.config.stop-signal"

struct list_args {
	bool quiet;
};

struct start_args {
	bool no_pivot, null_io, detach;
	const char *log_uri, *fifo_dir, *pid_file;
};

struct kill_args {
	const char *signal, *exec_id;
	bool all;
};

struct remove_args {
	bool force;
	const char *exec_id;
};

struct metrics_args {
	const char *format;
};

static int run_list(struct cx *cx)
{
	static const char *const words[] = { "UNKNOWN", "CREATED", "RUNNING", "STOPPED",
		"PAUSED", "PAUSING" };
	AUTO(ctrd_client_close) struct ctrd_client *client = NULL;
	AUTO(ctrd_processes_free) struct ctrd_processes *list = NULL;
	struct ctrd_error *error = NULL;
	struct tabwriter t;
	int status = cx_connect(cx, &client);

	if (status != 0)
		return status;
	if (ctrd_tasks_list(client, &list, &error) < 0)
		return out_error(error);
	if (CX_ARGS(cx, struct list_args)->quiet) {
		for (size_t i = 0; i < ctrd_processes_count(list); i++)
			printf("%s\n", ctrd_process_id(ctrd_processes_at(list, i)));
		return 0;
	}
	tabwriter_init(&t, 4, 8, 4, ' ');
	tabwriter_add(&t, "TASK\tPID\tSTATUS\t\n");
	for (size_t i = 0; i < ctrd_processes_count(list); i++) {
		const struct ctrd_process *p = ctrd_processes_at(list, i);
		size_t s = (size_t)ctrd_process_status(p);

		tabwriter_addf(&t, "%s\t%u\t%s\n", ctrd_process_id(p), ctrd_process_pid(p),
				words[s < ARRAY_LEN(words) ? s : 0]);
	}
	out_table(&t);
	return 0;
}

/* --- start -------------------------------------------------------------------------------- */

int container_spec(struct ctrd_client *client, const char *id, struct ctrd_spec **ret_spec)
{
	AUTO(ctrd_container_free) struct ctrd_container *c = NULL;
	struct ctrd_error *error = NULL;
	size_t size = 0;
	const void *value;

	if (ctrd_container_get(client, id, &c, &error) < 0)
		return out_error(error);
	value = ctrd_any_value(ctrd_container_spec(c), &size);
	if (ctrd_spec_parse(size == 0 ? "{}" : value, size == 0 ? 2 : size, ret_spec, &error) <
			0)
		return out_error(error);
	return 0;
}

static int run_start(struct cx *cx)
{
	const struct start_args *args = cx->args;
	AUTO(ctrd_client_close) struct ctrd_client *client = NULL;
	AUTO(ctrd_spec_free) struct ctrd_spec *spec = NULL;
	struct task_run t = { 0 };
	int status;

	if (cx_arg(cx, 0)[0] == '\0')
		return out_fail("container id must be provided");
	status = cx_connect(cx, &client);
	if (status == 0)
		status = container_spec(client, cx->argv[0], &spec);
	if (status != 0)
		return status;
	t = (struct task_run){ .client = client,
		.container = cx->argv[0],
		.terminal = ctrd_spec_terminal(spec) != 0,
		.detach = args->detach,
		.null_io = args->null_io,
		.no_pivot = args->no_pivot,
		.log_uri = args->log_uri,
		.fifo_dir = args->fifo_dir,
		.pid_file = args->pid_file,
		.io_uid = ctrd_spec_root_uid(spec),
		.io_gid = ctrd_spec_root_gid(spec) };
	return task_run(&t);
}

/* --- kill --------------------------------------------------------------------------------- */

static int find_signal(struct ctrd_client *client, const char *id, const char *given,
		uint32_t *ret_signal)
{
	AUTO(ctrd_container_free) struct ctrd_container *c = NULL;
	struct ctrd_error *error = NULL;

	if (ctrd_container_get(client, id, &c, &error) < 0)
		return out_error(error);
	if (str_is_empty(given))
		given = str_or(ctrd_labels_get(ctrd_container_labels(c), STOP_SIGNAL_LABEL),
				"SIGTERM");
	if (ctrd_signal_parse(given, ret_signal, &error) < 0)
		return out_error(error);
	return 0;
}

/* Finds out before the call that is not to be answered with some other error. */
static int check_task(struct ctrd_client *client, const char *id)
{
	AUTO(ctrd_process_free) struct ctrd_process *p = NULL;
	struct ctrd_error *error = NULL;

	return ctrd_task_state(client, id, NULL, &p, &error) < 0 ? out_error(error) : 0;
}

static int run_kill(struct cx *cx)
{
	const struct kill_args *args = cx->args;
	AUTO(ctrd_client_close) struct ctrd_client *client = NULL;
	const char *exec_id = str_is_empty(args->exec_id) ? NULL : args->exec_id;
	struct ctrd_error *error = NULL;
	uint32_t signal = 0;
	int status;

	if (cx_arg(cx, 0)[0] == '\0')
		return out_fail("container id must be provided");
	if (args->all && exec_id != NULL)
		return out_fail("specify an exec-id or all; not both");
	status = cx_connect(cx, &client);
	if (status == 0)
		status = find_signal(client, cx->argv[0], args->signal, &signal);
	if (status == 0)
		status = check_task(client, cx->argv[0]);
	if (status != 0)
		return status;
	if (ctrd_task_kill(client, cx->argv[0], exec_id, signal, args->all, &error) < 0)
		return out_error(error);
	return 0;
}

/* --- pause, resume, ps -------------------------------------------------------------------- */

static int pause_or_resume(
		struct cx *cx, int (*call)(struct ctrd_client *client, const char *container,
					       struct ctrd_error **ret_error))
{
	AUTO(ctrd_client_close) struct ctrd_client *client = NULL;
	struct ctrd_error *error = NULL;
	int status;

	status = cx_connect(cx, &client);
	if (status == 0)
		status = check_task(client, cx_arg(cx, 0));
	if (status != 0)
		return status;
	return call(client, cx_arg(cx, 0), &error) < 0 ? out_error(error) : 0;
}

static int run_pause(struct cx *cx)
{
	return pause_or_resume(cx, ctrd_task_pause);
}

static int run_resume(struct cx *cx)
{
	return pause_or_resume(cx, ctrd_task_resume);
}

static int run_ps(struct cx *cx)
{
	AUTO(ctrd_client_close) struct ctrd_client *client = NULL;
	AUTO(ctrd_pids_free) struct ctrd_pids *list = NULL;
	struct ctrd_error *error = NULL;
	struct tabwriter t;
	int status;

	if (cx_arg(cx, 0)[0] == '\0')
		return out_fail("container id must be provided");
	status = cx_connect(cx, &client);
	if (status == 0)
		status = check_task(client, cx->argv[0]);
	if (status != 0)
		return status;
	if (ctrd_task_pids(client, cx->argv[0], &list, &error) < 0)
		return out_error(error);
	tabwriter_init(&t, 1, 8, 4, ' ');
	tabwriter_add(&t, "PID\tINFO\n");
	for (size_t i = 0; i < ctrd_pids_count(list); i++) {
		AUTO_FREE char *exec_id = str_quote(ctrd_pids_exec_id(list, i));

		if (ctrd_pids_exec_id(list, i)[0] == '\0')
			tabwriter_addf(&t, "%u\t-\n", ctrd_pids_pid(list, i));
		else
			tabwriter_addf(&t, "%u\texec_id:%s\n", ctrd_pids_pid(list, i), exec_id);
	}
	out_table(&t);
	return 0;
}

/* --- removing ----------------------------------------------------------------------------- */

static int remove_exec(
		struct ctrd_client *client, const char *id, const struct remove_args *args)
{
	struct ctrd_error *error = NULL;
	uint32_t status = 0;

	if (ctrd_task_remove(client, id, args->exec_id, args->force, &status, &error) < 0)
		return out_error(error);
	return (int)status;
}

/* NULL, or why not, with the log line printed. */
static struct ctrd_error *remove_task(struct ctrd_client *client, const char *id, bool force)
{
	AUTO(ctrd_process_free) struct ctrd_process *p = NULL;
	struct ctrd_error *error = NULL;
	uint32_t exit_status = 0;

	if (ctrd_task_state(client, id, NULL, &p, &error) < 0) {
		out_log("error", error, "failed to load task from %s", id);
		return error;
	}
	if (ctrd_task_remove(client, id, NULL, force, &exit_status, &error) < 0) {
		out_log("error", error, "unable to delete %s", id);
		return error;
	}
	if (exit_status != 0)
		out_log("warning", NULL, "task %s exit with non-zero exit code %u", id,
				exit_status);
	return NULL;
}

static int run_remove(struct cx *cx)
{
	const struct remove_args *args = cx->args;
	AUTO(ctrd_client_close) struct ctrd_client *client = NULL;
	AUTO_ERROR struct ctrd_error *first = NULL;
	int status = cx_connect(cx, &client);

	if (status != 0)
		return status;
	if (!str_is_empty(args->exec_id))
		return remove_exec(client, cx_arg(cx, 0), args);
	for (int i = 0; i < cx->argc; i++) {
		struct ctrd_error *error = remove_task(client, cx->argv[i], args->force);

		if (first == NULL)
			first = error;
		else
			ctrd_error_free(error);
	}
	return first == NULL ? 0 : out_fail("%s", ctrd_error_text(first));
}

/* --- metrics ------------------------------------------------------------------------------ */

struct metrics_row {
	const char *name, *part, *path; /* shown if the part is there */
};

static const struct metrics_row rows_v1[] = {
	{ "memory.usage_in_bytes", "memory", "memory.usage.usage" },
	{ "memory.limit_in_bytes", "memory", "memory.usage.limit" },
	{ "memory.stat.cache", "memory", "memory.cache" },
	{ "cpuacct.usage", "cpu", "cpu.usage.total" },
	{ "cpuacct.usage_percpu", "cpu", NULL },
	{ "pids.current", "pids", "pids.current" },
	{ "pids.limit", "pids", "pids.limit" },
	{ 0 },
};

static const struct metrics_row rows_v2[] = {
	{ "pids.current", "pids", "pids.current" },
	{ "pids.limit", "pids", "pids.limit" },
	{ "cpu.usage_usec", "cpu", "cpu.usage_usec" },
	{ "cpu.user_usec", "cpu", "cpu.user_usec" },
	{ "cpu.system_usec", "cpu", "cpu.system_usec" },
	{ "cpu.nr_periods", "cpu", "cpu.nr_periods" },
	{ "cpu.nr_throttled", "cpu", "cpu.nr_throttled" },
	{ "cpu.throttled_usec", "cpu", "cpu.throttled_usec" },
	{ "memory.usage", "memory", "memory.usage" },
	{ "memory.usage_limit", "memory", "memory.usage_limit" },
	{ "memory.swap_usage", "memory", "memory.swap_usage" },
	{ "memory.swap_limit", "memory", "memory.swap_limit" },
	{ 0 },
};

/* "[1 2 3]" */
static char *percpu_text(const struct ctrd_metrics *m)
{
	AUTO_BUF struct buf b = { .limit = SIZE_MAX };
	uint64_t value = 0;

	buf_add_byte(&b, '[');
	for (int i = 0;; i++) {
		AUTO_FREE char *path = xasprintf("cpu.usage.per_cpu.%d", i);

		if (!ctrd_metrics_number(m, path, &value))
			break;
		buf_addf(&b, "%s%llu", i == 0 ? "" : " ", (unsigned long long)value);
	}
	buf_add_byte(&b, ']');
	return buf_take_str(&b);
}

static void print_metrics(const struct ctrd_metrics *m)
{
	bool v1 = strcmp(ctrd_metrics_type(m), "io.containerd.cgroups.v1.Metrics") == 0;
	int64_t when = ctrd_metrics_time(m);
	struct tabwriter t;

	tabwriter_init(&t, 1, 8, 4, ' ');
	tabwriter_addf(&t, "ID\tTIMESTAMP\t\n%s\tseconds:%lld nanos:%lld\t\n\n",
			ctrd_metrics_id(m), (long long)(when / NS_PER_S),
			(long long)(when % NS_PER_S));
	tabwriter_add(&t, "METRIC\tVALUE\t\n");
	for (const struct metrics_row *r = v1 ? rows_v1 : rows_v2; r->name != NULL; r++) {
		AUTO_FREE char *list = NULL;
		uint64_t value = 0;

		if (!ctrd_metrics_number(m, r->part, NULL))
			continue;
		if (r->path == NULL) {
			list = percpu_text(m);
			tabwriter_addf(&t, "%s\t%s\t\n", r->name, list);
			continue;
		}
		(void)ctrd_metrics_number(m, r->path, &value);
		tabwriter_addf(&t, "%s\t%llu\t\n", r->name, (unsigned long long)value);
	}
	out_table(&t);
}

static int run_metrics(struct cx *cx)
{
	const char *format = CX_ARGS(cx, struct metrics_args)->format;
	AUTO(ctrd_client_close) struct ctrd_client *client = NULL;
	AUTO(ctrd_metrics_free) struct ctrd_metrics *m = NULL;
	struct ctrd_error *error = NULL;
	char *json = NULL;
	int status = cx_connect(cx, &client);

	if (status == 0)
		status = check_task(client, cx_arg(cx, 0));
	if (status != 0)
		return status;
	if (ctrd_task_metrics(client, cx_arg(cx, 0), &m, &error) < 0)
		return out_error(error);
	if (strcmp(format, "table") == 0) {
		print_metrics(m);
		return 0;
	}
	if (strcmp(format, "json") != 0)
		return out_fail("format must be table or json");
	if (ctrd_metrics_json(m, "  ", &json, &error) < 0)
		return out_error(error);
	printf("%s\n", json);
	ctrd_free(json);
	return 0;
}

/* --- tables ------------------------------------------------------------------------------- */

static const struct flag list_flags[] = {
	FLAG("quiet, q", FLAG_SWITCH, offsetof(struct list_args, quiet), "print only ids"),
	{ 0 },
};

static const struct flag start_flags[] = {
	FLAG("no-pivot", FLAG_SWITCH, offsetof(struct start_args, no_pivot),
			"do not use pivot_root"),
	FLAG("null-io", FLAG_SWITCH, offsetof(struct start_args, null_io),
			"connect the process to /dev/null"),
	FLAG("log-uri", FLAG_TEXT, offsetof(struct start_args, log_uri),
			"where output is logged to"),
	FLAG("fifo-dir", FLAG_TEXT, offsetof(struct start_args, fifo_dir),
			"directory for named pipes"),
	FLAG("pid-file", FLAG_TEXT, offsetof(struct start_args, pid_file),
			"file to write the process id to"),
	FLAG("detach, d", FLAG_SWITCH, offsetof(struct start_args, detach),
			"return once the process runs"),
	{ 0 },
};

static const struct flag kill_flags[] = {
	FLAG("signal, s", FLAG_TEXT, offsetof(struct kill_args, signal),
			"signal to send; that of the image if not given"),
	FLAG("exec-id", FLAG_TEXT, offsetof(struct kill_args, exec_id),
			"process to send it to"),
	FLAG("all, a", FLAG_SWITCH, offsetof(struct kill_args, all),
			"send it to all processes"),
	{ 0 },
};

static const struct flag remove_flags[] = {
	FLAG("force, f", FLAG_SWITCH, offsetof(struct remove_args, force),
			"kill the task first"),
	FLAG("exec-id", FLAG_TEXT, offsetof(struct remove_args, exec_id),
			"process to remove, instead of the task"),
	{ 0 },
};

static const struct flag metrics_flags[] = {
	FLAG("format", FLAG_TEXT, offsetof(struct metrics_args, format),
			"\"table\" or \"json\"", .fallback = "table"),
	{ 0 },
};

const struct command tasks_commands[] = {
	{ .names = "attach",
			.help = "connect to the streams of a task",
			.args = "CONTAINER",
			.run = run_tasks_attach },
	{ .names = "delete, del, remove, rm",
			.help = "remove tasks",
			.args = "CONTAINER [CONTAINER, ...]",
			.flags = remove_flags,
			.args_size = sizeof(struct remove_args),
			.run = run_remove },
	{ .names = "exec",
			.help = "run another process in a container",
			.args = "[flags] CONTAINER CMD [ARG...]",
			.flags = tasks_exec_flags,
			.args_size = sizeof(struct tasks_exec_args),
			.run = run_tasks_exec },
	{ .names = "list, ls",
			.help = "list tasks",
			.args = "[flags]",
			.flags = list_flags,
			.args_size = sizeof(struct list_args),
			.run = run_list },
	{ .names = "kill",
			.help = "send a signal to a task",
			.args = "[flags] CONTAINER",
			.flags = kill_flags,
			.args_size = sizeof(struct kill_args),
			.run = run_kill },
	{ .names = "metrics, metric",
			.help = "print figures about a task",
			.args = "CONTAINER",
			.flags = metrics_flags,
			.args_size = sizeof(struct metrics_args),
			.run = run_metrics },
	{ .names = "pause", .help = "freeze a task", .args = "CONTAINER", .run = run_pause },
	{ .names = "ps",
			.help = "list the processes of a task",
			.args = "CONTAINER",
			.run = run_ps },
	{ .names = "resume",
			.help = "let a frozen task go on",
			.args = "CONTAINER",
			.run = run_resume },
	{ .names = "start",
			.help = "start the task of a container",
			.args = "CONTAINER",
			.flags = start_flags,
			.args_size = sizeof(struct start_args),
			.run = run_start },
	{ 0 },
};
