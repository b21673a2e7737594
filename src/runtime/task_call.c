/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The verbs of core/task.h that are one question to one shim (reference 02 §6.4). Each is a
 * row: how to make the request, what type the answer has, and what it means. Nothing here
 * waits.
 */
#include <stdlib.h>

#include "api/pb.h"
#include "api/pb/empty.pb-c.h"
#include "api/pb/runc.pb-c.h"
#include "api/pb/task_v3.pb-c.h"
#include "api/timestamp.h"
#include "api/typeurl.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/ident.h"
#include "base/mem.h"
#include "base/str.h"
#include "core/container.h"
#include "core/image.h"
#include "runtime/checkpoint.h"
#include "runtime/runtime_priv.h"
#include "wire/wire_map.h"
#include "wire/wire_task.h"

struct op {
	struct shim_ask ask;
	struct runtime *rt;
	const struct verb *verb;
	const struct task_request *r;
	task_done done;
	void *arg;
	struct arena arena; /* request and answer */
	struct task_reply reply;
	struct task_process process;
	struct err err;

	/* A checkpoint that becomes content: where the shim puts it, and what came of it. */
	struct job job;
	char *dir;
	struct descriptor blobs[2];
	const char *runtime_name; /* of the container; for errors */
};

struct verb {
	const char *method;
	const ProtobufCMessageDescriptor *response;
	/* The request in the arena; NULL and err if it makes no sense. */
	const ProtobufCMessage *(*make)(struct op *op, struct err *err);
	/* Fills op->reply; NULL: there is nothing in the answer. */
	void (*read)(struct op *op, const ProtobufCMessage *answer);
};

static void op_free(struct op *op)
{
	shim_unref(op->ask.shim);
	runtime_unref(op->rt);
	arena_done(&op->arena);
	err_clear(&op->err);
	free(op->dir);
	descriptor_done(&op->blobs[0]);
	descriptor_done(&op->blobs[1]);
	free(op);
}

/* Tells the caller what is in op->err or op->reply. */
static void finish(struct op *op)
{
	bool failed = op->err.kind != ERR_NONE;

	op->done(op->arg, failed ? NULL : &op->reply, failed ? &op->err : NULL);
	op_free(op);
}

static const char *exec_id_of(const struct op *op)
{
	return str_or(op->r->exec_id, "");
}

/* Start */

static const ProtobufCMessage *make_start(struct op *op, struct err *err UNUSED)
{
	TaskV3__StartRequest *m =
			ARENA_NEW(&op->arena, TaskV3__StartRequest, task_v3__start_request);

	m->id = op->r->id;
	m->exec_id = exec_id_of(op);
	return &m->base;
}

static void read_start(struct op *op, const ProtobufCMessage *answer)
{
	op->reply.pid = ((const TaskV3__StartResponse *)answer)->pid;
}

/* State */

static const ProtobufCMessage *make_state(struct op *op, struct err *err UNUSED)
{
	TaskV3__StateRequest *m =
			ARENA_NEW(&op->arena, TaskV3__StateRequest, task_v3__state_request);

	m->id = op->r->id;
	m->exec_id = exec_id_of(op);
	op->ask.ctx = runtime_bounded(&op->ask.ctx, op->rt->timeouts.state);
	return &m->base;
}

static void read_state(struct op *op, const ProtobufCMessage *answer)
{
	op->process = shim_state_in((const TaskV3__StateResponse *)answer,
			str_or(op->r->exec_id, op->r->id));
	op->reply.processes = &op->process;
	op->reply.count = 1;
}

/* Delete, of a process or of the task */

static const ProtobufCMessage *make_delete(struct op *op, struct err *err UNUSED)
{
	TaskV3__DeleteRequest *m =
			ARENA_NEW(&op->arena, TaskV3__DeleteRequest, task_v3__delete_request);

	m->id = op->r->id;
	m->exec_id = exec_id_of(op);
	return &m->base;
}

static void read_delete(struct op *op, const ProtobufCMessage *answer)
{
	const TaskV3__DeleteResponse *m = (const TaskV3__DeleteResponse *)answer;

	op->reply.pid = m->pid;
	op->reply.exit_status = m->exit_status;
	op->reply.exited_ns = timestamp_ns(m->exited_at);
	op->process.id = exec_id_of(op);
	op->reply.processes = &op->process;
	op->reply.count = 1;
}

/* Kill; "all" is about the task only. */

static const ProtobufCMessage *make_kill(struct op *op, struct err *err UNUSED)
{
	TaskV3__KillRequest *m =
			ARENA_NEW(&op->arena, TaskV3__KillRequest, task_v3__kill_request);

	m->id = op->r->id;
	m->exec_id = exec_id_of(op);
	m->signal = op->r->kill.signal;
	m->all = op->r->kill.all && m->exec_id[0] == '\0';
	return &m->base;
}

/* Exec */

static const ProtobufCMessage *make_exec(struct op *op, struct err *err)
{
	TaskV3__ExecProcessRequest *m = ARENA_NEW(
			&op->arena, TaskV3__ExecProcessRequest, task_v3__exec_process_request);

	if (ident_check(op->r->exec_id, err) < 0) {
		(void)err_wrap(err, "invalid exec id %s", op->r->exec_id);
		return NULL;
	}
	/* Go's shim does not survive its absence. */
	if (!op->r->exec.spec.is_set) {
		(void)err_set(err, ERR_INVALID, "exec %s: spec is required", op->r->exec_id);
		return NULL;
	}
	m->id = op->r->id;
	m->exec_id = op->r->exec_id;
	m->stdin = op->r->exec.stdio.in;
	m->stdout = op->r->exec.stdio.out;
	m->stderr = op->r->exec.stdio.err;
	m->terminal = op->r->exec.stdio.terminal;
	m->spec = wire_any_out(&op->arena, &op->r->exec.spec);
	return &m->base;
}

/* ResizePty */

static const ProtobufCMessage *make_resize(struct op *op, struct err *err UNUSED)
{
	TaskV3__ResizePtyRequest *m = ARENA_NEW(
			&op->arena, TaskV3__ResizePtyRequest, task_v3__resize_pty_request);

	m->id = op->r->id;
	m->exec_id = exec_id_of(op);
	m->width = op->r->resize.width;
	m->height = op->r->resize.height;
	return &m->base;
}

/* CloseIO */

static const ProtobufCMessage *make_close(struct op *op, struct err *err UNUSED)
{
	TaskV3__CloseIORequest *m =
			ARENA_NEW(&op->arena, TaskV3__CloseIORequest, task_v3__close_iorequest);

	m->id = op->r->id;
	m->exec_id = exec_id_of(op);
	m->stdin = 1;
	return &m->base;
}

/* Pause, Resume, Pids */

static const ProtobufCMessage *make_pause(struct op *op, struct err *err UNUSED)
{
	TaskV3__PauseRequest *m =
			ARENA_NEW(&op->arena, TaskV3__PauseRequest, task_v3__pause_request);

	m->id = op->r->id;
	return &m->base;
}

static const ProtobufCMessage *make_resume(struct op *op, struct err *err UNUSED)
{
	TaskV3__ResumeRequest *m =
			ARENA_NEW(&op->arena, TaskV3__ResumeRequest, task_v3__resume_request);

	m->id = op->r->id;
	return &m->base;
}

static const ProtobufCMessage *make_pids(struct op *op, struct err *err UNUSED)
{
	TaskV3__PidsRequest *m =
			ARENA_NEW(&op->arena, TaskV3__PidsRequest, task_v3__pids_request);

	m->id = op->r->id;
	return &m->base;
}

static void read_pids(struct op *op, const ProtobufCMessage *answer)
{
	const TaskV3__PidsResponse *m = (const TaskV3__PidsResponse *)answer;

	op->reply.pids = wire_pids_in(&op->arena, m->processes, m->n_processes);
	op->reply.count = m->n_processes;
}

/* Checkpoint: into the directory that the options name, or into one of ours. */

static const ProtobufCMessage *make_checkpoint(struct op *op, struct err *err)
{
	TaskV3__CheckpointTaskRequest *m = ARENA_NEW(&op->arena, TaskV3__CheckpointTaskRequest,
			task_v3__checkpoint_task_request);
	ProtobufCMessage *options = NULL;

	m->id = op->r->id;
	m->options = wire_any_out(&op->arena, &op->r->checkpoint.options);
	if (any_unpack(m->options, &runc__checkpoint_options__descriptor, &op->arena, NULL,
			    &options, err) < 0) {
		err_clear(err);
		(void)err_plain(err, ERR_UNKNOWN, "invalid task checkpoint option for %s",
				op->runtime_name);
		return NULL;
	}
	m->path = str_or(op->dir, ((const Runc__CheckpointOptions *)options)->image_path);
	return &m->base;
}

static struct checkpoint_place place_of(struct op *op)
{
	return (struct checkpoint_place){ op->rt, &op->ask.ctx, op->ask.shim->ns, op->r->id };
}

/* On the pool: a directory for the shim to write to, then the question to it. */
static void checkpoint_begin(struct job *job)
{
	struct op *op = container_of(job, struct op, job);
	const struct checkpoint_place place = place_of(op);

	if (checkpoint_make_dir(&place, &op->dir, &op->err) == 0)
		op->ask.request = make_checkpoint(op, &op->err);
	if (op->err.kind == ERR_NONE)
		shim_ask(&op->ask);
	else
		finish(op);
}

static void checkpoint_to_content(struct op *op, const struct checkpoint_place *place)
{
	AUTO(container_free) struct container *c = NULL;

	if (container_get(op->rt->containers, &op->ask.ctx, op->r->id, &c, &op->err) < 0 ||
			checkpoint_pack(place, op->dir, &c->spec, op->blobs, &op->err) < 0)
		return;
	op->reply.descriptors = op->blobs;
	op->reply.count = 2;
}

/* On the pool, after the shim's answer. */
static void checkpoint_end(struct job *job)
{
	struct op *op = container_of(job, struct op, job);
	const struct checkpoint_place place = place_of(op);

	if (op->err.kind == ERR_NONE)
		checkpoint_to_content(op, &place);
	checkpoint_remove_dir(&place, op->dir);
	finish(op);
}

static void checkpoint_step(struct op *op, void (*run)(struct job *job))
{
	op->job.run = run;
	if (runtime_submit(op->rt, &op->job))
		return;
	err_clear(&op->err);
	(void)err_set(&op->err, ERR_UNAVAILABLE, "the daemon is ending");
	finish(op);
}

static bool needs_dir(const struct op *op)
{
	return op->r->verb == TASK_CHECKPOINT && op->dir == NULL &&
	       str_is_empty(((const TaskV3__CheckpointTaskRequest *)op->ask.request)->path);
}

/* Update */

static void add_annotations(struct op *op, TaskV3__UpdateTaskRequest *m)
{
	if (op->r->update.annotations != NULL)
		m->annotations = wire_labels_out(&op->arena, op->r->update.annotations,
				&task_v3__update_task_request__annotations_entry__descriptor,
				&m->n_annotations);
}

static const ProtobufCMessage *make_update(struct op *op, struct err *err)
{
	TaskV3__UpdateTaskRequest *m = ARENA_NEW(
			&op->arena, TaskV3__UpdateTaskRequest, task_v3__update_task_request);

	if (!op->r->update.resources.is_set) { /* as for Exec */
		(void)err_set(err, ERR_INVALID, "update of task %s: resources are required",
				op->r->id);
		return NULL;
	}
	m->id = op->r->id;
	m->resources = wire_any_out(&op->arena, &op->r->update.resources);
	add_annotations(op, m);
	return &m->base;
}

/* Wait */

static const ProtobufCMessage *make_wait(struct op *op, struct err *err UNUSED)
{
	TaskV3__WaitRequest *m =
			ARENA_NEW(&op->arena, TaskV3__WaitRequest, task_v3__wait_request);

	m->id = op->r->id;
	m->exec_id = exec_id_of(op);
	return &m->base;
}

static void read_wait(struct op *op, const ProtobufCMessage *answer)
{
	const TaskV3__WaitResponse *m = (const TaskV3__WaitResponse *)answer;

	op->reply.exit_status = m->exit_status;
	op->reply.exited_ns = timestamp_ns(m->exited_at);
}

static const struct verb verbs[] = {
	[TASK_START] = { "Start", &task_v3__start_response__descriptor, make_start,
			read_start },
	[TASK_STATE] = { "State", &task_v3__state_response__descriptor, make_state,
			read_state },
	[TASK_DELETE] = { "Delete", &task_v3__delete_response__descriptor, make_delete,
			read_delete },
	[TASK_DELETE_PROCESS] = { "Delete", &task_v3__delete_response__descriptor, make_delete,
			read_delete },
	[TASK_KILL] = { "Kill", &google__protobuf__empty__descriptor, make_kill, NULL },
	[TASK_EXEC] = { "Exec", &google__protobuf__empty__descriptor, make_exec, NULL },
	[TASK_RESIZE] = { "ResizePty", &google__protobuf__empty__descriptor, make_resize,
			NULL },
	[TASK_CLOSE_IO] = { "CloseIO", &google__protobuf__empty__descriptor, make_close, NULL },
	[TASK_PAUSE] = { "Pause", &google__protobuf__empty__descriptor, make_pause, NULL },
	[TASK_RESUME] = { "Resume", &google__protobuf__empty__descriptor, make_resume, NULL },
	[TASK_PIDS] = { "Pids", &task_v3__pids_response__descriptor, make_pids, read_pids },
	[TASK_CHECKPOINT] = { "Checkpoint", &google__protobuf__empty__descriptor,
			make_checkpoint, NULL },
	[TASK_UPDATE] = { "Update", &google__protobuf__empty__descriptor, make_update, NULL },
	[TASK_WAIT] = { "Wait", &task_v3__wait_response__descriptor, make_wait, read_wait },
};

/* Whether there is such a process. */
static const struct verb look = { "State", &task_v3__state_response__descriptor, make_state,
	NULL };

/* What the caller of Delete hears after the clean-up. */
static void ended(void *arg)
{
	struct op *op = arg;

	if (op->err.kind != ERR_NONE)
		(void)err_wrap(&op->err, "failed to delete task");
	finish(op);
}

/* A shim that knows no such task, or is gone, leaves nothing to keep: that is cleaned up as
 * well, though the caller gets the error. */
static bool is_over(const struct op *op, const struct rpc_answer *answer)
{
	return answer->err == NULL || answer->err->kind == ERR_NOT_FOUND ||
	       channel_is_closed(op->ask.shim->channel);
}

/* Get is told more about failures than others, and less. */
static void soften_state(struct op *op)
{
	bool is_closed = channel_is_closed(op->ask.shim->channel);

	if (op->err.kind == ERR_UNKNOWN && is_closed) {
		err_clear(&op->err);
		(void)err_set(&op->err, ERR_NOT_FOUND, "%s", "");
	}
	if (op->err.kind == ERR_NOT_FOUND || op->err.kind == ERR_UNAVAILABLE ||
			op->err.kind == ERR_DEADLINE || op->err.kind == ERR_CANCELED)
		return;
	err_clear(&op->err);
	op->process = (struct task_process){ .id = str_or(op->r->exec_id, op->r->id),
		.status = TASK_UNKNOWN,
		.exited_ns = CLOCK_UNSET };
	op->reply.processes = &op->process;
	op->reply.count = 1;
}

static void answered(struct shim_ask *ask, const struct rpc_answer *answer)
{
	struct op *op = container_of(ask, struct op, ask);
	ProtobufCMessage *message = NULL;

	if (shim_answer(ask->shim, answer, op->verb->response, &op->arena, &message, &op->err) <
			0) {
		if (op->r->verb == TASK_STATE)
			soften_state(op);
	} else if (op->verb->read != NULL) {
		op->verb->read(op, message);
	}
	if (op->r->verb == TASK_DELETE && is_over(op, answer) && shim_claim(ask->shim))
		runtime_end(op->rt, shim_ref(ask->shim), op->err.kind == ERR_NONE, ended, op);
	else if (op->r->verb == TASK_DELETE)
		ended(op);
	else if (op->dir != NULL)
		checkpoint_step(op, checkpoint_end);
	else
		finish(op);
}

/* The task's shim: a reference in ask.shim. */
static int find_shim(struct op *op, struct err *err)
{
	AUTO(container_free) struct container *c = NULL;
	const char *ns = ctx_namespace(&op->ask.ctx, err);

	if (ns == NULL ||
			container_get(op->rt->containers, &op->ask.ctx, op->r->id, &c, err) < 0)
		return -1;
	if (op->r->verb == TASK_CHECKPOINT)
		op->runtime_name = arena_strdup(&op->arena, str_or(c->runtime_name, ""));
	op->ask.shim = shim_table_find(&op->rt->table, ns, op->r->id);
	if (op->ask.shim == NULL || op->ask.shim->is_pod)
		return err_plain(err, ERR_NOT_FOUND, "task %s not found", op->r->id);
	return 0;
}

void runtime_call(struct task_service *self, struct ctx *ctx, const struct task_request *r,
		task_done done, void *arg)
{
	struct op *op = NULL;

	if (r->verb == TASK_LIST || r->verb == TASK_METRICS) {
		runtime_gather(runtime_of(self), ctx, r, done, arg);
		return;
	}
	op = xzalloc(sizeof(*op));
	*op = (struct op){ .rt = runtime_ref(runtime_of(self)),
		.verb = &verbs[r->verb],
		.r = r,
		.done = done,
		.arg = arg };
	arena_init(&op->arena, SIZE_MAX);
	op->ask.ctx = *ctx;
	op->ask.method = op->verb->method;
	op->ask.done = answered;
	if (find_shim(op, &op->err) < 0) {
		finish(op);
		return;
	}
	if (r->verb == TASK_CLOSE_IO && !r->close.in) {
		if (str_is_empty(r->exec_id)) {
			finish(op);
			return;
		}
		op->verb = &look;
		op->ask.method = look.method;
	}
	op->ask.request = op->verb->make(op, &op->err);
	if (op->ask.request == NULL)
		finish(op);
	else if (needs_dir(op))
		checkpoint_step(op, checkpoint_begin);
	else
		shim_ask(&op->ask);
}
