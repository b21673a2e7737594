/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/str.h"
#include "cmd/ctr/ctr_client.h"
#include "cmd/ctr/ctr_cmds.h"
#include "cmd/ctr/ctr_out.h"

struct plugins_args {
	bool quiet, detailed;
};

/* A failure may have lines; a cell may not. */
static const char *status_of(const struct ctrd_plugin *p)
{
	if (ctrd_plugin_error_code(p) == CTRD_OK && ctrd_plugin_error_text(p)[0] == '\0')
		return "ok";
	return strstr(ctrd_plugin_error_text(p), "skip plugin") != NULL ? "skip" : "error";
}

/* As gRPC for Go calls its codes. */
static const char *code_name(int code)
{
	static const char *const names[] = { "OK", "Canceled", "Unknown", "InvalidArgument",
		"DeadlineExceeded", "NotFound", "AlreadyExists", "PermissionDenied",
		"ResourceExhausted", "FailedPrecondition", "Aborted", "OutOfRange",
		"Unimplemented", "Internal", "Unavailable", "DataLoss", "Unauthenticated" };

	return code < 0 || (size_t)code >= ARRAY_LEN(names) ? "Unknown" : names[code];
}

static char *join(const char *(*at)(const struct ctrd_plugin *p, size_t i),
		const struct ctrd_plugin *p, const char *separator, const char *none)
{
	AUTO_STRV char **v = NULL;

	for (size_t i = 0; at(p, i) != NULL; i++)
		strv_add(&v, at(p, i));
	return strv_join(v == NULL ? (char *const[]){ (char *)none, NULL } : v, separator);
}

static void print_table(const struct ctrd_plugins *list)
{
	struct tabwriter t;

	tabwriter_init(&t, 4, 8, 4, ' ');
	tabwriter_add(&t, "TYPE\tID\tPLATFORMS\tSTATUS\t\n");
	for (size_t i = 0; i < ctrd_plugins_count(list); i++) {
		const struct ctrd_plugin *p = ctrd_plugins_at(list, i);
		AUTO_FREE char *platforms = join(ctrd_plugin_platform, p, ",", "-");

		tabwriter_addf(&t, "%s\t%s\t%s\t%s\t\n", ctrd_plugin_type(p), ctrd_plugin_id(p),
				platforms, status_of(p));
	}
	out_table(&t);
}

/* --- blocks ------------------------------------------------------------------------------- */

static void add_exports(struct tabwriter *t, const struct ctrd_labels *exports)
{
	if (ctrd_labels_count(exports) == 0)
		return;
	tabwriter_add(t, "Exports:\t\n");
	for (size_t i = 0; i < ctrd_labels_count(exports); i++)
		tabwriter_addf(t, "\t %s \t %s\n", ctrd_labels_key(exports, i),
				ctrd_labels_value(exports, i));
}

static void add_items(struct tabwriter *t, const char *title,
		const char *(*at)(const struct ctrd_plugin *p, size_t i),
		const struct ctrd_plugin *p)
{
	if (at(p, 0) == NULL)
		return;
	tabwriter_addf(t, "%s\t\n", title);
	for (size_t i = 0; at(p, i) != NULL; i++)
		tabwriter_addf(t, "\t %s\n", at(p, i));
}

static void add_block(struct tabwriter *t, const struct ctrd_plugin *p)
{
	AUTO_FREE char *capabilities = join(ctrd_plugin_capability, p, ",", "");

	tabwriter_addf(t, "Type:\t %s\n", ctrd_plugin_type(p));
	tabwriter_addf(t, "ID:\t %s\n", ctrd_plugin_id(p));
	add_items(t, "Requires:", ctrd_plugin_require, p);
	if (ctrd_plugin_platform(p, 0) != NULL) {
		AUTO_FREE char *platforms = join(ctrd_plugin_platform, p, ",", "");

		tabwriter_addf(t, "Platforms:\t %s\n", platforms);
	}
	add_exports(t, ctrd_plugin_exports(p));
	if (capabilities[0] != '\0')
		tabwriter_addf(t, "Capabilities:\t %s\n", capabilities);
	if (strcmp(status_of(p), "ok") != 0) {
		tabwriter_add(t, "Error:\t\n");
		tabwriter_addf(t, "\t Code:\t %s\n", code_name(ctrd_plugin_error_code(p)));
		tabwriter_addf(t, "\t Message:\t %s\n", ctrd_plugin_error_text(p));
	}
	tabwriter_add(t, "\t\t\t\n");
}

static int run_list(struct cx *cx)
{
	const struct plugins_args *args = cx->args;
	AUTO(ctrd_client_close) struct ctrd_client *client = NULL;
	AUTO(ctrd_plugins_free) struct ctrd_plugins *list = NULL;
	struct ctrd_error *error = NULL;
	struct tabwriter t;
	int status = cx_connect(cx, &client);

	if (status != 0)
		return status;
	if (ctrd_plugins_list(client, (const char *const *)cx->argv, &list, &error) < 0)
		return out_error(error);
	if (args->quiet) {
		for (size_t i = 0; i < ctrd_plugins_count(list); i++)
			printf("%s\n", ctrd_plugin_id(ctrd_plugins_at(list, i)));
		return 0;
	}
	if (!args->detailed) {
		print_table(list);
		return 0;
	}
	tabwriter_init(&t, 4, 8, 4, ' ');
	for (size_t i = 0; i < ctrd_plugins_count(list); i++)
		add_block(&t, ctrd_plugins_at(list, i));
	out_table(&t);
	return 0;
}

static const struct flag list_flags[] = {
	FLAG("quiet, q", FLAG_SWITCH, offsetof(struct plugins_args, quiet), "print only ids"),
	FLAG("detailed, d", FLAG_SWITCH, offsetof(struct plugins_args, detailed),
			"print everything about each plugin"),
	{ 0 },
};

const struct command plugins_commands[] = {
	{ .names = "list, ls",
			.help = "list plugins",
			.args = "[<filter>, ...]",
			.flags = list_flags,
			.args_size = sizeof(struct plugins_args),
			.run = run_list },
	{ 0 },
};
