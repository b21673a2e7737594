/* SPDX-License-Identifier: Apache-2.0 */
/* "delete": clears away what a shim that is gone has left (reference 02 §2.14). Comes after
 * every ordinary Delete as well, and must then do nothing. */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "api/pb.h"
#include "api/pb/task_v3.pb-c.h"
#include "api/timestamp.h"
#include "base/auto.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/ident.h"
#include "base/io.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "cmd/shim-runc/runc_actions.h"
#include "cmd/shim-runc/runc_bundle.h"
#include "cmd/shim-runc/runc_call.h"
#include "cmd/shim-runc/runc_options.h"
#include "cmd/shim-runc/runc_rootfs.h"
#include "cmd/shim-runc/runc_spec.h"
#include "loop/loop.h"
#include "os/cgroup.h"
#include "shim/shim_flags.h"
#include "shim/shim_reaper.h"

/* Nobody knows what it was; whoever lost its shim is taken for killed. */
#define STATUS_KILLED	 137
#define DELETE_TRIES	 3
#define CGROUP_TRIES	 10
#define CGROUP_PAUSE_MS	 10
#define UNMOUNT_TRIES	 40
#define UNMOUNT_PAUSE_MS 50

struct forced {
	const char *binary;
	bool is_done;
	int status;
};

static void on_deleted(void *arg, const struct runner_result *result)
{
	struct forced *f = arg;
	AUTO_ERR struct err err = { 0 };

	f->is_done = true;
	f->status = result->status;
	if (result->status == 0)
		return;
	runc_explain(f->binary, result, &err);
	if (!runc_says_missing(&err))
		log_warn(NULL, "failed to remove runc container: %s", err_text(&err));
}

/* The runtime's exit status. */
static int run_delete(const struct shim_flags *flags, const struct runc *r)
{
	const int fds[3] = { -1, RUNNER_CAPTURE, RUNNER_CAPTURE };
	struct forced f = { .binary = runc_options_binary(r->options) };
	AUTO_STRV char **argv = runc_argv(r, "delete");
	AUTO_ERR struct err err = { 0 };
	struct runner *running;

	strv_add(&argv, "--force");
	strv_add(&argv, flags->id);
	if (runc_run(r, argv, fds, on_deleted, &f, &running, &err) < 0) {
		log_warn(NULL, "failed to remove runc container: %s", err_text(&err));
		f.is_done = true;
	}
	while (!f.is_done)
		loop_run_once(r->loop, -1);
	return f.status;
}

static void force_delete(const struct shim_flags *flags, const char *bundle,
		struct runc_options *options)
{
	struct loop *loop = loop_new();
	AUTO(reaper_free) struct reaper *reaper = reaper_new(loop);
	struct runc r = { loop, reaper, options, flags->ns, bundle };
	int tries = 1;

	options->systemd_cgroup = false; /* known to the runtime by its own state */
	/* One that was killed has done half of it, and nobody comes after us. */
	while (run_delete(flags, &r) > 128 && tries < DELETE_TRIES)
		tries++;
	loop_free(loop);
}

/* A runtime that was killed half way has left groups that it knows nothing of. */
static void remove_cgroup(const char *bundle)
{
	AUTO_BUF struct buf config = { 0 };
	AUTO_ERR struct err err = { 0 };
	AUTO_FREE char *group = NULL;
	int rc = -EBUSY;

	if (bundle_read(bundle, "config.json", BUNDLE_MAX_CONFIG, &config, &err) < 0)
		return;
	group = config.size == 0 ? NULL : runc_spec_cgroup(config.data, config.size);
	/* Who is in it was killed and is just ending, or is none of ours. */
	for (int i = 0; group != NULL && rc == -EBUSY && i < CGROUP_TRIES; i++) {
		if (i > 0)
			(void)poll(NULL, 0, CGROUP_PAUSE_MS);
		rc = cgroup_remove(group);
	}
}

static void unmount(const char *bundle)
{
	for (int i = 0;; i++) {
		AUTO_ERR struct err err = { 0 };

		if (rootfs_unmount(bundle, &err) == 0)
			return;
		if (err.sys != EBUSY || i == UNMOUNT_TRIES) {
			log_warn(NULL, "failed to cleanup rootfs mount: %s", err_text(&err));
			return;
		}
		(void)poll(NULL, 0, UNMOUNT_PAUSE_MS); /* nothing tells when it is free */
	}
}

static int answer(const char *bundle, struct err *err)
{
	TaskV3__DeleteResponse response = TASK_V3__DELETE_RESPONSE__INIT;
	AUTO_FREE char *pid_file = xasprintf("%s/init.pid", bundle);
	AUTO_BUF struct buf out = { .limit = SIZE_MAX };
	AUTO_ERR struct err no_pid = { 0 };
	Google__Protobuf__Timestamp when;
	pid_t pid = 0;
	int rc;

	if (bundle_read_pid(pid_file, &pid, &no_pid) < 0 && no_pid.kind != ERR_NOT_FOUND)
		log_warn(NULL, "failed to read init pid file: %s", err_text(&no_pid));
	timestamp_set(&when, clock_wall_ns());
	response.pid = (uint32_t)pid;
	response.exit_status = STATUS_KILLED;
	response.exited_at = &when;
	pb_encode(&response.base, &out);
	rc = io_write_all(STDOUT_FILENO, out.data, out.size);
	return rc < 0 ? err_sys(err, -rc, "write the answer") : 0;
}

static int delete_all(const struct shim_flags *flags, struct err *err)
{
	AUTO_FREE char *cwd = getcwd(NULL, 0);
	AUTO_FREE char *bundle = NULL;
	AUTO_RUNC_OPTIONS struct runc_options options = { 0 };

	if (cwd == NULL)
		return err_sys(err, errno, "getwd");
	if (ident_check(flags->id, err) < 0)
		return -1;
	*strrchr(cwd, '/') = '\0';
	bundle = xasprintf("%s/%s", cwd, flags->id);
	if (bundle_load_options(bundle, &options, err) < 0)
		return -1;
	force_delete(flags, bundle, &options);
	remove_cgroup(bundle);
	unmount(bundle);
	return answer(bundle, err);
}

int action_delete(const struct shim_flags *flags)
{
	AUTO_ERR struct err err = { 0 };

	return delete_all(flags, &err) < 0 ? action_fail(&err) : 0;
}
