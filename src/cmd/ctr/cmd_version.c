/* SPDX-License-Identifier: Apache-2.0 */
/* version, info, deprecations */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/str.h"
#include "cmd/ctr/ctr_client.h"
#include "cmd/ctr/ctr_cmds.h"
#include "cmd/ctr/ctr_out.h"
#include "text/jnode.h"

static void print_versions(const char *version, const char *revision)
{
	printf("  Version:  %s\n  Revision: %s\n", version, revision);
}

static int print_server(struct ctrd_client *client)
{
	AUTO_FREE char *version = NULL, *revision = NULL;
	AUTO(ctrd_server_free) struct ctrd_server *server = NULL;
	struct ctrd_error *error = NULL;

	if (ctrd_client_version(client, &version, &revision, &error) < 0)
		return out_error(error);
	printf("Server:\n");
	print_versions(version, revision);
	if (ctrd_client_server(client, &server, &error) < 0)
		return out_error(error);
	printf("  UUID: %s\n", ctrd_server_uuid(server));
	fflush(stdout);
	if (strcmp(version, ctrd_version()) != 0)
		fputs("WARNING: version mismatch\n", stderr);
	if (strcmp(revision, ctrd_revision()) != 0)
		fputs("WARNING: revision mismatch\n", stderr);
	return 0;
}

int run_version(struct cx *cx)
{
	AUTO(ctrd_client_close) struct ctrd_client *client = NULL;
	AUTO_FREE char *joined = NULL;
	int status;

	if (cx->argc > 0) {
		joined = strv_join(cx->argv, " ");
		return out_fail("extra arguments: &[%s]", joined);
	}
	printf("Client:\n");
	print_versions(ctrd_version(), ctrd_revision());
	printf("  Go version: none (C17)\n\n");
	status = cx_connect(cx, &client);
	return status != 0 ? status : print_server(client);
}

/* --- info --------------------------------------------------------------------------------- */

static struct jnode *deprecation_node(const struct ctrd_server *s, size_t i)
{
	struct jnode *n = jnode_object(), *when;
	int64_t ns = ctrd_server_deprecation_time(s, i);

	jnode_set_str(n, "id", ctrd_server_deprecation_id(s, i));
	jnode_set_str(n, "message", ctrd_server_deprecation_text(s, i));
	when = jnode_need_object(n, "last_occurrence");
	jnode_set(when, "seconds", jnode_i64(ns / NS_PER_S));
	jnode_set(when, "nanos", jnode_i64(ns % NS_PER_S));
	return n;
}

int run_server_info(struct cx *cx)
{
	AUTO(ctrd_client_close) struct ctrd_client *client = NULL;
	AUTO(ctrd_server_free) struct ctrd_server *s = NULL;
	AUTO(jnode_free) struct jnode *doc = jnode_object();
	struct ctrd_error *error = NULL;
	struct jnode *server;
	int status = cx_connect(cx, &client);

	if (status != 0)
		return status;
	if (ctrd_client_server(client, &s, &error) < 0)
		return out_error(error);
	server = jnode_need_object(doc, "server");
	jnode_set_str(server, "uuid", ctrd_server_uuid(s));
	jnode_set(server, "pid", jnode_u64(ctrd_server_pid(s)));
	jnode_set(server, "pidns", jnode_u64(ctrd_server_pidns(s)));
	for (size_t i = 0; i < ctrd_server_deprecations(s); i++)
		jnode_append(jnode_need_array(server, "deprecations"), deprecation_node(s, i));
	out_json(doc, "    ");
	return 0;
}

/* --- deprecations ------------------------------------------------------------------------- */

struct deprecations_args {
	const char *format;
};

static void print_deprecations_json(const struct ctrd_server *s)
{
	AUTO(jnode_free) struct jnode *list = jnode_array();

	for (size_t i = 0; i < ctrd_server_deprecations(s); i++) {
		struct jnode *n = jnode_object();
		char when[GO_TIME_SIZE];

		json_time_text(ctrd_server_deprecation_time(s, i), when);
		jnode_set_str(n, "id", ctrd_server_deprecation_id(s, i));
		jnode_set_str(n, "message", ctrd_server_deprecation_text(s, i));
		jnode_set_str(n, "lastOccurrence", when);
		jnode_append(list, n);
	}
	out_json(list, "    ");
}

static int run_deprecations_list(struct cx *cx)
{
	AUTO(ctrd_client_close) struct ctrd_client *client = NULL;
	AUTO(ctrd_server_free) struct ctrd_server *s = NULL;
	struct ctrd_error *error = NULL;
	struct tabwriter t;
	int status = cx_connect(cx, &client);

	if (status != 0)
		return status;
	if (ctrd_client_server(client, &s, &error) < 0)
		return out_error(error);
	if (ctrd_server_deprecations(s) == 0)
		return 0;
	if (str_eq(CX_ARGS(cx, struct deprecations_args)->format, "json")) {
		print_deprecations_json(s);
		return 0;
	}
	tabwriter_init(&t, 4, 8, 4, ' ');
	tabwriter_add(&t, "ID\tLAST OCCURRENCE\tMESSAGE\t\n");
	for (size_t i = 0; i < ctrd_server_deprecations(s); i++) {
		char when[GO_TIME_SIZE];

		json_time_text(ctrd_server_deprecation_time(s, i), when);
		tabwriter_addf(&t, "%s\t%s\t%s\n", ctrd_server_deprecation_id(s, i), when,
				ctrd_server_deprecation_text(s, i));
	}
	out_table(&t);
	return 0;
}

static const struct flag deprecations_flags[] = {
	FLAG("format", FLAG_TEXT, offsetof(struct deprecations_args, format),
			"\"json\" instead of a table"),
	{ 0 },
};

const struct command deprecations_commands[] = {
	{ .names = "list",
			.help = "list deprecated features in use",
			.flags = deprecations_flags,
			.args_size = sizeof(struct deprecations_args),
			.run = run_deprecations_list },
	{ 0 },
};
