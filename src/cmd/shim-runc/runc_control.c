/* SPDX-License-Identifier: Apache-2.0 */
/* What is done to running containers: kill, pause, resume, update, list of pids. */
#include <errno.h>
#include <signal.h>
#include <sys/mman.h>
#include <unistd.h>

#include "api/arena.h"
#include "api/pb.h"
#include "api/pb/any.pb-c.h"
#include "api/pb/runc.pb-c.h"
#include "api/pb/task_v3.pb-c.h"
#include "base/auto.h"
#include "base/io.h"
#include "base/str.h"
#include "cmd/shim-runc/runc_pids.h"
#include "cmd/shim-runc/runc_service_priv.h"
#include "cmd/shim-runc/runc_shim_priv.h"
#include "os/process.h"

/* The end of an operation whose runtime's failure is told as it is. */
static void simply_ran(
		struct op *op, const struct runner_result *result, const struct err *failure)
{
	if (failure != NULL)
		op_fail(op, failure);
	else
		op_answer_empty(op);
}

static void kill_ran(
		struct op *op, const struct runner_result *result, const struct err *failure)
{
	AUTO_ERR struct err err = { 0 };

	if (failure == NULL) {
		op_answer_empty(op);
		return;
	}
	runc_fail_kill(failure, &err);
	op_fail(op, &err);
}

static void init_kill(struct op *op)
{
	const TaskV3__KillRequest *r = op->request;
	AUTO_ERR struct err err = { 0 };
	char **argv;

	if (proc_check_init(op->p->state, PROC_OP_KILL, &err) < 0) {
		op_fail(op, &err);
		return;
	}
	argv = runc_argv(&op->c->runc, "kill");
	if (r->all)
		strv_add(&argv, "--all");
	strv_add(&argv, op->c->id);
	strv_addf(&argv, "%u", r->signal);
	op_run(op, argv, op_captured, kill_ran);
}

/* Until we have reaped a child, the number is its; of others we have a descriptor. */
static int signal_exec(const struct proc *p, int signo)
{
	if (p->exit.pidfd >= 0)
		return pidfd_signal(p->exit.pidfd, signo);
	return kill(p->pid, signo) < 0 ? -errno : 0;
}

static int kill_exec(const struct proc *p, uint32_t signo, struct err *err)
{
	int rc;

	if (proc_check_exec(p->state, PROC_OP_KILL, err) < 0)
		return -1;
	if (p->pid == 0)
		return err_set(err, ERR_PRECONDITION, "process not created");
	if (p->state != PROC_RUNNING || p->has_exited)
		return err_set(err, ERR_NOT_FOUND, "process already finished");
	rc = signal_exec(p, (int)signo);
	if (rc == -ESRCH)
		return err_set(err, ERR_NOT_FOUND, "exec kill error: process already finished");
	return rc < 0 ? err_sys(err, -rc, "exec kill error: unknown error after kill") : 0;
}

static void exec_kill(struct op *op)
{
	const TaskV3__KillRequest *r = op->request;
	AUTO_ERR struct err err = { 0 };

	if (kill_exec(op->p, r->signal, &err) < 0)
		op_fail(op, &err);
	else
		op_answer_empty(op);
}

TASK_HANDLER(task_kill)
{
	const TaskV3__KillRequest *r = (const TaskV3__KillRequest *)request;
	struct container *c = container_find(self, r->id, err);
	struct proc *p = c == NULL ? NULL : proc_find(c, r->exec_id, err);
	struct op *op;

	if (p == NULL)
		return CALL_FAILED;
	op = op_new(call, c, p);
	op->request = r;
	op_take_turn(op, &p->turns, p->is_init ? init_kill : exec_kill);
	return CALL_PARKED;
}

/* Finds the container and takes a turn of its init. */
static enum call_fate begin_on_init(struct call *call, struct shim *s, const char *id,
		const void *request, void (*begin)(struct op *op), struct err *err)
{
	struct container *c = container_find(s, id, err);
	struct op *op;

	if (c == NULL)
		return CALL_FAILED;
	op = op_new(call, c, c->init);
	op->request = request;
	op_take_turn(op, &c->init->turns, begin);
	return CALL_PARKED;
}

/* One verb of the runtime, if the state allows it. */
static void run_verb(struct op *op, enum proc_op what, const char *verb,
		void (*then)(struct op *op, const struct runner_result *result,
				const struct err *err))
{
	AUTO_ERR struct err err = { 0 };
	char **argv;

	if (proc_check_init(op->p->state, what, &err) < 0) {
		op_fail(op, &err);
		return;
	}
	op->c->is_pausing = what == PROC_OP_PAUSE;
	argv = runc_argv(&op->c->runc, verb);
	strv_add(&argv, op->c->id);
	op_run(op, argv, op_captured, then);
}

static void paused(struct op *op, const struct runner_result *result, const struct err *failure)
{
	AUTO_ERR struct err err = { 0 };

	op->c->is_pausing = false;
	if (failure != NULL) {
		runc_fail(&op->c->runc, "OCI runtime pause failed", failure, &err);
		op_fail(op, &err);
		return;
	}
	op->p->state = PROC_PAUSED;
	publish_paused(op->c);
	op_answer_empty(op);
}

static void init_pause(struct op *op)
{
	run_verb(op, PROC_OP_PAUSE, "pause", paused);
}

TASK_HANDLER(task_pause)
{
	return begin_on_init(call, self, ((const TaskV3__PauseRequest *)request)->id, request,
			init_pause, err);
}

static void resumed(
		struct op *op, const struct runner_result *result, const struct err *failure)
{
	AUTO_ERR struct err err = { 0 };

	if (failure != NULL) {
		runc_fail(&op->c->runc, "OCI runtime resume failed", failure, &err);
		op_fail(op, &err);
		return;
	}
	op->p->state = PROC_RUNNING;
	publish_resumed(op->c);
	op_answer_empty(op);
}

static void init_resume(struct op *op)
{
	run_verb(op, PROC_OP_RESUME, "resume", resumed);
}

TASK_HANDLER(task_resume)
{
	return begin_on_init(call, self, ((const TaskV3__ResumeRequest *)request)->id, request,
			init_resume, err);
}

/* A descriptor that reads as these bytes and a newline. */
static int bytes_to_read(const void *data, size_t size, int *ret_fd)
{
	AUTO_CLOSE int fd = memfd_create("resources", MFD_CLOEXEC);
	int rc;

	if (fd < 0)
		return -errno;
	rc = io_write_all(fd, data, size);
	if (rc == 0)
		rc = io_write_all(fd, "\n", 1);
	if (rc == 0 && lseek(fd, 0, SEEK_SET) < 0)
		rc = -errno;
	if (rc == 0)
		*ret_fd = take_fd(&fd);
	return rc;
}

static void init_update(struct op *op)
{
	const TaskV3__UpdateTaskRequest *r = op->request;
	AUTO_ERR struct err err = { 0 };
	AUTO_CLOSE int input = -1;
	int fds[3] = { -1, RUNNER_CAPTURE, RUNNER_CAPTURE };
	char **argv;
	int rc;

	if (proc_check_init(op->p->state, PROC_OP_UPDATE, &err) < 0) {
		op_fail(op, &err);
		return;
	}
	rc = bytes_to_read(r->resources->value.data, r->resources->value.len, &input);
	if (rc < 0) {
		(void)err_sys(&err, -rc, "memfd");
		op_fail(op, &err);
		return;
	}
	fds[0] = input;
	argv = runc_argv(&op->c->runc, "update");
	strv_add(&argv, "--resources=-");
	strv_add(&argv, op->c->id);
	op_run(op, argv, fds, simply_ran);
}

TASK_HANDLER(task_update)
{
	const TaskV3__UpdateTaskRequest *r = (const TaskV3__UpdateTaskRequest *)request;

	if (r->resources == NULL) {
		(void)err_set(err, ERR_INVALID, "no resources");
		return CALL_FAILED;
	}
	return begin_on_init(call, self, r->id, request, init_update, err);
}

/* The exec of this pid, for whoever lists the container's processes. */
static Google__Protobuf__Any *describe_pid(
		const struct container *c, pid_t pid, struct arena *a)
{
	list_for_each (it, &c->execs) {
		const struct proc *p = list_entry(it, struct proc, node);
		Runc__ProcessDetails details = RUNC__PROCESS_DETAILS__INIT;
		Google__Protobuf__Any *any;

		if (p->pid != pid || p->has_exited)
			continue;
		details.exec_id = p->id;
		any = ARENA_NEW(a, Google__Protobuf__Any, google__protobuf__any);
		any->type_url = (char *)(uintptr_t)details.base.descriptor->name;
		any->value.data = (uint8_t *)(uintptr_t)pb_encode_arena(
				&details.base, a, &any->value.len);
		return any;
	}
	return NULL;
}

static void listed(struct op *op, const struct runner_result *result, const struct err *failure)
{
	TaskV3__PidsResponse response = TASK_V3__PIDS_RESPONSE__INIT;
	struct arena *a = call_arena(op->call);
	AUTO_ERR struct err err = { 0 };
	AUTO_FREE uint32_t *pids = NULL;
	size_t count;

	if (failure != NULL) {
		op_fail(op, failure);
		return;
	}
	if (runc_parse_pids(result->output, result->output_size, &pids, &count, &err) < 0) {
		op_fail(op, &err);
		return;
	}
	response.processes = arena_calloc(a, count, sizeof(*response.processes));
	for (size_t i = 0; i < count; i++) {
		Task__ProcessInfo *info = ARENA_NEW(a, Task__ProcessInfo, task__process_info);

		info->pid = pids[i];
		info->info = describe_pid(op->c, (pid_t)pids[i], a);
		response.processes[response.n_processes++] = info;
	}
	op_answer(op, &response.base);
}

TASK_HANDLER(task_pids)
{
	struct container *c =
			container_find(self, ((const TaskV3__PidsRequest *)request)->id, err);
	char **argv;

	if (c == NULL)
		return CALL_FAILED;
	/* Takes no turn: it changes nothing, and must not wait for a runtime that hangs. */
	argv = runc_argv(&c->runc, "ps");
	strv_add(&argv, "--format");
	strv_add(&argv, "json");
	strv_add(&argv, c->id);
	op_run(op_new(call, c, c->init), argv, op_captured, listed);
	return CALL_PARKED;
}
