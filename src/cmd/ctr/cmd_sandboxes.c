/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <string.h>

#include "base/str.h"
#include "cmd/ctr/cmd_run.h"
#include "cmd/ctr/ctr_client.h"
#include "cmd/ctr/ctr_cmds.h"
#include "cmd/ctr/ctr_out.h"
#include "text/jnode.h"

struct run_sandbox_args {
	const char *runtime;
};

struct list_args {
	char **filters;
};

struct remove_args {
	bool force;
};

static int read_spec(const char *path, struct ctrd_spec **ret_spec)
{
	AUTO_FREE char *text = NULL;
	struct ctrd_error *error = NULL;
	int status = read_whole_file("failed to read sandbox config: ", path, &text);

	if (status != 0)
		return status;
	if (ctrd_spec_parse(text, strlen(text), ret_spec, &error) < 0)
		return out_error_in("failed to parse sandbox config", error);
	return 0;
}

static int run_run_sandbox(struct cx *cx)
{
	AUTO(ctrd_client_close) struct ctrd_client *client = NULL;
	AUTO(ctrd_sandbox_free) struct ctrd_sandbox *sandbox = NULL;
	AUTO(ctrd_spec_free) struct ctrd_spec *spec = NULL;
	struct ctrd_sandbox_options o = CTRD_SANDBOX_OPTIONS_INIT;
	struct ctrd_error *error = NULL;
	int status;

	if (cx->argc != 2)
		return cx_show_help(cx);
	status = read_spec(cx->argv[0], &spec);
	if (status == 0)
		status = cx_connect(cx, &client);
	if (status != 0)
		return status;
	o.runtime = CX_ARGS(cx, struct run_sandbox_args)->runtime;
	o.spec = spec;
	if (ctrd_sandbox_create(client, cx->argv[1], &o, &sandbox, &error) < 0)
		return out_error_in("failed to create new sandbox", error);
	if (ctrd_sandbox_start(client, sandbox, &error) < 0)
		return out_error_in("failed to start", error);
	printf("%s\n", ctrd_sandbox_id(sandbox));
	return 0;
}

static int run_list(struct cx *cx)
{
	const struct list_args *args = cx->args;
	AUTO(ctrd_client_close) struct ctrd_client *client = NULL;
	AUTO(ctrd_sandboxes_free) struct ctrd_sandboxes *list = NULL;
	struct ctrd_error *error = NULL;
	struct tabwriter t;
	int status = cx_connect(cx, &client);

	if (status != 0)
		return status;
	if (ctrd_sandboxes_list(client, (const char *const *)args->filters, &list, &error) < 0)
		return out_error_in("failed to list sandboxes", error);
	tabwriter_init(&t, 1, 8, 1, ' ');
	tabwriter_add(&t, "ID\tCREATED\tRUNTIME\t\n");
	for (size_t i = 0; i < ctrd_sandboxes_count(list); i++) {
		const struct ctrd_sandbox *s = ctrd_sandboxes_at(list, i);
		char when[GO_TIME_SIZE];

		go_time_text(ctrd_sandbox_created(s), when);
		tabwriter_addf(&t, "%s\t%s\t%s\t\n", ctrd_sandbox_id(s), when,
				ctrd_sandbox_runtime(s));
	}
	out_table(&t);
	return 0;
}

/* What fails is logged; the others are removed all the same. */
static void remove_one(struct ctrd_client *client, const char *id, bool force)
{
	AUTO(ctrd_sandbox_free) struct ctrd_sandbox *s = NULL;
	AUTO_ERROR struct ctrd_error *error = NULL, *stop_error = NULL;

	if (ctrd_sandbox_get(client, id, &s, &error) < 0) {
		out_log("error", error, "failed to load sandbox %s", id);
		return;
	}
	if (ctrd_sandbox_stop(client, s, &stop_error) < 0) {
		out_log("error", stop_error, "failed to stop sandbox %s", id);
		if (!force)
			return;
	}
	if (ctrd_sandbox_shutdown(client, s, &error) < 0)
		out_log("error", error, "failed to shutdown sandbox %s", id);
	else
		out_log("info", NULL, "deleted: %s", id);
}

static int run_remove(struct cx *cx)
{
	AUTO(ctrd_client_close) struct ctrd_client *client = NULL;
	int status = cx_connect(cx, &client);

	for (int i = 0; i < cx->argc && status == 0; i++)
		remove_one(client, cx->argv[i], CX_ARGS(cx, struct remove_args)->force);
	return status;
}

static struct jnode *sandbox_node(const struct ctrd_sandbox *s)
{
	struct jnode *n = jnode_object(), *labels = labels_node(ctrd_sandbox_labels(s));
	struct jnode *part;
	char when[GO_TIME_SIZE];

	jnode_set_str(n, "ID", ctrd_sandbox_id(s));
	jnode_set(n, "Labels", labels == NULL ? jnode_text(NULL) : labels);
	part = jnode_need_object(n, "Runtime");
	jnode_set_str(part, "Name", ctrd_sandbox_runtime(s));
	jnode_set(part, "Options", any_node(ctrd_sandbox_runtime_options(s)));
	jnode_set(n, "Spec", any_node(ctrd_sandbox_spec(s)));
	jnode_set_str(n, "Sandboxer", ctrd_sandbox_sandboxer(s));
	json_time_text(ctrd_sandbox_created(s), when);
	jnode_set_str(n, "CreatedAt", when);
	json_time_text(ctrd_sandbox_updated(s), when);
	jnode_set_str(n, "UpdatedAt", when);
	part = jnode_need_object(n, "Extensions");
	for (size_t i = 0; ctrd_sandbox_extension_key(s, i) != NULL; i++)
		jnode_set(part, ctrd_sandbox_extension_key(s, i),
				any_node(ctrd_sandbox_extension(s, i)));
	return n;
}

static int run_info(struct cx *cx)
{
	AUTO(ctrd_client_close) struct ctrd_client *client = NULL;
	AUTO(ctrd_sandbox_free) struct ctrd_sandbox *s = NULL;
	AUTO(jnode_free) struct jnode *n = NULL;
	int status = cx_connect(cx, &client);

	if (status != 0)
		return status;
	if (cx_arg(cx, 0)[0] == '\0')
		return out_fail("sandbox id must be provided: invalid argument");
	if (ctrd_sandbox_get(client, cx->argv[0], &s, NULL) < 0)
		return out_fail("failed to load sandbox %s", cx->argv[0]);
	n = sandbox_node(s);
	out_json(n, "    ");
	return 0;
}

static const struct flag run_sandbox_flags[] = {
	FLAG("runtime", FLAG_TEXT, offsetof(struct run_sandbox_args, runtime),
			"runtime, whose shim must know sandboxes",
			.fallback = CTRD_RUNTIME_RUNC),
	{ 0 },
};

static const struct flag list_flags[] = {
	FLAG("filters", FLAG_LIST, offsetof(struct list_args, filters),
			"filter; one of several must match"),
	{ 0 },
};

static const struct flag remove_flags[] = {
	FLAG("force, f", FLAG_SWITCH, offsetof(struct remove_args, force),
			"go on if it does not stop"),
	{ 0 },
};

const struct command sandboxes_commands[] = {
	{ .names = "run, create, c, r",
			.help = "run a sandbox",
			.args = "[flags] <pod-config.json> <sandbox-id>",
			.flags = run_sandbox_flags,
			.args_size = sizeof(struct run_sandbox_args),
			.run = run_run_sandbox },
	{ .names = "list, ls",
			.help = "list sandboxes",
			.flags = list_flags,
			.args_size = sizeof(struct list_args),
			.run = run_list },
	{ .names = "remove, rm",
			.help = "remove sandboxes",
			.args = "[flags] <id> [<id>, ...]",
			.flags = remove_flags,
			.args_size = sizeof(struct remove_args),
			.run = run_remove },
	{ .names = "info, i",
			.help = "print what is recorded of a sandbox",
			.args = "<sandbox id>",
			.run = run_info },
	{ 0 },
};
