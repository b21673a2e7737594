/* SPDX-License-Identifier: Apache-2.0 */
/* What the daemon hears of containers, in the order of the calls here. */
#include "api/pb/event.pb-c.h"
#include "api/pb/task_v3.pb-c.h"
#include "api/timestamp.h"
#include "cmd/shim-runc/runc_shim_priv.h"
#include "shim/shim_publisher.h"

void publish_create(struct container *c, const TaskV3__CreateTaskRequest *request)
{
	Event__TaskCreate e = EVENT__TASK_CREATE__INIT;
	Event__TaskIO io = EVENT__TASK_IO__INIT;

	io.stdin = request->stdin;
	io.stdout = request->stdout;
	io.stderr = request->stderr;
	io.terminal = request->terminal;
	e.container_id = c->id;
	e.bundle = c->bundle;
	e.n_rootfs = request->n_rootfs;
	e.rootfs = request->rootfs;
	e.io = &io;
	e.checkpoint = request->checkpoint;
	e.pid = (uint32_t)c->init->pid;
	publisher_send(c->shim->publisher, "/tasks/create", &e.base);
}

void publish_start(struct container *c)
{
	Event__TaskStart e = EVENT__TASK_START__INIT;

	e.container_id = c->id;
	e.pid = (uint32_t)c->init->pid;
	publisher_send(c->shim->publisher, "/tasks/start", &e.base);
}

void publish_delete(struct container *c)
{
	Event__TaskDelete e = EVENT__TASK_DELETE__INIT;
	Google__Protobuf__Timestamp when;

	timestamp_set(&when, c->init->exited_ns);
	e.container_id = c->id;
	e.pid = (uint32_t)c->init->pid;
	e.exit_status = (uint32_t)c->init->status;
	e.exited_at = &when;
	publisher_send(c->shim->publisher, "/tasks/delete", &e.base);
}

void publish_exit(struct proc *p)
{
	Event__TaskExit e = EVENT__TASK_EXIT__INIT;
	Google__Protobuf__Timestamp when;

	timestamp_set(&when, p->exited_ns);
	e.container_id = p->c->id;
	e.id = p->id;
	e.pid = (uint32_t)p->pid;
	e.exit_status = (uint32_t)p->status;
	e.exited_at = &when;
	publisher_send(p->c->shim->publisher, "/tasks/exit", &e.base);
}

void publish_exec_added(struct proc *p)
{
	Event__TaskExecAdded e = EVENT__TASK_EXEC_ADDED__INIT;

	e.container_id = p->c->id;
	e.exec_id = p->id;
	publisher_send(p->c->shim->publisher, "/tasks/exec-added", &e.base);
}

void publish_exec_started(struct proc *p)
{
	Event__TaskExecStarted e = EVENT__TASK_EXEC_STARTED__INIT;

	e.container_id = p->c->id;
	e.exec_id = p->id;
	e.pid = (uint32_t)p->pid;
	publisher_send(p->c->shim->publisher, "/tasks/exec-started", &e.base);
}

void publish_paused(struct container *c)
{
	Event__TaskPaused e = EVENT__TASK_PAUSED__INIT;

	e.container_id = c->id;
	publisher_send(c->shim->publisher, "/tasks/paused", &e.base);
}

void publish_resumed(struct container *c)
{
	Event__TaskResumed e = EVENT__TASK_RESUMED__INIT;

	e.container_id = c->id;
	publisher_send(c->shim->publisher, "/tasks/resumed", &e.base);
}

void publish_oom(struct container *c)
{
	Event__TaskOOM e = EVENT__TASK_OOM__INIT;

	e.container_id = c->id;
	publisher_send(c->shim->publisher, "/tasks/oom", &e.base);
}
