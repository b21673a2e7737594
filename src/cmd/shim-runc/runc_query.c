/* SPDX-License-Identifier: Apache-2.0 */
/* What is asked of containers, and what is done without the runtime. */
#include <unistd.h>

#include "api/arena.h"
#include "api/pb/any.pb-c.h"
#include "api/pb/task_v3.pb-c.h"
#include "api/timestamp.h"
#include "base/auto.h"
#include "base/buf.h"
#include "base/ident.h"
#include "base/mem.h"
#include "base/str.h"
#include "cmd/shim-runc/runc_create_priv.h"
#include "cmd/shim-runc/runc_service_priv.h"
#include "cmd/shim-runc/runc_shim_priv.h"
#include "cmd/shim-runc/runc_spec.h"
#include "cmd/shim-runc/runc_wait_priv.h"
#include "shim/shim_publisher.h"
#include "text/json.h"

/* A process that was added is frozen with its container, whatever it does itself. */
static Task__Status status_of(const struct proc *p)
{
	static const Task__Status of[PROC_STATES] = {
		[PROC_CREATED] = TASK__STATUS__CREATED,
		[PROC_CREATED_CHECKPOINT] = TASK__STATUS__CREATED,
		[PROC_RUNNING] = TASK__STATUS__RUNNING,
		[PROC_PAUSED] = TASK__STATUS__PAUSED,
		[PROC_STOPPED] = TASK__STATUS__STOPPED,
		[PROC_DELETED] = TASK__STATUS__STOPPED,
	};
	const struct proc *init = p->c->init;

	if (p->c->is_pausing)
		return TASK__STATUS__PAUSING;
	if (!p->is_init && init != NULL && init->state == PROC_PAUSED)
		return TASK__STATUS__PAUSED;
	return of[p->state];
}

static void answer_state(struct op *op)
{
	TaskV3__StateResponse response = TASK_V3__STATE_RESPONSE__INIT;
	Google__Protobuf__Timestamp when;
	const struct proc *p = op->p;

	timestamp_set(&when, p->exited_ns);
	response.id = p->id;
	response.bundle = op->c->bundle;
	response.pid = (uint32_t)p->pid;
	response.status = status_of(p);
	response.stdin = str_or(p->in, "");
	response.stdout = str_or(p->out, "");
	response.stderr = str_or(p->err, "");
	response.terminal = p->terminal;
	response.exit_status = (uint32_t)p->status;
	response.exited_at = &when;
	op_answer(op, &response.base);
}

TASK_HANDLER(task_state)
{
	const TaskV3__StateRequest *r = (const TaskV3__StateRequest *)request;
	struct container *c = container_find(self, r->id, err);
	struct proc *p = c == NULL ? NULL : proc_find(c, r->exec_id, err);

	if (p == NULL)
		return CALL_FAILED;
	if (c->is_pausing)
		answer_state(op_new(
				call, c, p)); /* the turn is taken, and that is the answer */
	else
		op_take_turn(op_new(call, c, p), &p->turns, answer_state);
	return CALL_PARKED;
}

TASK_HANDLER(task_wait)
{
	const TaskV3__WaitRequest *r = (const TaskV3__WaitRequest *)request;
	struct container *c = container_find(self, r->id, err);
	struct proc *p = c == NULL ? NULL : proc_find(c, r->exec_id, err);

	if (p == NULL)
		return CALL_FAILED;
	if (proc_wait(p, call))
		return CALL_PARKED;
	(void)err_set(err, ERR_CANCELED, "%s", "");
	return CALL_FAILED;
}

TASK_HANDLER(task_connect)
{
	const TaskV3__ConnectRequest *r = (const TaskV3__ConnectRequest *)request;
	struct shim *s = self;
	const struct container *c = map_find(&s->containers, r->id);
	TaskV3__ConnectResponse response = TASK_V3__CONNECT_RESPONSE__INIT;

	publisher_wake(s->publisher); /* a daemon that has come back asks this first */
	response.shim_pid = (uint32_t)getpid();
	if (c != NULL && c->is_made)
		response.task_pid = (uint32_t)c->init->pid;
	return call_answer(call, &response.base, err);
}

TASK_HANDLER(task_shutdown)
{
	struct shim *s = self;
	enum call_fate fate = call_answer_empty(call, err);

	/* A shim of several containers is told once for each. */
	if (fate == CALL_OK && s->containers.count == 0)
		s->stop(s->stop_arg);
	return fate;
}

TASK_HANDLER(task_resize_pty)
{
	const TaskV3__ResizePtyRequest *r = (const TaskV3__ResizePtyRequest *)request;
	struct container *c = container_find(self, r->id, err);
	struct proc *p = c == NULL ? NULL : proc_find(c, r->exec_id, err);
	int rc = 0;

	if (p == NULL)
		return CALL_FAILED;
	if (!p->is_init && proc_check_exec(p->state, PROC_OP_RESIZE, err) < 0)
		return CALL_FAILED;
	if (p->io != NULL)
		rc = stdio_resize(p->io, (uint16_t)r->width, (uint16_t)r->height);
	if (rc < 0) {
		(void)err_sys(err, -rc, "resize");
		return CALL_FAILED;
	}
	return call_answer_empty(call, err);
}

TASK_HANDLER(task_close_io)
{
	const TaskV3__CloseIORequest *r = (const TaskV3__CloseIORequest *)request;
	struct container *c = container_find(self, r->id, err);
	struct proc *p = c == NULL ? NULL : proc_find(c, r->exec_id, err);

	if (p == NULL)
		return CALL_FAILED;
	if (p->io != NULL)
		stdio_close_input(p->io);
	return call_answer_empty(call, err);
}

static int take_spec(struct proc *p, const TaskV3__ExecProcessRequest *r, struct err *err)
{
	struct buf spec = { .limit = JSON_MAX_BYTES };

	if (runc_spec_set_terminal(r->spec->value.data, r->spec->value.len, r->terminal, &spec,
			    err) < 0) {
		buf_done(&spec);
		return -1;
	}
	p->spec_size = spec.size;
	p->spec = buf_take_str(&spec);
	return 0;
}

static int add_exec(struct container *c, const TaskV3__ExecProcessRequest *r, struct err *err)
{
	AUTO_ERR struct err absent = { 0 };
	struct proc *p;

	if (proc_find(c, r->exec_id, &absent) != NULL)
		return err_set(err, ERR_EXISTS, "id %s", r->exec_id);
	if (proc_check_init(c->init->state, PROC_OP_EXEC, err) < 0)
		return -1;
	p = proc_new(c, r->exec_id);
	proc_set_io(p, r->stdin, r->stdout, r->stderr, r->terminal);
	if (take_spec(p, r, err) < 0) {
		proc_unref(p);
		return -1;
	}
	list_append(&c->execs, &p->node);
	publish_exec_added(p);
	return 0;
}

static void exec_add(struct op *op)
{
	AUTO_ERR struct err err = { 0 };

	if (op->c->init != op->p)
		(void)err_set(&err, ERR_NOT_FOUND, "container not created");
	else
		IGNORE(add_exec(op->c, op->request, &err)); /* said by err */
	if (err.kind != ERR_NONE)
		op_fail(op, &err);
	else
		op_answer_empty(op);
}

TASK_HANDLER(task_exec)
{
	const TaskV3__ExecProcessRequest *r = (const TaskV3__ExecProcessRequest *)request;
	struct container *c = container_find(self, r->id, err);
	struct op *op;

	if (c == NULL || ident_check(r->exec_id, err) < 0)
		return CALL_FAILED;
	if (r->spec == NULL) {
		(void)err_set(err, ERR_INVALID, "no process spec");
		return CALL_FAILED;
	}
	op = op_new(call, c, c->init);
	op->request = r;
	op_take_turn(op, &c->init->turns, exec_add);
	return CALL_PARKED;
}
