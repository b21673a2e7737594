/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/ctr/cmd_run.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/err.h"
#include "base/io.h"
#include "base/mem.h"
#include "base/str.h"
#include "cmd/ctr/cmd_attend.h"
#include "cmd/ctr/cmd_task_run.h"
#include "cmd/ctr/ctr_client.h"
#include "cmd/ctr/ctr_cmds.h"
#include "cmd/ctr/ctr_out.h"

typedef const struct run_args args_type;

static int dump_config(const char *name, struct ctrd_spec *spec)
{
	AUTO_CLOSE int fd = -1;
	char *json;
	int rc;

	if (name[0] == '\0')
		return out_fail("file name is required with --dump-config");
	fd = open(name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
	if (fd < 0)
		return out_fail("open %s: %s", name, errno_text(errno));
	json = ctrd_spec_json(spec, "  ");
	rc = io_write_all(fd, json, strlen(json));
	if (rc == 0)
		rc = io_write_all(fd, "\n", 1);
	ctrd_free(json);
	return rc < 0 ? out_fail("write %s: %s", name, errno_text(-rc)) : 0;
}

/* A client that was cancelled on the way is of no use any more. */
static void remove_container(const struct cx *cx, struct ctrd_client *client, const char *id)
{
	AUTO(ctrd_client_close) struct ctrd_client *fresh = NULL;
	AUTO_ERROR struct ctrd_error *error = NULL;

	if (client == NULL && cx_connect(cx, &fresh) != 0)
		return;
	if (ctrd_container_remove(client == NULL ? fresh : client, id, 0, &error) < 0)
		out_log("error", error, "failed to cleanup container");
}

static int run_task(struct cx *cx, struct ctrd_client *client, const char *id,
		struct ctrd_spec *spec)
{
	args_type *args = cx->args;
	struct task_run t = { .client = client,
		.container = id,
		.terminal = ctrd_spec_terminal(spec) != 0,
		.detach = args->detach,
		.null_io = args->null_io,
		.no_pivot = args->no_pivot,
		.log_uri = args->log_uri,
		.fifo_dir = args->fifo_dir,
		.pid_file = args->pid_file,
		.io_uid = ctrd_spec_root_uid(spec),
		.io_gid = ctrd_spec_root_gid(spec) };
	int status = 0;

	if (cx_is_given(cx, "dump-config"))
		status = dump_config(args->dump_config, spec);
	if (status == 0)
		status = task_run(&t);
	if (args->remove)
		remove_container(cx, t.is_cancelled ? NULL : client, id);
	return status;
}

int run_run(struct cx *cx)
{
	args_type *args = cx->args;
	AUTO(ctrd_client_close) struct ctrd_client *client = NULL;
	AUTO(ctrd_container_free) struct ctrd_container *container = NULL;
	AUTO(ctrd_spec_free) struct ctrd_spec *spec = NULL;
	const char *id = NULL;
	int status = check_create_args(cx, "", &id);

	if (status != 0)
		return status;
	if (args->detach && args->remove)
		return out_fail("flags --detach and --rm cannot be specified together");
	status = cx_connect(cx, &client);
	if (status == 0)
		status = create_container(cx, client, &container, &spec);
	return status != 0 ? status : run_task(cx, client, id, spec);
}

const struct flag run_flags[] = {
	CONTAINER_SWITCH("rm", remove, "remove the container when it has ended"),
	CONTAINER_SWITCH("null-io", null_io, "connect the process to /dev/null"),
	CONTAINER_TEXT("log-uri", log_uri, "where output is logged to"),
	CONTAINER_SWITCH("detach, d", detach, "return once the process runs"),
	CONTAINER_TEXT("fifo-dir", fifo_dir, "directory for named pipes"),
	CONTAINER_TEXT("cgroup", cgroup, "path of the control group; none if given as \"\""),
	CONTAINER_TEXT("platform", platform, "platform of the image to run"),
	CONTAINER_SWITCH("cni", cni, "connect the container to a network with CNI"),
	CONTAINER_SWITCH("sync-fs", sync_fs, "flush each layer's file system"),
	CONTAINER_TEXT("dump-config", dump_config, "file to write the runtime spec to"),
	RUNTIME_FLAGS,
	CONTAINER_LIST("uidmap", uidmaps, "map user ids, as `container-uid:host-uid:length`"),
	CONTAINER_LIST("gidmap", gidmaps, "map group ids, as `container-gid:host-gid:length`"),
	CONTAINER_SWITCH("remap-labels", remap_labels,
			"let the snapshotter map ids, asked for by labels"),
	CONTAINER_SWITCH("privileged-without-host-devices", no_host_devices,
			"with --privileged, leave out the host's devices"),
	FLAG("cpus", FLAG_REAL, offsetof(struct run_args, cpus), "limit of CPUs"),
	FLAG("cpu-shares", FLAG_INT, offsetof(struct run_args, cpu_shares), "CPU shares",
			.fallback = "1024"),
	CONTAINER_TEXT("cpuset-cpus", cpuset_cpus, "CPUs to run on (0-3,5)"),
	CONTAINER_TEXT("cpuset-mems", cpuset_mems, "memory nodes to use (0,1)"),
	CONTAINER_TEXT("rlimit-nofile", rlimit_nofile, "limit of open files, as soft[:hard]"),
	SNAPSHOT_FLAGS,
	CONTAINER_FLAGS,
	{ 0 },
};
