/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/err.h"
#include "base/mem.h"
#include "cmd/ctr/ctr_client.h"
#include "cmd/ctr/ctr_cmds.h"
#include "cmd/ctr/ctr_out.h"

struct list_args {
	bool quiet;
};

struct remove_args {
	bool cgroup;
};

static int run_create(struct cx *cx)
{
	AUTO(ctrd_client_close) struct ctrd_client *client = NULL;
	AUTO(ctrd_labels_free) struct ctrd_labels *labels = NULL;
	struct ctrd_error *error = NULL;
	int status;

	if (cx_arg(cx, 0)[0] == '\0')
		return out_fail("please specify a namespace");
	status = cx_connect(cx, &client);
	if (status != 0)
		return status;
	labels = labels_of_args(cx->argv + 1, "true");
	if (ctrd_namespace_create(client, cx->argv[0], labels, &error) < 0)
		return out_error(error);
	return 0;
}

static int run_label(struct cx *cx)
{
	AUTO(ctrd_client_close) struct ctrd_client *client = NULL;
	AUTO(ctrd_labels_free) struct ctrd_labels *labels = NULL;
	struct ctrd_error *error = NULL;
	int status;

	if (cx_arg(cx, 0)[0] == '\0')
		return out_fail("please specify a namespace");
	status = cx_connect(cx, &client);
	if (status != 0)
		return status;
	labels = labels_of_args(cx->argv + 1, "true");
	for (size_t i = 0; i < ctrd_labels_count(labels); i++)
		if (ctrd_namespace_set_label(client, cx->argv[0], ctrd_labels_key(labels, i),
				    ctrd_labels_value(labels, i), &error) < 0)
			return out_error(error);
	return 0;
}

static int run_list(struct cx *cx)
{
	AUTO(ctrd_client_close) struct ctrd_client *client = NULL;
	AUTO(ctrd_namespaces_free) struct ctrd_namespaces *list = NULL;
	struct ctrd_error *error = NULL;
	struct tabwriter t;
	int status = cx_connect(cx, &client);

	if (status != 0)
		return status;
	if (ctrd_namespaces_list(client, &list, &error) < 0)
		return out_error(error);
	tabwriter_init(&t, 1, 8, 1, ' ');
	if (!CX_ARGS(cx, struct list_args)->quiet)
		tabwriter_add(&t, "NAME\tLABELS\t\n");
	for (size_t i = 0; i < ctrd_namespaces_count(list); i++) {
		AUTO_FREE char *labels = labels_text(ctrd_namespaces_labels(list, i));

		if (CX_ARGS(cx, struct list_args)->quiet)
			tabwriter_addf(&t, "%s\n", ctrd_namespaces_name(list, i));
		else
			tabwriter_addf(&t, "%s\t%s\t\n", ctrd_namespaces_name(list, i), labels);
	}
	out_table(&t);
	return 0;
}

/* --- removing ----------------------------------------------------------------------------- */

/* The group that containers of the namespace were below: version 2, or every controller. */
static void remove_cgroup(const char *name)
{
	static const char *const parents[] = { "", "blkio", "cpu", "cpuacct", "cpuset",
		"devices", "freezer", "hugetlb", "memory", "net_cls", "net_prio", "perf_event",
		"pids", "rdma", "systemd", "misc" };

	for (size_t i = 0; i < ARRAY_LEN(parents); i++) {
		AUTO_FREE char *path = xasprintf("/sys/fs/cgroup/%s/%s", parents[i], name);

		if (rmdir(path) < 0 && errno != ENOENT && errno != ENOTDIR)
			out_log("warning", NULL, "rmdir %s: %s", path, errno_text(errno));
	}
}

static int run_remove(struct cx *cx)
{
	AUTO(ctrd_client_close) struct ctrd_client *client = NULL;
	int status = cx_connect(cx, &client), result = 0;

	if (status != 0)
		return status;
	for (int i = 0; i < cx->argc; i++) {
		const char *name = cx->argv[i];
		struct ctrd_error *error = NULL;

		if (ctrd_namespace_remove(client, name, &error) < 0 &&
				ctrd_error_code(error) != CTRD_NOT_FOUND) {
			if (result == 0)
				result = out_fail("unable to delete %s: %s", name,
						ctrd_error_text(error));
			else
				out_log("error", error, "unable to delete %s", name);
			ctrd_error_free(error);
			continue;
		}
		ctrd_error_free(error);
		if (CX_ARGS(cx, struct remove_args)->cgroup && strchr(name, '/') == NULL)
			remove_cgroup(name);
		printf("%s\n", name);
	}
	return result;
}

static const struct flag list_flags[] = {
	FLAG("quiet, q", FLAG_SWITCH, offsetof(struct list_args, quiet), "print only names"),
	{ 0 },
};

static const struct flag remove_flags[] = {
	FLAG("cgroup, c", FLAG_SWITCH, offsetof(struct remove_args, cgroup),
			"remove the namespace's control group, too"),
	{ 0 },
};

const struct command namespaces_commands[] = {
	{ .names = "create, c",
			.help = "create a namespace",
			.args = "<name> [<key>=<value>]",
			.run = run_create },
	{ .names = "list, ls",
			.help = "list namespaces",
			.args = "[flags]",
			.flags = list_flags,
			.args_size = sizeof(struct list_args),
			.run = run_list },
	{ .names = "remove, rm",
			.help = "remove namespaces",
			.args = "<name> [<name>, ...]",
			.flags = remove_flags,
			.args_size = sizeof(struct remove_args),
			.run = run_remove },
	{ .names = "label",
			.help = "set and clear labels of a namespace",
			.args = "<name> [<key>=<value>, ...]",
			.run = run_label },
	{ 0 },
};
