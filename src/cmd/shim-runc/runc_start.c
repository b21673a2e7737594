/* SPDX-License-Identifier: Apache-2.0 */
/* Start of a created container, of one to be restored from a checkpoint, and of an added
 * process. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "api/pb/task_v3.pb-c.h"
#include "base/auto.h"
#include "base/io.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "cmd/shim-runc/runc_bundle.h"
#include "cmd/shim-runc/runc_create_priv.h"
#include "cmd/shim-runc/runc_service_priv.h"
#include "cmd/shim-runc/runc_shim_priv.h"
#include "os/process.h"

static void answer_pid(struct op *op)
{
	TaskV3__StartResponse response = TASK_V3__START_RESPONSE__INIT;

	response.pid = (uint32_t)op->p->pid;
	op_answer(op, &response.base);
}

static void init_started(
		struct op *op, const struct runner_result *result, const struct err *failure)
{
	AUTO_ERR struct err err = { 0 };

	if (failure != NULL) {
		runc_fail(&op->c->runc, "OCI runtime start failed", failure, &err);
		op_fail(op, &err);
		return;
	}
	op->p->state = PROC_RUNNING;
	publish_start(op->c);
	answer_pid(op);
}

static void restore_fail(struct op *op, const struct err *err)
{
	reaper_release(op->c->shim->reaper);
	op_fail(op, err);
}

static void restore_attached(struct op *op, const struct err *failure)
{
	AUTO_FREE char *path = xasprintf("%s/init.pid", op->c->bundle);
	AUTO_ERR struct err err = { 0 };
	int rc;

	if (failure != NULL) {
		restore_fail(op, failure);
		return;
	}
	if (bundle_read_pid(path, &op->p->pid, &err) < 0) {
		(void)err_wrap(&err, "failed to retrieve OCI runtime container pid");
		restore_fail(op, &err);
		return;
	}
	op->p->state = PROC_RUNNING;
	rc = cgroup_of_pid(op->p->pid, &op->c->cgroup);
	if (rc < 0)
		log_error(NULL, "%s: loading cgroup of %d: %s (ignored)", op->c->id, op->p->pid,
				errno_text(-rc));
	container_watch_oom(op->c);
	publish_start(op->c);
	proc_watch_exit(op->p);
	reaper_release(op->c->shim->reaper);
	answer_pid(op);
}

static void restored(
		struct op *op, const struct runner_result *result, const struct err *failure)
{
	AUTO_ERR struct err err = { 0 };

	if (failure == NULL) {
		op_attach_console(op, restore_attached);
		return;
	}
	runc_fail(&op->c->runc, "OCI runtime restore failed", failure, &err);
	restore_fail(op, &err);
}

static void add_option(char ***argv, const char *flag, const char *value)
{
	if (str_is_empty(value))
		return;
	strv_add(argv, flag);
	strv_add(argv, value);
}

static char **restore_argv(const struct container *c, const char *pty)
{
	AUTO_FREE char *work = xasprintf("%s/work", c->bundle);
	char **argv = runc_argv(&c->runc, "restore");

	add_option(&argv, "--image-path", c->checkpoint);
	add_option(&argv, "--work-path", str_or(c->options.criu_work_path, work));
	add_option(&argv, "--parent-path", c->parent_checkpoint);
	strv_add(&argv, "--detach");
	strv_add(&argv, "--pid-file");
	strv_addf(&argv, "%s/init.pid", c->bundle);
	add_option(&argv, "--console-socket", pty);
	if (c->options.no_pivot_root)
		strv_add(&argv, "--no-pivot");
	strv_add(&argv, "-no-subreaper");
	strv_add(&argv, "--bundle");
	strv_add(&argv, c->bundle);
	strv_add(&argv, c->id);
	return argv;
}

static void restore(struct op *op)
{
	AUTO_ERR struct err err = { 0 };
	const char *pty;

	if (op_open_pty(op, &pty, &err) < 0) {
		(void)err_wrap(&err, "failed to create OCI runtime console socket");
		op_fail(op, &err);
		return;
	}
	reaper_hold(op->c->shim->reaper);
	if (op_run_with_io(op, restore_argv(op->c, pty), restored, &err) < 0)
		restored(op, NULL, &err);
}

static void init_start(struct op *op)
{
	AUTO_ERR struct err err = { 0 };
	char **argv;

	if (proc_check_init(op->p->state, PROC_OP_START, &err) < 0) {
		op_fail(op, &err);
		return;
	}
	if (op->p->state == PROC_CREATED_CHECKPOINT) {
		restore(op);
		return;
	}
	op->finishes = true;
	argv = runc_argv(&op->c->runc, "start");
	strv_add(&argv, op->c->id);
	op_run(op, argv, op_captured, init_started);
}

static void nothing(void *arg)
{
	(void)arg;
}

static void exec_fail(struct op *op, const struct err *err)
{
	if (op->holds_exits)
		reaper_release(op->c->shim->reaper);
	proc_close_io(op->p, nothing, NULL);
	proc_uncount(op->p);
	op_fail(op, err);
}

static void exec_attached(struct op *op, const struct err *failure)
{
	AUTO_ERR struct err err = { 0 };

	if (op_read_pid(op, &err) < 0) {
		(void)err_wrap(&err, "failed to retrieve OCI runtime exec pid");
		exec_fail(op, &err);
		return;
	}
	if (failure != NULL) {
		/* It runs, but nobody would ever hear of it. */
		AUTO_CLOSE int pidfd = pidfd_of(op->p->pid);

		if (pidfd >= 0 && pidfd_is_child(pidfd))
			IGNORE(pidfd_signal(pidfd, SIGKILL)); /* it has just ended */
		op->p->pid = 0;
		exec_fail(op, failure);
		return;
	}
	op->p->state = PROC_RUNNING;
	op->p->is_over = false; /* an earlier start had failed */
	free(take_ptr(op->p->spec));
	publish_exec_started(op->p);
	proc_watch_exit(op->p);
	reaper_release(op->c->shim->reaper);
	answer_pid(op);
}

static void exec_ran(
		struct op *op, const struct runner_result *result, const struct err *failure)
{
	AUTO_ERR struct err err = { 0 };

	if (failure == NULL) {
		op_attach_console(op, exec_attached);
		return;
	}
	runc_fail(&op->c->runc, "OCI runtime exec failed", failure, &err);
	proc_tell_waiters(op->p);
	exec_fail(op, &err);
}

/* In the bundle, which goes with the container whatever happens to us. */
static int write_spec(struct op *op, struct err *err)
{
	char *path = xasprintf("%s/runc-process-XXXXXX", op->c->bundle);
	AUTO_CLOSE int fd = mkostemp(path, O_CLOEXEC);
	int rc;

	if (fd < 0) {
		(void)err_sys(err, errno, "open %s", path);
		free(path);
		return -1;
	}
	op->temp_path = path;
	rc = io_write_all(fd, op->p->spec, op->p->spec_size);
	return rc < 0 ? err_sys(err, -rc, "write %s", path) : 0;
}

static char **exec_argv(struct op *op, const char *pty)
{
	char **argv = runc_argv(&op->c->runc, "exec");

	strv_add(&argv, "--process");
	strv_add(&argv, op->temp_path);
	add_option(&argv, "--console-socket", pty);
	strv_add(&argv, "--detach");
	strv_add(&argv, "--pid-file");
	strv_add(&argv, op_pid_path(op));
	strv_add(&argv, op->c->id);
	return argv;
}

static void exec_opened(void *arg, const struct err *failure)
{
	struct op *op = arg;
	AUTO_ERR struct err cause = { 0 };
	AUTO_ERR struct err err = { 0 };
	const char *pty;

	if (failure != NULL) {
		exec_fail(op, failure);
		return;
	}
	if (op_open_pty(op, &pty, &err) < 0) {
		(void)err_wrap(&err, "failed to create runc console socket");
		exec_fail(op, &err);
		return;
	}
	if (write_spec(op, &err) < 0) {
		exec_fail(op, &err);
		return;
	}
	reaper_hold(op->c->shim->reaper);
	op->holds_exits = true;
	op->finishes = true;
	if (op_run_with_io(op, exec_argv(op, pty), exec_ran, &cause) < 0)
		exec_ran(op, NULL, &cause);
}

static int check_init_lives(const struct container *c, struct err *err)
{
	if (c->init != NULL && !c->init->has_exited)
		return 0;
	return err_set(err, ERR_PRECONDITION, "container %s init process is not running",
			c->id);
}

static void exec_start(struct op *op)
{
	AUTO_ERR struct err err = { 0 };

	if (check_init_lives(op->c, &err) < 0 ||
			proc_check_exec(op->p->state, PROC_OP_START, &err) < 0) {
		op_fail(op, &err);
		return;
	}
	op->p->counts = true;
	op->c->live_execs++;
	op_open_io(op, exec_opened);
}

TASK_HANDLER(task_start)
{
	const TaskV3__StartRequest *r = (const TaskV3__StartRequest *)request;
	struct container *c = container_find(self, r->id, err);
	struct proc *p = c == NULL ? NULL : proc_find(c, r->exec_id, err);

	/* The exec is looked for first, as the original's daemon does: ours leaves it to us. */
	if (p == NULL || (!p->is_init && check_init_lives(c, err) < 0))
		return CALL_FAILED;
	op_take_turn(op_new(call, c, p), &p->turns, p->is_init ? init_start : exec_start);
	return CALL_PARKED;
}
