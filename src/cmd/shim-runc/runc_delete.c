/* SPDX-License-Identifier: Apache-2.0 */
/* Delete: what is left of a process that has ended. */
#include <errno.h>
#include <unistd.h>

#include "api/arena.h"
#include "api/pb/task_v3.pb-c.h"
#include "api/timestamp.h"
#include "base/auto.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "cmd/shim-runc/runc_rootfs.h"
#include "cmd/shim-runc/runc_service_priv.h"
#include "cmd/shim-runc/runc_shim_priv.h"
#include "loop/loop.h"

/* An init that the runtime's delete has killed ends soon. */
#define EXIT_MS 5000
/* Whoever keeps the root file system busy is usually just ending. */
#define BUSY_TRIES 50
#define BUSY_MS	   50

static void answer_delete(struct op *op)
{
	TaskV3__DeleteResponse response = TASK_V3__DELETE_RESPONSE__INIT;
	Google__Protobuf__Timestamp when;

	timestamp_set(&when, op->p->exited_ns);
	response.pid = (uint32_t)op->p->pid;
	response.exit_status = (uint32_t)op->p->status;
	response.exited_at = &when;
	op_answer(op, &response.base);
}

static void init_deleted(struct op *op)
{
	struct container *c = op->c;

	op->p->state = PROC_DELETED;
	publish_delete(c);
	container_forget(c);
	answer_delete(op);
}

static void unmount_step(struct op *op);

static void on_busy(void *arg)
{
	unmount_step(arg);
}

static void unmount_step(struct op *op)
{
	AUTO_ERR struct err err = { 0 };

	if (op->c->has_rootfs && rootfs_unmount(op->c->bundle, &err) < 0) {
		if (err.sys == EBUSY && op->tries++ < BUSY_TRIES) {
			loop_timer_set(op->timer, BUSY_MS);
			return;
		}
		(void)err_wrap(&err, "failed rootfs umount");
		op_fail(op, &err);
		return;
	}
	op->c->has_rootfs = false;
	init_deleted(op);
}

static void unmount_rootfs(void *arg)
{
	struct op *op = arg;

	if (op->runtime_err.kind != ERR_NONE) {
		op_fail(op, &op->runtime_err);
		return;
	}
	loop_timer_free(op->timer);
	op->timer = loop_timer_new(op->c->shim->loop, on_busy, op);
	unmount_step(op);
}

static void close_init(struct op *op)
{
	loop_timer_free(take_ptr(op->timer));
	op->p->on_exited = NULL;
	op->c->no_execs = NULL;
	if (op->runtime_err.kind == ERR_NONE && op->p->has_exited)
		init_settle_exit(op->c);
	proc_close_io(op->p, unmount_rootfs, op);
}

static void on_all_ended(void *arg)
{
	close_init(arg);
}

/* Somebody may have added processes to a container that was never started. */
static void on_exit_known(void *arg)
{
	struct op *op = arg;

	if (op->c->live_execs == 0) {
		close_init(op);
		return;
	}
	op->c->no_execs = on_all_ended;
	op->c->no_execs_arg = op;
}

/* A container that was never started ends by its deletion: its exits are told first. */
static void wait_for_exit(struct op *op)
{
	struct proc *p = op->p;

	if (p->pid == 0 || op->runtime_err.kind != ERR_NONE) {
		close_init(op);
		return;
	}
	op->timer = loop_timer_new(op->c->shim->loop, on_all_ended, op);
	loop_timer_set(op->timer, EXIT_MS);
	if (p->has_exited) {
		on_exit_known(op);
		return;
	}
	p->on_exited = on_exit_known;
	p->on_exited_arg = op;
}

static void runtime_deleted(
		struct op *op, const struct runner_result *result, const struct err *failure)
{
	/* A runtime that knows nothing of it has nothing to delete. */
	if (failure != NULL && !runc_says_missing(failure))
		runc_fail(&op->c->runc, "failed to delete task", failure, &op->runtime_err);
	wait_for_exit(op);
}

static void init_drained(struct op *op)
{
	char **argv = runc_argv(&op->c->runc, "delete");

	strv_add(&argv, op->c->id);
	op_run(op, argv, op_captured, runtime_deleted);
}

static void init_delete(struct op *op)
{
	AUTO_ERR struct err err = { 0 };

	if (proc_check_init(op->p->state, PROC_OP_DELETE, &err) < 0)
		op_fail(op, &err);
	else if (op->p->state == PROC_STOPPED)
		op_drain(op, init_drained);
	else
		init_drained(op); /* nothing has run that could have written */
}

static void exec_closed(void *arg)
{
	struct op *op = arg;
	AUTO_FREE char *pid_file = xasprintf("%s/%s.pid", op->c->bundle, op->p->id);

	(void)unlink(pid_file);
	op->p->state = PROC_DELETED;
	if (!list_is_empty(&op->p->node))
		proc_forget(op->p);
	answer_delete(op);
}

static void exec_drained(struct op *op)
{
	proc_close_io(op->p, exec_closed, op);
}

static void exec_delete(struct op *op)
{
	AUTO_ERR struct err err = { 0 };

	if (proc_check_exec(op->p->state, PROC_OP_DELETE, &err) < 0)
		op_fail(op, &err);
	else
		op_drain(op, exec_drained);
}

TASK_HANDLER(task_delete)
{
	const TaskV3__DeleteRequest *r = (const TaskV3__DeleteRequest *)request;
	struct container *c = container_find(self, r->id, err);
	struct proc *p = c == NULL ? NULL : proc_find(c, r->exec_id, err);

	if (p == NULL)
		return CALL_FAILED;
	op_take_turn(op_new(call, c, p), &p->turns, p->is_init ? init_delete : exec_delete);
	return CALL_PARKED;
}
