/* SPDX-License-Identifier: Apache-2.0 */
#include "support/fake_shim.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/pb/empty.pb-c.h"
#include "api/pb/task_v2.pb-c.h"
#include "api/pb/task_v3.pb-c.h"
#include "api/services.h"
#include "api/timestamp.h"
#include "base/clock.h"
#include "base/mem.h"
#include "base/str.h"
#include "support/fake_shim_priv.h"
#include "support/served.h"

#define PID 4711

struct fake_task {
	Task__Status status;
	uint32_t pid, exit_status;
	struct call *waiters[16];
	size_t waiter_count;
};

static struct fake_task *find_locked(
		struct fake_shim *f, const char *id, const char *exec_id, struct err *err)
{
	AUTO_FREE char *key =
			str_is_empty(exec_id) ? xstrdup(id) : xasprintf("%s/%s", id, exec_id);
	struct fake_task *t = map_find(&f->tasks, key);

	if (t == NULL && map_find(&f->tasks, id) != NULL)
		(void)err_set(err, ERR_NOT_FOUND, "process does not exist %s", exec_id);
	else if (t == NULL)
		(void)err_set(err, ERR_NOT_FOUND, "container not created");
	return t;
}

static void add_locked(struct fake_shim *f, const char *key, Task__Status status)
{
	struct fake_task *t = xzalloc(sizeof(*t));

	t->status = status;
	t->pid = PID;
	free(map_put(&f->tasks, key, t));
}

static enum call_fate answer_wait(struct call *call, const struct fake_task *t, struct err *err)
{
	TaskV3__WaitResponse m = TASK_V3__WAIT_RESPONSE__INIT;

	m.exit_status = t->exit_status;
	m.exited_at = timestamp_new(call_arena(call), 77);
	return call_answer(call, &m.base, err);
}

static void end_locked(struct fake_task *t, uint32_t status)
{
	t->status = TASK__STATUS__STOPPED;
	t->exit_status = status;
	for (size_t i = 0; i < t->waiter_count; i++) {
		AUTO_ERR struct err err = { 0 };

		(void)answer_wait(t->waiters[i], t, &err);
		call_finish(t->waiters[i], NULL);
		call_unref(t->waiters[i]);
	}
	t->waiter_count = 0;
}

static enum call_fate on_state(
		struct fake_shim *f, struct call *call, const void *request, struct err *err)
{
	const TaskV3__StateRequest *r = request;
	TaskV3__StateResponse m = TASK_V3__STATE_RESPONSE__INIT;
	const struct fake_task *t = find_locked(f, r->id, r->exec_id, err);

	if (t == NULL)
		return CALL_FAILED;
	m.id = r->id;
	m.pid = t->pid;
	m.status = t->status;
	m.exit_status = t->exit_status;
	m.stdout = "/the/stdout";
	return call_answer(call, &m.base, err);
}

static enum call_fate on_create(
		struct fake_shim *f, struct call *call, const void *request, struct err *err)
{
	const TaskV3__CreateTaskRequest *r = request;
	TaskV3__CreateTaskResponse m = TASK_V3__CREATE_TASK_RESPONSE__INIT;

	f->creates++;
	if (r->n_rootfs > 0)
		(void)snprintf(f->rootfs, sizeof(f->rootfs), "%s %s", r->rootfs[0]->type,
				r->rootfs[0]->source);
	if (f->fail_create != NULL) {
		(void)err_plain(err, ERR_UNKNOWN, "%s", f->fail_create);
		return CALL_FAILED;
	}
	add_locked(f, r->id, TASK__STATUS__CREATED);
	m.pid = PID;
	return call_answer(call, &m.base, err);
}

static enum call_fate on_start(
		struct fake_shim *f, struct call *call, const void *request, struct err *err)
{
	const TaskV3__StartRequest *r = request;
	TaskV3__StartResponse m = TASK_V3__START_RESPONSE__INIT;
	struct fake_task *t = find_locked(f, r->id, r->exec_id, err);

	if (t == NULL)
		return CALL_FAILED;
	t->status = TASK__STATUS__RUNNING;
	m.pid = t->pid;
	return call_answer(call, &m.base, err);
}

static enum call_fate on_delete(
		struct fake_shim *f, struct call *call, const void *request, struct err *err)
{
	const TaskV3__DeleteRequest *r = request;
	TaskV3__DeleteResponse m = TASK_V3__DELETE_RESPONSE__INIT;
	struct fake_task *t = find_locked(f, r->id, r->exec_id, err);
	AUTO_FREE char *key = str_is_empty(r->exec_id) ? xstrdup(r->id)
						       : xasprintf("%s/%s", r->id, r->exec_id);

	if (t == NULL)
		return CALL_FAILED;
	if (t->status == TASK__STATUS__RUNNING) {
		(void)err_plain(err, ERR_UNKNOWN, "cannot delete a running process");
		return CALL_FAILED;
	}
	m.pid = t->pid;
	m.exit_status = t->exit_status;
	m.exited_at = timestamp_new(call_arena(call), 88);
	free(map_remove(&f->tasks, key));
	return call_answer(call, &m.base, err);
}

static enum call_fate on_pids(
		struct fake_shim *f, struct call *call, const void *request, struct err *err)
{
	const TaskV3__PidsRequest *r = request;
	TaskV3__PidsResponse m = TASK_V3__PIDS_RESPONSE__INIT;
	Task__ProcessInfo info = TASK__PROCESS_INFO__INIT, *list[] = { &info };
	const struct fake_task *t = find_locked(f, r->id, "", err);

	if (t == NULL)
		return CALL_FAILED;
	info.pid = t->pid;
	m.processes = list;
	m.n_processes = t->status == TASK__STATUS__STOPPED ? 0 : 1;
	return call_answer(call, &m.base, err);
}

static enum call_fate on_kill(
		struct fake_shim *f, struct call *call, const void *request, struct err *err)
{
	const TaskV3__KillRequest *r = request;
	struct fake_task *t = find_locked(f, r->id, r->exec_id, err);

	if (t == NULL)
		return CALL_FAILED;
	end_locked(t, 128 + r->signal);
	return call_answer_empty(call, err);
}

static enum call_fate on_exec(
		struct fake_shim *f, struct call *call, const void *request, struct err *err)
{
	const TaskV3__ExecProcessRequest *r = request;
	AUTO_FREE char *key = xasprintf("%s/%s", r->id, r->exec_id);

	if (find_locked(f, r->id, "", err) == NULL)
		return CALL_FAILED;
	add_locked(f, key, TASK__STATUS__CREATED);
	return call_answer_empty(call, err);
}

static enum call_fate on_pause(
		struct fake_shim *f, struct call *call, const void *request, struct err *err)
{
	const TaskV3__PauseRequest *r = request;
	struct fake_task *t = find_locked(f, r->id, "", err);

	if (t == NULL)
		return CALL_FAILED;
	t->status = TASK__STATUS__PAUSED;
	return call_answer_empty(call, err);
}

static enum call_fate on_nothing(
		struct fake_shim *f, struct call *call, const void *request, struct err *err)
{
	return call_answer_empty(call, err);
}

static enum call_fate on_wait(
		struct fake_shim *f, struct call *call, const void *request, struct err *err)
{
	const TaskV3__WaitRequest *r = request;
	struct fake_task *t = find_locked(f, r->id, r->exec_id, err);

	if (t == NULL)
		return CALL_FAILED;
	if (t->status == TASK__STATUS__STOPPED)
		return answer_wait(call, t, err);
	t->waiters[t->waiter_count++] = call_ref(call);
	cond_broadcast(&f->changed);
	return CALL_PARKED;
}

static enum call_fate on_stats(
		struct fake_shim *f, struct call *call, const void *request, struct err *err)
{
	const TaskV3__StatsRequest *r = request;
	TaskV3__StatsResponse m = TASK_V3__STATS_RESPONSE__INIT;
	Google__Protobuf__Any any = GOOGLE__PROTOBUF__ANY__INIT;

	if (find_locked(f, r->id, "", err) == NULL)
		return CALL_FAILED;
	any.type_url = (char *)"stats";
	m.stats = &any;
	return call_answer(call, &m.base, err);
}

static enum call_fate on_connect(
		struct fake_shim *f, struct call *call, const void *request, struct err *err)
{
	TaskV3__ConnectResponse m = TASK_V3__CONNECT_RESPONSE__INIT;

	m.shim_pid = 1;
	m.task_pid = PID;
	return call_answer(call, &m.base, err);
}

/* As the real one: nothing while there are tasks, then the end. */
static enum call_fate on_shutdown(
		struct fake_shim *f, struct call *call, const void *request, struct err *err)
{
	f->shutdowns++;
	cond_broadcast(&f->changed);
	if (f->tasks.count == 0)
		served_stop_soon(f->served);
	return call_answer_empty(call, err);
}

enum call_fate fake_shim_run(struct call *call, void *self, const void *request,
		fake_handler on, struct err *err)
{
	struct fake_shim *f = self;

	LOCKED(&f->lock);
	if (f->is_stopping) {
		err_set(err, ERR_UNAVAILABLE, "stopping");
		return CALL_FAILED;
	}
	if (!f->is_mute)
		return on(f, call, request, err);
	f->muted[f->muted_count++] = call_ref(call);
	return CALL_PARKED;
}

#define HANDLERS(M)                                                                            \
	M(State, on_state)                                                                     \
	M(Create, on_create)                                                                   \
	M(Start, on_start)                                                                     \
	M(Delete, on_delete)                                                                   \
	M(Pids, on_pids)                                                                       \
	M(Pause, on_pause)                                                                     \
	M(Resume, on_nothing)                                                                  \
	M(Checkpoint, on_nothing)                                                              \
	M(Kill, on_kill)                                                                       \
	M(Exec, on_exec)                                                                       \
	M(ResizePty, on_nothing)                                                               \
	M(CloseIO, on_nothing)                                                                 \
	M(Update, on_nothing)                                                                  \
	M(Wait, on_wait)                                                                       \
	M(Stats, on_stats)                                                                     \
	M(Connect, on_connect)                                                                 \
	M(Shutdown, on_shutdown)

HANDLERS(FAKE_HANDLER)

static const struct rpc_method methods_v3[] = { API_METHODS_TASK_V3(FAKE_ROW) };
static const struct rpc_method methods_v2[] = { API_METHODS_TASK_V2(FAKE_ROW) };
static const struct rpc_service service_v3 = { "containerd.task.v3.Task", methods_v3,
	ARRAY_LEN(methods_v3) };
static const struct rpc_service service_v2 = { "containerd.task.v2.Task", methods_v2,
	ARRAY_LEN(methods_v2) };

void fake_shim_init(struct fake_shim *f)
{
	*f = (struct fake_shim){ 0 };
	mutex_init(&f->lock, RANK_daemon);
	cond_init(&f->changed);
	map_init(&f->tasks);
}

void fake_shim_start(struct fake_shim *f, const char *socket)
{
	f->is_stopping = false;
	f->served = serve_at(
			socket, (struct served_service[]){ { &service_v2, f },
						{ f->only_v2 ? NULL : &service_v3, f },
						{ f->is_pod ? &fake_pod_service : NULL, f },
						{ NULL, NULL } });
}

static void finish_all(struct call **calls, size_t *count)
{
	AUTO_ERR struct err err = { 0 };

	(void)err_set(&err, ERR_CANCELED, "%s", "");
	for (size_t i = 0; i < *count; i++) {
		call_finish(calls[i], &err);
		call_unref(calls[i]);
	}
	*count = 0;
}

void fake_shim_stop(struct fake_shim *f)
{
	struct served *served = f->served;

	f->served = NULL;
	{
		LOCKED(&f->lock);
		f->is_stopping = true;
		finish_all(f->muted, &f->muted_count);
		finish_all(f->pod.waiters, &f->pod.waiter_count);
		map_for_each (slot, &f->tasks) {
			struct fake_task *t = slot->value;

			finish_all(t->waiters, &t->waiter_count);
		}
	}
	served_free(served);
}

void fake_shim_done(struct fake_shim *f)
{
	if (f->served != NULL)
		fake_shim_stop(f);
	map_done(&f->tasks, free);
	cond_done(&f->changed);
	mutex_done(&f->lock);
}

void fake_shim_exit(struct fake_shim *f, const char *key, uint32_t status)
{
	LOCKED(&f->lock);
	end_locked(map_find(&f->tasks, key), status);
}

bool fake_shim_has(struct fake_shim *f, const char *key)
{
	LOCKED(&f->lock);
	return map_find(&f->tasks, key) != NULL;
}

void fake_shim_mute(struct fake_shim *f, bool is_mute)
{
	LOCKED(&f->lock);
	f->is_mute = is_mute;
}
