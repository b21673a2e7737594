/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tasks. All but Create are questions to a shim, which may take as long as a container lives:
 * the handlers run on the loop, hand the question on and park the call.
 */
#include "api/pb/tasks.pb-c.h"
#include "api/timestamp.h"
#include "core/image.h"
#include "core/task.h"
#include "services/services_priv.h"
#include "wire/wire_image.h"
#include "wire/wire_map.h"
#include "wire/wire_mount.h"
#include "wire/wire_task.h"

/* Packs what a verb answers; on the thread that brought the answer. */
typedef enum call_fate (*answer_fn)(
		struct call *call, const struct task_reply *reply, struct err *err);

struct parked { /* in the call's arena */
	struct call *call;
	struct task_request request;
	answer_fn answer;
};

static void answered(void *arg, const struct task_reply *reply, const struct err *failure)
{
	struct parked *p = arg;
	AUTO(call_unref) struct call *call = p->call;
	AUTO_ERR struct err err = { 0 };

	if (failure != NULL)
		call_finish(call, failure);
	else if (p->answer(call, reply, &err) == CALL_FAILED)
		call_finish(call, &err);
	else
		call_finish(call, NULL);
}

static struct parked *ask_about(struct call *call, enum task_verb verb, const char *id,
		const char *exec_id, answer_fn answer)
{
	struct parked *p = arena_alloc(call_arena(call), sizeof(*p));

	p->request.verb = verb;
	p->request.id = id;
	p->request.exec_id = exec_id;
	p->answer = answer;
	return p;
}

static enum call_fate park(struct call *call, void *self, struct parked *p)
{
	struct tasks_service *s = self;

	p->call = call_ref(call);
	task_call(s->tasks, ctx_of(call), &p->request, answered, p);
	return CALL_PARKED;
}

static enum call_fate with_nothing(
		struct call *call, const struct task_reply *reply, struct err *err)
{
	return call_answer_empty(call, err);
}

static enum call_fate create_here(struct call *call, void *self,
		const struct ProtobufCMessage *request, struct err *err)
{
	struct tasks_service *s = self;
	const Tasks__CreateTaskRequest *r = (const void *)request;
	Tasks__CreateTaskResponse answer = TASKS__CREATE_TASK_RESPONSE__INIT;
	struct mounts rootfs = wire_mounts_in(call_arena(call), r->n_rootfs, r->rootfs);
	struct descriptor checkpoint = wire_descriptor_in(call_arena(call), r->checkpoint);
	struct any options = wire_any_in(r->options);
	struct task_create c = {
		.id = r->container_id,
		.rootfs = &rootfs,
		.stdio = { r->stdin, r->stdout, r->stderr, r->terminal },
		.checkpoint = r->checkpoint == NULL ? NULL : &checkpoint,
		.options = &options,
		.runtime_path = r->runtime_path,
		.api_address = r->task_api_address,
		.api_version = r->task_api_version,
	};

	if (task_create(s->tasks, ctx_of(call), &c, &answer.pid, err) < 0)
		return CALL_FAILED;
	answer.container_id = r->container_id;
	return call_answer(call, &answer.base, err);
}

static enum call_fate create(struct call *call, void *self,
		const struct ProtobufCMessage *request, struct err *err)
{
	struct tasks_service *s = self;

	return on_pool(call, s->creators, create_here, self, request, err);
}

static enum call_fate with_pid(
		struct call *call, const struct task_reply *reply, struct err *err)
{
	Tasks__StartResponse answer = TASKS__START_RESPONSE__INIT;

	answer.pid = reply->pid;
	return call_answer(call, &answer.base, err);
}

static enum call_fate start(struct call *call, void *self,
		const struct ProtobufCMessage *request, struct err *err)
{
	const Tasks__StartRequest *r = (const void *)request;

	return park(call, self,
			ask_about(call, TASK_START, r->container_id, r->exec_id, with_pid));
}

static enum call_fate with_exit_of(struct call *call, const struct task_reply *reply,
		const char *id, struct err *err)
{
	Tasks__DeleteResponse answer = TASKS__DELETE_RESPONSE__INIT;

	answer.id = id;
	answer.pid = reply->pid;
	answer.exit_status = reply->exit_status;
	answer.exited_at = timestamp_new(call_arena(call), reply->exited_ns);
	return call_answer(call, &answer.base, err);
}

/* The id stays empty for tasks. */
static enum call_fate with_exit(
		struct call *call, const struct task_reply *reply, struct err *err)
{
	return with_exit_of(call, reply, "", err);
}

static enum call_fate delete (struct call *call, void *self,
		const struct ProtobufCMessage *request, struct err *err) {
	const Tasks__DeleteTaskRequest *r = (const void *)request;

	return park(call, self, ask_about(call, TASK_DELETE, r->container_id, "", with_exit));
}

static enum call_fate with_process_exit(
		struct call *call, const struct task_reply *reply, struct err *err)
{
	return with_exit_of(call, reply, reply->processes[0].id, err);
}

static enum call_fate delete_process(struct call *call, void *self,
		const struct ProtobufCMessage *request, struct err *err)
{
	const Tasks__DeleteProcessRequest *r = (const void *)request;

	return park(call, self,
			ask_about(call, TASK_DELETE_PROCESS, r->container_id, r->exec_id,
					with_process_exit));
}

static enum call_fate with_process(
		struct call *call, const struct task_reply *reply, struct err *err)
{
	Tasks__GetResponse answer = TASKS__GET_RESPONSE__INIT;

	answer.process = wire_process_out(call_arena(call), &reply->processes[0]);
	return call_answer(call, &answer.base, err);
}

static enum call_fate get(struct call *call, void *self, const struct ProtobufCMessage *request,
		struct err *err)
{
	const Tasks__GetRequest *r = (const void *)request;

	return park(call, self,
			ask_about(call, TASK_STATE, r->container_id, r->exec_id, with_process));
}

static enum call_fate with_processes(
		struct call *call, const struct task_reply *reply, struct err *err)
{
	Tasks__ListTasksResponse answer = TASKS__LIST_TASKS_RESPONSE__INIT;

	answer.n_tasks = reply->count;
	answer.tasks = arena_calloc(call_arena(call), reply->count, sizeof(*answer.tasks));
	for (size_t i = 0; i < reply->count; i++)
		answer.tasks[i] = wire_process_out(call_arena(call), &reply->processes[i]);
	return call_answer(call, &answer.base, err);
}

/* The request's filter is ignored, as in the original. */
static enum call_fate list(struct call *call, void *self,
		const struct ProtobufCMessage *request, struct err *err)
{
	return park(call, self, ask_about(call, TASK_LIST, "", "", with_processes));
}

static enum call_fate kill_process(struct call *call, void *self,
		const struct ProtobufCMessage *request, struct err *err)
{
	const Tasks__KillRequest *r = (const void *)request;
	struct parked *p =
			ask_about(call, TASK_KILL, r->container_id, r->exec_id, with_nothing);

	p->request.kill.signal = r->signal;
	p->request.kill.all = r->all;
	return park(call, self, p);
}

static enum call_fate exec(struct call *call, void *self,
		const struct ProtobufCMessage *request, struct err *err)
{
	const Tasks__ExecProcessRequest *r = (const void *)request;
	struct parked *p =
			ask_about(call, TASK_EXEC, r->container_id, r->exec_id, with_nothing);

	p->request.exec.stdio =
			(struct task_stdio){ r->stdin, r->stdout, r->stderr, r->terminal };
	p->request.exec.spec = wire_any_in(r->spec);
	return park(call, self, p);
}

static enum call_fate resize(struct call *call, void *self,
		const struct ProtobufCMessage *request, struct err *err)
{
	const Tasks__ResizePtyRequest *r = (const void *)request;
	struct parked *p =
			ask_about(call, TASK_RESIZE, r->container_id, r->exec_id, with_nothing);

	p->request.resize.width = r->width;
	p->request.resize.height = r->height;
	return park(call, self, p);
}

static enum call_fate close_io(struct call *call, void *self,
		const struct ProtobufCMessage *request, struct err *err)
{
	const Tasks__CloseIORequest *r = (const void *)request;
	struct parked *p = ask_about(
			call, TASK_CLOSE_IO, r->container_id, r->exec_id, with_nothing);

	p->request.close.in = r->stdin;
	return park(call, self, p);
}

static enum call_fate pause_task(struct call *call, void *self,
		const struct ProtobufCMessage *request, struct err *err)
{
	const Tasks__PauseTaskRequest *r = (const void *)request;

	return park(call, self, ask_about(call, TASK_PAUSE, r->container_id, "", with_nothing));
}

static enum call_fate resume(struct call *call, void *self,
		const struct ProtobufCMessage *request, struct err *err)
{
	const Tasks__ResumeTaskRequest *r = (const void *)request;

	return park(call, self,
			ask_about(call, TASK_RESUME, r->container_id, "", with_nothing));
}

static enum call_fate with_pids(
		struct call *call, const struct task_reply *reply, struct err *err)
{
	Tasks__ListPidsResponse answer = TASKS__LIST_PIDS_RESPONSE__INIT;

	answer.n_processes = reply->count;
	answer.processes = wire_pids_out(call_arena(call), reply->pids, reply->count);
	return call_answer(call, &answer.base, err);
}

static enum call_fate list_pids(struct call *call, void *self,
		const struct ProtobufCMessage *request, struct err *err)
{
	const Tasks__ListPidsRequest *r = (const void *)request;

	return park(call, self, ask_about(call, TASK_PIDS, r->container_id, "", with_pids));
}

static enum call_fate with_descriptors(
		struct call *call, const struct task_reply *reply, struct err *err)
{
	Tasks__CheckpointTaskResponse answer = TASKS__CHECKPOINT_TASK_RESPONSE__INIT;
	struct arena *a = call_arena(call);

	answer.n_descriptors = reply->count;
	answer.descriptors = arena_calloc(a, reply->count, sizeof(*answer.descriptors));
	for (size_t i = 0; i < reply->count; i++)
		answer.descriptors[i] = wire_descriptor_out(a, &reply->descriptors[i]);
	return call_answer(call, &answer.base, err);
}

static enum call_fate checkpoint(struct call *call, void *self,
		const struct ProtobufCMessage *request, struct err *err)
{
	const Tasks__CheckpointTaskRequest *r = (const void *)request;
	struct parked *p =
			ask_about(call, TASK_CHECKPOINT, r->container_id, "", with_descriptors);

	p->request.checkpoint.options = wire_any_in(r->options);
	return park(call, self, p);
}

static enum call_fate update(struct call *call, void *self,
		const struct ProtobufCMessage *request, struct err *err)
{
	const Tasks__UpdateTaskRequest *r = (const void *)request;
	struct parked *p = ask_about(call, TASK_UPDATE, r->container_id, "", with_nothing);
	struct labels *annotations = arena_alloc(call_arena(call), sizeof(*annotations));

	*annotations = wire_labels_in(call_arena(call), r->n_annotations, r->annotations);
	p->request.update.resources = wire_any_in(r->resources);
	p->request.update.annotations = annotations;
	return park(call, self, p);
}

static enum call_fate with_metrics(
		struct call *call, const struct task_reply *reply, struct err *err)
{
	Tasks__MetricsResponse answer = TASKS__METRICS_RESPONSE__INIT;

	answer.n_metrics = reply->count;
	answer.metrics = wire_metrics_out(call_arena(call), reply->metrics, reply->count);
	return call_answer(call, &answer.base, err);
}

static enum call_fate metrics(struct call *call, void *self,
		const struct ProtobufCMessage *request, struct err *err)
{
	const Tasks__MetricsRequest *r = (const void *)request;
	struct parked *p = ask_about(call, TASK_METRICS, "", "", with_metrics);

	p->request.metrics.filters = wire_strv_in(call_arena(call), r->n_filters, r->filters);
	return park(call, self, p);
}

static enum call_fate with_wait_status(
		struct call *call, const struct task_reply *reply, struct err *err)
{
	Tasks__WaitResponse answer = TASKS__WAIT_RESPONSE__INIT;

	answer.exit_status = reply->exit_status;
	answer.exited_at = timestamp_new(call_arena(call), reply->exited_ns);
	return call_answer(call, &answer.base, err);
}

static enum call_fate wait_exit(struct call *call, void *self,
		const struct ProtobufCMessage *request, struct err *err)
{
	const Tasks__WaitRequest *r = (const void *)request;

	return park(call, self,
			ask_about(call, TASK_WAIT, r->container_id, r->exec_id,
					with_wait_status));
}

static const struct rpc_method methods[] = {
	UNARY("Create", RPC_ON_WORKER | RPC_SLOW, tasks__create_task_request,
			tasks__create_task_response, create),
	UNARY("Start", RPC_ON_LOOP | RPC_SLOW, tasks__start_request, tasks__start_response,
			start),
	UNARY("Delete", RPC_ON_LOOP | RPC_SLOW, tasks__delete_task_request,
			tasks__delete_response, delete),
	UNARY("DeleteProcess", RPC_ON_LOOP | RPC_SLOW, tasks__delete_process_request,
			tasks__delete_response, delete_process),
	UNARY("Get", RPC_ON_LOOP | RPC_AGAIN, tasks__get_request, tasks__get_response, get),
	UNARY("List", RPC_ON_LOOP | RPC_AGAIN, tasks__list_tasks_request,
			tasks__list_tasks_response, list),
	TO_EMPTY("Kill", RPC_ON_LOOP, tasks__kill_request, kill_process),
	TO_EMPTY("Exec", RPC_ON_LOOP | RPC_SLOW, tasks__exec_process_request, exec),
	TO_EMPTY("ResizePty", RPC_ON_LOOP, tasks__resize_pty_request, resize),
	TO_EMPTY("CloseIO", RPC_ON_LOOP, tasks__close_iorequest, close_io),
	TO_EMPTY("Pause", RPC_ON_LOOP, tasks__pause_task_request, pause_task),
	TO_EMPTY("Resume", RPC_ON_LOOP, tasks__resume_task_request, resume),
	UNARY("ListPids", RPC_ON_LOOP | RPC_AGAIN, tasks__list_pids_request,
			tasks__list_pids_response, list_pids),
	UNARY("Checkpoint", RPC_ON_LOOP | RPC_SLOW, tasks__checkpoint_task_request,
			tasks__checkpoint_task_response, checkpoint),
	TO_EMPTY("Update", RPC_ON_LOOP | RPC_SLOW, tasks__update_task_request, update),
	UNARY("Metrics", RPC_ON_LOOP | RPC_AGAIN, tasks__metrics_request,
			tasks__metrics_response, metrics),
	UNARY("Wait", RPC_ON_LOOP | RPC_AGAIN, tasks__wait_request, tasks__wait_response,
			wait_exit),
};

const struct rpc_service tasks_service = { "containerd.services.tasks.v1.Tasks", methods,
	ARRAY_LEN(methods) };
