/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/clock.h"
#include "cmd/ctr/ctr_client.h"
#include "cmd/ctr/ctr_cmds.h"
#include "cmd/ctr/ctr_out.h"

struct list_args {
	bool quiet;
};

struct create_args {
	const char *id;
	int64_t expires_ns;
};

struct remove_args {
	bool sync;
};

/* RFC 3339 in local time: "2026-01-02T15:04:05+01:00", or with a Z for UTC. */
static void local_time_text(int64_t ns, char out[GO_TIME_SIZE])
{
	time_t seconds = (time_t)(ns / NS_PER_S);
	char zone[16];
	struct tm tm;

	localtime_r(&seconds, &tm);
	strftime(out, GO_TIME_SIZE, "%Y-%m-%dT%H:%M:%S", &tm);
	if (tm.tm_gmtoff == 0) {
		snprintf(zone, sizeof(zone), "Z");
	} else {
		long minutes = labs(tm.tm_gmtoff) / 60;

		snprintf(zone, sizeof(zone), "%c%02d:%02d", tm.tm_gmtoff < 0 ? '-' : '+',
				(int)(minutes / 60 % 100), (int)(minutes % 60));
	}
	snprintf(out + 19, GO_TIME_SIZE - 19, "%s", zone);
}

static int run_list(struct cx *cx)
{
	AUTO(ctrd_client_close) struct ctrd_client *client = NULL;
	AUTO(ctrd_leases_free) struct ctrd_leases *list = NULL;
	struct ctrd_error *error = NULL;
	bool quiet = CX_ARGS(cx, struct list_args)->quiet;
	struct tabwriter t;
	int status = cx_connect(cx, &client);

	if (status != 0)
		return status;
	if (ctrd_leases_list(client, (const char *const *)cx->argv, &list, &error) < 0)
		return out_error(error);
	tabwriter_init(&t, 1, 8, 1, ' ');
	if (!quiet)
		tabwriter_add(&t, "ID\tCREATED AT\tLABELS\t\n");
	for (size_t i = 0; i < ctrd_leases_count(list); i++) {
		AUTO_FREE char *labels = labels_cell(ctrd_leases_labels(list, i));
		char when[GO_TIME_SIZE];

		local_time_text(ctrd_leases_created(list, i), when);
		if (quiet)
			tabwriter_addf(&t, "%s\n", ctrd_leases_id(list, i));
		else
			tabwriter_addf(&t, "%s\t%s\t%s\t\n", ctrd_leases_id(list, i), when,
					labels);
	}
	out_table(&t);
	return 0;
}

static int run_create(struct cx *cx)
{
	const struct create_args *args = cx->args;
	AUTO(ctrd_client_close) struct ctrd_client *client = NULL;
	AUTO(ctrd_labels_free) struct ctrd_labels *labels = labels_of_args(cx->argv, "");
	AUTO_FREE char *id = NULL;
	struct ctrd_error *error = NULL;
	int status = cx_connect(cx, &client);

	if (status != 0)
		return status;
	if (ctrd_lease_create(client, args->id, args->expires_ns, labels, &id, &error) < 0)
		return out_error(error);
	printf("%s\n", id);
	return 0;
}

static int run_remove(struct cx *cx)
{
	AUTO(ctrd_client_close) struct ctrd_client *client = NULL;
	int status;

	if (cx->argc == 0)
		return cx_show_help(cx);
	status = cx_connect(cx, &client);
	for (int i = 0; i < cx->argc && status == 0; i++) {
		struct ctrd_error *error = NULL;
		bool sync = CX_ARGS(cx, struct remove_args)->sync && i == cx->argc - 1;

		if (ctrd_lease_remove(client, cx->argv[i], sync, &error) < 0)
			return out_error(error);
		printf("%s\n", cx->argv[i]);
	}
	return status;
}

static const struct flag list_flags[] = {
	FLAG("quiet, q", FLAG_SWITCH, offsetof(struct list_args, quiet), "print only ids"),
	{ 0 },
};

static const struct flag create_flags[] = {
	FLAG("id", FLAG_TEXT, offsetof(struct create_args, id), "id instead of a random one"),
	FLAG("expires, x", FLAG_DURATION, offsetof(struct create_args, expires_ns),
			"how long it lives (0: until it is removed)", .fallback = "24h"),
	{ 0 },
};

static const struct flag remove_flags[] = {
	FLAG("sync", FLAG_SWITCH, offsetof(struct remove_args, sync),
			"return after garbage was collected"),
	{ 0 },
};

const struct command leases_commands[] = {
	{ .names = "list, ls",
			.help = "list leases",
			.args = "[flags] <filter>",
			.flags = list_flags,
			.args_size = sizeof(struct list_args),
			.run = run_list },
	{ .names = "create",
			.help = "create a lease",
			.args = "[flags] <label>=<value> ...",
			.flags = create_flags,
			.args_size = sizeof(struct create_args),
			.run = run_create },
	{ .names = "delete, del, remove, rm",
			.help = "remove leases",
			.args = "[flags] <lease id> ...",
			.flags = remove_flags,
			.args_size = sizeof(struct remove_args),
			.run = run_remove },
	{ 0 },
};
