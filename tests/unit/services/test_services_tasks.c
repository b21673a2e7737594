/* SPDX-License-Identifier: Apache-2.0 */
/* The tasks service: what is asked of core, and that waiting holds no thread. */
#include "unit/unit.h"

#include <stdlib.h>
#include <string.h>

#include "api/pb/empty.pb-c.h"
#include "api/pb/tasks.pb-c.h"
#include "base/clock.h"
#include "base/mem.h"
#include "base/mutex.h"
#include "core/mount.h"
#include "core/task.h"
#include "loop/loop.h"
#include "services/services.h"
#include "support/served.h"

#define TASKS "containerd.services.tasks.v1.Tasks"
#define WAITS 1000

struct tasks {
	struct task_service base;
	struct mutex lock;
	struct cond changed;
	struct task_request last; /* numbers only */
	struct {
		task_done done;
		void *arg;
	} waiting[WAITS];
	size_t waiters;
};

static int create(struct task_service *self, struct ctx *ctx, const struct task_create *r,
		uint32_t *ret_pid, struct err *err)
{
	assert_string_equal(r->rootfs->items[0].source, "src");
	assert_string_equal(r->stdio.out, "/out");
	assert_true(r->stdio.terminal);
	assert_string_equal(r->runtime_path, "/rt");
	*ret_pid = 42;
	return 0;
}

static void answer(struct tasks *t, const struct task_request *r, task_done done, void *arg)
{
	static const struct task_process process = { .id = "p",
		.pid = 7,
		.status = TASK_PAUSED,
		.stdio = { "i", "o", "e", true },
		.exit_status = 3,
		.exited_ns = CLOCK_UNSET };
	static const struct task_pid pids[] = { { 1, { 0 } },
		{ 2, { true, (char *)"u", (char *)"v", 1 } } };
	static const struct task_metric metric = { "c1", 9, { true, (char *)"m", NULL, 0 },
		"runtime" };
	struct task_reply reply = { .pid = 5,
		.exit_status = 137,
		.exited_ns = 11,
		.processes = &process,
		.pids = pids,
		.metrics = &metric };
	struct err err = { 0 };

	reply.count = r->verb == TASK_PIDS ? 2 : r->verb == TASK_CHECKPOINT ? 0 : 1;
	if (strcmp(r->id, "none") == 0)
		(void)err_plain(&err, ERR_NOT_FOUND, "task none not found");
	done(arg, err.kind == ERR_NONE ? &reply : NULL, err.kind == ERR_NONE ? NULL : &err);
	err_clear(&err);
}

static void call(struct task_service *self, struct ctx *ctx, const struct task_request *r,
		task_done done, void *arg)
{
	struct tasks *t = (struct tasks *)self;

	mutex_lock(&t->lock);
	t->last = *r;
	if (r->verb == TASK_WAIT && strcmp(r->id, "long") == 0) {
		t->waiting[t->waiters].done = done;
		t->waiting[t->waiters++].arg = arg;
		cond_broadcast(&t->changed);
		mutex_unlock(&t->lock);
		return;
	}
	mutex_unlock(&t->lock);
	answer(t, r, done, arg);
}

static const struct task_service_ops tasks_ops = { create, call, NULL };

struct world {
	struct tasks tasks;
	struct tasks_service service;
	struct served *served;
	struct err err;
};

static int begin(void **state)
{
	struct world *w = xzalloc(sizeof(*w));

	w->tasks.base.ops = &tasks_ops;
	mutex_init(&w->tasks.lock, RANK_task);
	cond_init(&w->tasks.changed);
	w->service.tasks = &w->tasks.base;
	w->served = serve((struct served_service[]){
			{ &tasks_service, &w->service }, { NULL, NULL } });
	*state = w;
	return 0;
}

static int end(void **state)
{
	struct world *w = *state;

	served_free(w->served);
	cond_done(&w->tasks.changed);
	mutex_done(&w->tasks.lock);
	err_clear(&w->err);
	free(w);
	return 0;
}
#define CALL(method, request, type, ret)                                                       \
	served_call(w->served, TASKS, method, &(request).base, &type##__descriptor, ret,       \
			&w->err)

static void create_passes_everything(void **state)
{
	struct world *w = *state;
	Tasks__CreateTaskRequest r = TASKS__CREATE_TASK_REQUEST__INIT;
	Types__Mount m = TYPES__MOUNT__INIT, *mounts[] = { &m };
	Tasks__CreateTaskResponse *made;

	m.source = "src";
	r.container_id = "c1";
	r.rootfs = mounts;
	r.n_rootfs = 1;
	r.stdout = "/out";
	r.terminal = 1;
	r.runtime_path = "/rt";
	assert_ok(CALL("Create", r, tasks__create_task_response, &made), &w->err);
	assert_string_equal(made->container_id, "c1");
	assert_int_equal(made->pid, 42);
}

static void processes_are_told_in_full(void **state)
{
	struct world *w = *state;
	Tasks__GetRequest g = TASKS__GET_REQUEST__INIT;
	Tasks__GetResponse *got;
	Tasks__ListTasksRequest l = TASKS__LIST_TASKS_REQUEST__INIT;
	Tasks__ListTasksResponse *listed;

	g.container_id = "c1";
	assert_ok(CALL("Get", g, tasks__get_response, &got), &w->err);
	assert_string_equal(got->process->id, "p");
	assert_string_equal(got->process->container_id, "");
	assert_int_equal(got->process->pid, 7);
	assert_int_equal(got->process->status, TASK__STATUS__PAUSED);
	assert_string_equal(got->process->stderr, "e");
	assert_int_equal(got->process->terminal, 1);
	/* Year 1, not absent: clients would read 1970. */
	assert_int_equal(got->process->exited_at->seconds, INT64_C(-62135596800));
	assert_ok(CALL("List", l, tasks__list_tasks_response, &listed), &w->err);
	assert_int_equal(listed->n_tasks, 1);
}

static void deletes_differ_in_the_id(void **state)
{
	struct world *w = *state;
	Tasks__DeleteTaskRequest t = TASKS__DELETE_TASK_REQUEST__INIT;
	Tasks__DeleteProcessRequest p = TASKS__DELETE_PROCESS_REQUEST__INIT;
	Tasks__DeleteResponse *got;

	t.container_id = p.container_id = "c1";
	p.exec_id = "p";
	assert_ok(CALL("Delete", t, tasks__delete_response, &got), &w->err);
	assert_string_equal(got->id, "");
	assert_int_equal(got->exit_status, 137);
	assert_int_equal(got->exited_at->nanos, 11);
	assert_int_equal(w->tasks.last.verb, TASK_DELETE);
	assert_ok(CALL("DeleteProcess", p, tasks__delete_response, &got), &w->err);
	assert_string_equal(got->id, "p");
	assert_int_equal(w->tasks.last.verb, TASK_DELETE_PROCESS);
}

static void the_small_verbs_reach_core(void **state)
{
	struct world *w = *state;
	Tasks__KillRequest k = TASKS__KILL_REQUEST__INIT;
	Tasks__ResizePtyRequest z = TASKS__RESIZE_PTY_REQUEST__INIT;
	Tasks__CloseIORequest c = TASKS__CLOSE_IOREQUEST__INIT;
	Tasks__PauseTaskRequest p = TASKS__PAUSE_TASK_REQUEST__INIT;
	Tasks__ListPidsRequest l = TASKS__LIST_PIDS_REQUEST__INIT;
	Tasks__ListPidsResponse *pids;
	Tasks__MetricsRequest m = TASKS__METRICS_REQUEST__INIT;
	Tasks__MetricsResponse *metrics;

	k.container_id = z.container_id = c.container_id = p.container_id = l.container_id =
			"c";
	k.signal = 9;
	k.all = 1;
	assert_ok(CALL("Kill", k, google__protobuf__empty, NULL), &w->err);
	assert_int_equal(w->tasks.last.kill.signal, 9);
	assert_true(w->tasks.last.kill.all);
	z.width = 80;
	z.height = 25;
	assert_ok(CALL("ResizePty", z, google__protobuf__empty, NULL), &w->err);
	assert_int_equal(w->tasks.last.resize.height, 25);
	c.stdin = 1;
	assert_ok(CALL("CloseIO", c, google__protobuf__empty, NULL), &w->err);
	assert_true(w->tasks.last.close.in);
	assert_ok(CALL("Pause", p, google__protobuf__empty, NULL), &w->err);
	assert_int_equal(w->tasks.last.verb, TASK_PAUSE);
	assert_ok(CALL("Resume", p, google__protobuf__empty, NULL), &w->err);
	assert_int_equal(w->tasks.last.verb, TASK_RESUME);
	assert_ok(CALL("ListPids", l, tasks__list_pids_response, &pids), &w->err);
	assert_int_equal(pids->n_processes, 2);
	assert_null(pids->processes[0]->info);
	assert_string_equal(pids->processes[1]->info->type_url, "u");
	assert_ok(CALL("Metrics", m, tasks__metrics_response, &metrics), &w->err);
	assert_string_equal(metrics->metrics[0]->id, "c1");
	assert_string_equal(metrics->metrics[0]->data->type_url, "m");
}

static void errors_come_through(void **state)
{
	struct world *w = *state;
	Tasks__GetRequest g = TASKS__GET_REQUEST__INIT;
	Tasks__ExecProcessRequest e = TASKS__EXEC_PROCESS_REQUEST__INIT;

	g.container_id = "none";
	assert_int_equal(CALL("Get", g, tasks__get_response, NULL), -1);
	assert_int_equal(w->err.kind, ERR_NOT_FOUND);
	assert_string_equal(err_text(&w->err), "task none not found");
	err_clear(&w->err);
	e.container_id = "none"; /* the exec id is looked at first */
	assert_int_equal(CALL("Exec", e, google__protobuf__empty, NULL), -1);
	assert_string_equal(err_text(&w->err), "exec id cannot be empty");
	err_clear(&w->err);
}

struct waits {
	struct mutex lock;
	struct cond changed;
	size_t answered;
};

static void count_answer(void *arg, const struct rpc_answer *a)
{
	struct waits *n = arg;

	LOCKED(&n->lock);
	assert_null(a->err);
	n->answered++;
	cond_broadcast(&n->changed);
}

/* The server has four workers. */
static void a_thousand_waits_hold_no_thread(void **state)
{
	struct world *w = *state;
	Tasks__WaitRequest r = TASKS__WAIT_REQUEST__INIT;
	Tasks__GetRequest g = TASKS__GET_REQUEST__INIT;
	Tasks__GetResponse *got;
	struct waits n = { .answered = 0 };
	struct channel *c = NULL;

	mutex_init(&n.lock, RANK_daemon);
	cond_init(&n.changed);
	assert_ok(channel_open_ttrpc(w->served->loop, w->served->socket, &w->served->ctx, &c,
				  &w->err),
			&w->err);
	r.container_id = "long";
	for (int i = 0; i < WAITS; i++)
		channel_start(c, &w->served->ctx, TASKS, "Wait", &r.base, count_answer, &n);
	mutex_lock(&w->tasks.lock);
	while (w->tasks.waiters < WAITS)
		cond_wait(&w->tasks.changed, &w->tasks.lock);
	mutex_unlock(&w->tasks.lock);
	g.container_id = "c1";
	assert_ok(CALL("Get", g, tasks__get_response, &got), &w->err);
	for (int i = 0; i < WAITS; i++)
		w->tasks.waiting[i].done(
				w->tasks.waiting[i].arg, &(struct task_reply){ 0 }, NULL);
	mutex_lock(&n.lock);
	while (n.answered < WAITS)
		cond_wait(&n.changed, &n.lock);
	mutex_unlock(&n.lock);
	channel_unref(c);
	cond_done(&n.changed);
	mutex_done(&n.lock);
}

#define T(name) cmocka_unit_test_setup_teardown(name, begin, end)
int main(void)
{
	const struct CMUnitTest tests[] = {
		T(create_passes_everything),
		T(processes_are_told_in_full),
		T(deletes_differ_in_the_id),
		T(the_small_verbs_reach_core),
		T(errors_come_through),
		T(a_thousand_waits_hold_no_thread),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
