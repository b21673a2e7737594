/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/mem.h"
#include "base/str.h"
#include "cmd/ctr/cmd_run.h"
#include "cmd/ctr/ctr_client.h"
#include "cmd/ctr/ctr_cmds.h"
#include "cmd/ctr/ctr_out.h"
#include "text/jnode.h"

struct list_args {
	bool quiet;
};

struct info_args {
	bool spec;
};

struct remove_args {
	bool keep_snapshot;
};

static int run_list(struct cx *cx)
{
	AUTO(ctrd_client_close) struct ctrd_client *client = NULL;
	AUTO(ctrd_containers_free) struct ctrd_containers *list = NULL;
	struct ctrd_error *error = NULL;
	struct tabwriter t;
	int status = cx_connect(cx, &client);

	if (status != 0)
		return status;
	if (ctrd_containers_list(client, (const char *const *)cx->argv, &list, &error) < 0)
		return out_error(error);
	if (CX_ARGS(cx, struct list_args)->quiet) {
		for (size_t i = 0; i < ctrd_containers_count(list); i++)
			printf("%s\n", ctrd_container_id(ctrd_containers_at(list, i)));
		return 0;
	}
	tabwriter_init(&t, 4, 8, 4, ' ');
	tabwriter_add(&t, "CONTAINER\tIMAGE\tRUNTIME\t\n");
	for (size_t i = 0; i < ctrd_containers_count(list); i++) {
		const struct ctrd_container *c = ctrd_containers_at(list, i);

		tabwriter_addf(&t, "%s\t%s\t%s\t\n", ctrd_container_id(c),
				str_or(ctrd_container_image(c), "-"),
				ctrd_container_runtime(c));
	}
	out_table(&t);
	return 0;
}

static int run_create(struct cx *cx)
{
	AUTO(ctrd_client_close) struct ctrd_client *client = NULL;
	AUTO(ctrd_container_free) struct ctrd_container *container = NULL;
	AUTO(ctrd_spec_free) struct ctrd_spec *spec = NULL;
	const char *id = NULL;
	int status = check_create_args(cx, ": invalid argument", &id);

	if (status == 0)
		status = cx_connect(cx, &client);
	if (status == 0)
		status = create_container(cx, client, &container, &spec);
	return status;
}

/* --- info --------------------------------------------------------------------------------- */

static struct jnode *extensions_node(const struct ctrd_container *c)
{
	struct jnode *n = jnode_object();

	for (size_t i = 0; ctrd_container_extension_key(c, i) != NULL; i++)
		jnode_set(n, ctrd_container_extension_key(c, i),
				any_node(ctrd_container_extension(c, i)));
	return n;
}

/* The spec in the order of the original's structs; what is no JSON is shown as it is stored. */
static struct jnode *spec_node(const struct ctrd_container *c)
{
	const struct ctrd_any *any = ctrd_container_spec(c);
	AUTO(ctrd_spec_free) struct ctrd_spec *spec = NULL;
	AUTO_ERR struct err err = { 0 };
	struct jnode *n = NULL;
	size_t size = 0;
	const void *value = ctrd_any_value(any, &size);
	char *text;

	if (any == NULL || ctrd_spec_parse(value, size, &spec, NULL) < 0)
		return any_node(any);
	text = ctrd_spec_json(spec, NULL);
	if (jnode_parse(text, strlen(text), &n, &err) < 0)
		n = any_node(any);
	ctrd_free(text);
	return n;
}

static struct jnode *container_node(const struct ctrd_container *c)
{
	struct jnode *n = jnode_object(), *labels = labels_node(ctrd_container_labels(c));
	struct jnode *runtime;
	char when[GO_TIME_SIZE];

	jnode_set_str(n, "ID", ctrd_container_id(c));
	jnode_set(n, "Labels", labels == NULL ? jnode_text(NULL) : labels);
	jnode_set_str(n, "Image", ctrd_container_image(c));
	runtime = jnode_need_object(n, "Runtime");
	jnode_set_str(runtime, "Name", ctrd_container_runtime(c));
	jnode_set(runtime, "Options", any_node(ctrd_container_runtime_options(c)));
	jnode_set_str(n, "SnapshotKey", ctrd_container_snapshot_key(c));
	jnode_set_str(n, "Snapshotter", ctrd_container_snapshotter(c));
	json_time_text(ctrd_container_created(c), when);
	jnode_set_str(n, "CreatedAt", when);
	json_time_text(ctrd_container_updated(c), when);
	jnode_set_str(n, "UpdatedAt", when);
	jnode_set(n, "Extensions", extensions_node(c));
	jnode_set_str(n, "SandboxID", ctrd_container_sandbox(c));
	jnode_set(n, "Spec", spec_node(c));
	return n;
}

static int run_info(struct cx *cx)
{
	AUTO(ctrd_client_close) struct ctrd_client *client = NULL;
	AUTO(ctrd_container_free) struct ctrd_container *c = NULL;
	AUTO(jnode_free) struct jnode *n = NULL;
	struct ctrd_error *error = NULL;
	int status;

	if (cx_arg(cx, 0)[0] == '\0')
		return out_fail("container id must be provided: invalid argument");
	status = cx_connect(cx, &client);
	if (status != 0)
		return status;
	if (ctrd_container_get(client, cx->argv[0], &c, &error) < 0)
		return out_error(error);
	n = CX_ARGS(cx, struct info_args)->spec ? spec_node(c) : container_node(c);
	out_json(n, "    ");
	return 0;
}

/* --- labels, removing --------------------------------------------------------------------- */

static int run_label(struct cx *cx)
{
	AUTO(ctrd_client_close) struct ctrd_client *client = NULL;
	AUTO(ctrd_container_free) struct ctrd_container *c = NULL;
	AUTO(ctrd_labels_free) struct ctrd_labels *labels = NULL;
	AUTO_FREE char *text = NULL;
	struct ctrd_error *error = NULL;
	int status;

	if (cx_arg(cx, 0)[0] == '\0')
		return out_fail("container id must be provided: invalid argument");
	status = cx_connect(cx, &client);
	if (status != 0)
		return status;
	labels = labels_of_args(cx->argv + 1, "");
	if (ctrd_labels_count(labels) == 0) {
		if (ctrd_container_get(client, cx->argv[0], &c, &error) < 0)
			return out_error(error);
	} else if (ctrd_container_set_labels(client, cx->argv[0], labels, &c, &error) < 0) {
		return out_error(error);
	}
	text = labels_text(ctrd_container_labels(c));
	printf("%s\n", text);
	return 0;
}

static const char *status_word(int status)
{
	static const char *const words[] = { "unknown", "created", "running", "stopped",
		"paused", "pausing" };

	return status < 0 || (size_t)status >= ARRAY_LEN(words) ? "unknown" : words[status];
}

/* A text to be printed, or NULL if it is gone. Owned. */
static char *remove_one(struct ctrd_client *client, const char *id, bool keep_snapshot)
{
	AUTO_ERROR struct ctrd_error *error = NULL;
	AUTO(ctrd_process_free) struct ctrd_process *p = NULL;
	uint32_t exit_status;
	int status = CTRD_TASK_STOPPED;

	if (ctrd_task_state(client, id, NULL, &p, NULL) == 0) {
		char when[GO_TIME_SIZE];

		status = ctrd_process_status(p);
		go_time_text(ctrd_process_exited(p), when);
		if (status != CTRD_TASK_STOPPED && status != CTRD_TASK_CREATED)
			return xasprintf("cannot delete a non stopped container: {%s %u %s}",
					status_word(status), ctrd_process_exit_status(p), when);
		if (ctrd_task_remove(client, id, NULL, status == CTRD_TASK_CREATED,
				    &exit_status, &error) < 0)
			return xstrdup(ctrd_error_text(error));
	}
	if (ctrd_container_remove(client, id, keep_snapshot, &error) < 0)
		return xstrdup(ctrd_error_text(error));
	return NULL;
}

static int run_remove(struct cx *cx)
{
	AUTO(ctrd_client_close) struct ctrd_client *client = NULL;
	AUTO_FREE char *first = NULL;
	int status = cx_connect(cx, &client);

	if (status != 0)
		return status;
	if (cx->argc == 0)
		return out_fail("must specify at least one container to delete: invalid "
				"argument");
	for (int i = 0; i < cx->argc; i++) {
		char *why = remove_one(client, cx->argv[i],
				CX_ARGS(cx, struct remove_args)->keep_snapshot);
		AUTO_FREE char *id = str_quote(cx->argv[i]);

		if (why == NULL)
			continue;
		out_log_text("error", why, "failed to delete container %s", id);
		if (first == NULL)
			first = why;
		else
			free(why);
	}
	return first == NULL ? 0 : out_fail("%s", first);
}

/* --- tables ------------------------------------------------------------------------------- */

static const struct flag list_flags[] = {
	FLAG("quiet, q", FLAG_SWITCH, offsetof(struct list_args, quiet), "print only ids"),
	{ 0 },
};

static const struct flag info_flags[] = {
	FLAG("spec", FLAG_SWITCH, offsetof(struct info_args, spec),
			"print only the runtime spec"),
	{ 0 },
};

static const struct flag remove_flags[] = {
	FLAG("keep-snapshot", FLAG_SWITCH, offsetof(struct remove_args, keep_snapshot),
			"leave the container's snapshot"),
	{ 0 },
};

static const struct flag create_flags[] = {
	RUNTIME_FLAGS,
	SNAPSHOT_FLAGS,
	CONTAINER_FLAGS,
	{ 0 },
};

const struct command containers_commands[] = {
	{ .names = "create",
			.help = "create a container",
			.args = "[flags] Image|RootFS CONTAINER [COMMAND] [ARG...]",
			.flags = create_flags,
			.args_size = sizeof(struct run_args),
			.run = run_create },
	{ .names = "delete, del, remove, rm",
			.help = "remove containers that do not run",
			.args = "[flags] CONTAINER [CONTAINER, ...]",
			.flags = remove_flags,
			.args_size = sizeof(struct remove_args),
			.run = run_remove },
	{ .names = "info",
			.help = "print what is known of a container",
			.args = "CONTAINER",
			.flags = info_flags,
			.args_size = sizeof(struct info_args),
			.run = run_info },
	{ .names = "list, ls",
			.help = "list containers",
			.args = "[flags] [<filter>, ...]",
			.flags = list_flags,
			.args_size = sizeof(struct list_args),
			.run = run_list },
	{ .names = "label",
			.help = "set and clear labels of a container",
			.args = "[flags] CONTAINER [<key>=<value>, ...]",
			.run = run_label },
	{ 0 },
};
