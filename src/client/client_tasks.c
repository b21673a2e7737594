/* SPDX-License-Identifier: Apache-2.0 */
#include "client/client_tasks_priv.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "client/client_containers_priv.h"
#include "client/client_snapshots_priv.h"
#include "wire/wire_mount.h"

#include "api/pb/empty.pb-c.h"
#include "api/pb/runc.pb-c.h"
#include "api/pb/tasks.pb-c.h"
#include "api/timestamp.h"
#include "api/typeurl.h"

/* --- making and starting ------------------------------------------------------------------ */

static struct ctrd_task_options known_options(const struct ctrd_task_options *given)
{
	struct ctrd_task_options o = CTRD_TASK_OPTIONS_INIT;

	if (given != NULL)
		memcpy(&o, given, given->size < sizeof(o) ? given->size : sizeof(o));
	return o;
}

static int rootfs_mounts(struct ctrd_client *c, const char *container,
		struct ctrd_mounts **ret_mounts, struct err *err)
{
	AUTO(ctrd_container_free) struct ctrd_container *record = NULL;

	if (client_container_get(c, container, &record, err) < 0)
		return -1;
	if (str_is_empty(record->v.snapshot_key))
		return 0;
	return client_snapshot_mounts(
			c, record->v.snapshotter, record->v.snapshot_key, ret_mounts, err);
}

/* Only what was asked for is sent: without options the runtime takes the container's. */
static Google__Protobuf__Any *task_options(struct arena *a, const struct ctrd_task_options *o)
{
	Runc__Options options = RUNC__OPTIONS__INIT;

	if (!o->no_pivot && o->io_uid == 0 && o->io_gid == 0)
		return NULL;
	options.no_pivot_root = o->no_pivot != 0;
	options.io_uid = o->io_uid;
	options.io_gid = o->io_gid;
	return any_pack(a, &options.base);
}

static int create(struct ctrd_client *c, const char *container,
		const struct ctrd_task_options *o, uint32_t *ret_pid, struct err *err)
{
	Tasks__CreateTaskRequest request = TASKS__CREATE_TASK_REQUEST__INIT;
	AUTO(ctrd_mounts_free) struct ctrd_mounts *mounts = NULL;
	AUTO_ARENA struct arena a = { 0 };
	const Tasks__CreateTaskResponse *pb;

	if (rootfs_mounts(c, container, &mounts, err) < 0)
		return -1;
	arena_init(&a, CLIENT_REPLY_BUDGET);
	request.container_id = container;
	if (mounts != NULL)
		request.rootfs = wire_mounts_out(&a, &mounts->list, &request.n_rootfs);
	if (o->io != NULL) {
		request.stdin = ctrd_io_stdin(o->io);
		request.stdout = ctrd_io_stdout(o->io);
		request.stderr = ctrd_io_stderr(o->io);
		request.terminal = ctrd_io_terminal(o->io);
	}
	request.options = task_options(&a, o);
	pb = client_call(c, CLIENT_TASKS_Create, &request.base, &a, err);
	if (pb == NULL)
		return -1;
	*ret_pid = pb->pid;
	return 0;
}

int ctrd_task_create(struct ctrd_client *c, const char *container,
		const struct ctrd_task_options *options, uint32_t *ret_pid,
		struct ctrd_error **ret_error)
{
	struct ctrd_task_options o = known_options(options);
	AUTO_ERR struct err err = { 0 };

	return api_result(create(c, container, &o, ret_pid, &err), &err, ret_error);
}

int ctrd_task_exec(struct ctrd_client *c, const char *container, const char *exec_id,
		const char *process_json, const struct ctrd_io *io,
		struct ctrd_error **ret_error)
{
	Tasks__ExecProcessRequest request = TASKS__EXEC_PROCESS_REQUEST__INIT;
	AUTO_ERR struct err err = { 0 };
	AUTO_ARENA struct arena a = { 0 };

	arena_init(&a, CLIENT_REPLY_BUDGET);
	request.container_id = container;
	request.exec_id = str_or(exec_id, "");
	request.spec = any_wrap(&a, TYPEURL_PROCESS, process_json, strlen(process_json));
	if (io != NULL) {
		request.stdin = ctrd_io_stdin(io);
		request.stdout = ctrd_io_stdout(io);
		request.stderr = ctrd_io_stderr(io);
		request.terminal = ctrd_io_terminal(io);
	}
	return api_result(
			client_do(c, CLIENT_TASKS_Exec, &request.base, &err), &err, ret_error);
}

int ctrd_task_start(struct ctrd_client *c, const char *container, const char *exec_id,
		uint32_t *ret_pid, struct ctrd_error **ret_error)
{
	Tasks__StartRequest request = TASKS__START_REQUEST__INIT;
	AUTO_ERR struct err err = { 0 };
	AUTO_ARENA struct arena a = { 0 };
	const Tasks__StartResponse *pb;

	arena_init(&a, CLIENT_REPLY_BUDGET);
	request.container_id = container;
	request.exec_id = str_or(exec_id, "");
	pb = client_call(c, CLIENT_TASKS_Start, &request.base, &a, &err);
	if (pb == NULL)
		return api_result(-1, &err, ret_error);
	*ret_pid = pb->pid;
	return 0;
}

/* --- waiting and signalling --------------------------------------------------------------- */

static int wait_process(struct ctrd_client *c, const char *container, const char *exec_id,
		uint32_t *ret_status, int64_t *ret_exited, struct err *err)
{
	Tasks__WaitRequest request = TASKS__WAIT_REQUEST__INIT;
	AUTO_ARENA struct arena a = { 0 };
	const Tasks__WaitResponse *pb;

	arena_init(&a, CLIENT_REPLY_BUDGET);
	request.container_id = container;
	request.exec_id = str_or(exec_id, "");
	pb = client_call(c, CLIENT_TASKS_Wait, &request.base, &a, err);
	if (pb == NULL)
		return -1;
	*ret_status = pb->exit_status;
	if (ret_exited != NULL)
		*ret_exited = timestamp_ns(pb->exited_at);
	return 0;
}

int ctrd_task_wait(struct ctrd_client *c, const char *container, const char *exec_id,
		uint32_t *ret_status, int64_t *ret_exited, struct ctrd_error **ret_error)
{
	AUTO_ERR struct err err = { 0 };

	return api_result(wait_process(c, container, exec_id, ret_status, ret_exited, &err),
			&err, ret_error);
}

static int kill_process(struct ctrd_client *c, const char *container, const char *exec_id,
		uint32_t signal, bool all, struct err *err)
{
	Tasks__KillRequest request = TASKS__KILL_REQUEST__INIT;

	request.container_id = container;
	request.exec_id = str_or(exec_id, "");
	request.signal = signal;
	request.all = all;
	return client_do(c, CLIENT_TASKS_Kill, &request.base, err);
}

int ctrd_task_kill(struct ctrd_client *c, const char *container, const char *exec_id,
		uint32_t signal, int all, struct ctrd_error **ret_error)
{
	AUTO_ERR struct err err = { 0 };

	return api_result(kill_process(c, container, exec_id, signal, all != 0, &err), &err,
			ret_error);
}

/* --- removing ----------------------------------------------------------------------------- */

static const char *status_word(int status)
{
	static const char *const words[] = { "unknown", "created", "running", "stopped",
		"paused", "pausing" };

	return status < 0 || (size_t)status >= ARRAY_LEN(words) ? "unknown" : words[status];
}

/* A task in state CREATED has a process that waits to be started, and so it counts as running;
 * an exec in that state has none. */
static int check_removable(const char *exec_id, const struct ctrd_process *p, struct err *err)
{
	int status = ctrd_process_status(p);

	if (status == CTRD_TASK_STOPPED || status == CTRD_TASK_UNKNOWN)
		return 0;
	if (status == CTRD_TASK_CREATED && (exec_id != NULL || ctrd_process_pid(p) == 0))
		return 0;
	if (exec_id != NULL)
		return err_set(err, ERR_PRECONDITION,
				"current process state: %s, process must be stopped before "
				"deletion",
				status_word(status));
	return err_set(err, ERR_PRECONDITION, "task must be stopped before deletion: %s",
			status_word(status));
}

/* Not being there any more, or having ended, is what we want. */
static int kill_and_wait(struct ctrd_client *c, const char *container, const char *exec_id,
		struct err *err)
{
	uint32_t status;

	if (kill_process(c, container, exec_id, 9, exec_id == NULL, err) < 0) {
		if (err->kind != ERR_NOT_FOUND && err->kind != ERR_PRECONDITION)
			return -1;
		err_clear(err);
	}
	if (wait_process(c, container, exec_id, &status, NULL, err) < 0) {
		if (err->kind != ERR_NOT_FOUND)
			return -1;
		err_clear(err);
	}
	return 0;
}

static int delete_rpc(struct ctrd_client *c, const char *container, const char *exec_id,
		uint32_t *ret_status, struct err *err)
{
	Tasks__DeleteTaskRequest task = TASKS__DELETE_TASK_REQUEST__INIT;
	Tasks__DeleteProcessRequest process = TASKS__DELETE_PROCESS_REQUEST__INIT;
	AUTO_ARENA struct arena a = { 0 };
	const Tasks__DeleteResponse *pb;

	arena_init(&a, CLIENT_REPLY_BUDGET);
	task.container_id = container;
	process.container_id = container;
	process.exec_id = str_or(exec_id, "");
	pb = exec_id == NULL ? client_call(c, CLIENT_TASKS_Delete, &task.base, &a, err)
			     : client_call(c, CLIENT_TASKS_DeleteProcess, &process.base, &a,
					       err);
	if (pb == NULL)
		return -1;
	*ret_status = pb->exit_status;
	return 0;
}

static int remove_process(struct ctrd_client *c, const char *container, const char *exec_id,
		bool force, uint32_t *ret_status, struct err *err)
{
	AUTO(ctrd_process_free) struct ctrd_process *p = NULL;

	if (client_process_get(c, container, exec_id, &p, err) < 0)
		return -1;
	if (force && ctrd_process_pid(p) != 0 && ctrd_process_status(p) != CTRD_TASK_STOPPED) {
		if (kill_and_wait(c, container, exec_id, err) < 0)
			return -1;
	} else if (check_removable(exec_id, p, err) < 0) {
		return -1;
	}
	return delete_rpc(c, container, exec_id, ret_status, err);
}

int ctrd_task_remove(struct ctrd_client *c, const char *container, const char *exec_id,
		int force, uint32_t *ret_status, struct ctrd_error **ret_error)
{
	AUTO_ERR struct err err = { 0 };

	return api_result(remove_process(c, container, exec_id, force != 0, ret_status, &err),
			&err, ret_error);
}

/* --- small calls -------------------------------------------------------------------------- */

int ctrd_task_resize(struct ctrd_client *c, const char *container, const char *exec_id,
		uint32_t width, uint32_t height, struct ctrd_error **ret_error)
{
	Tasks__ResizePtyRequest request = TASKS__RESIZE_PTY_REQUEST__INIT;
	AUTO_ERR struct err err = { 0 };

	request.container_id = container;
	request.exec_id = str_or(exec_id, "");
	request.width = width;
	request.height = height;
	return api_result(client_do(c, CLIENT_TASKS_ResizePty, &request.base, &err), &err,
			ret_error);
}

int ctrd_task_close_stdin(struct ctrd_client *c, const char *container, const char *exec_id,
		struct ctrd_error **ret_error)
{
	Tasks__CloseIORequest request = TASKS__CLOSE_IOREQUEST__INIT;
	AUTO_ERR struct err err = { 0 };

	request.container_id = container;
	request.exec_id = str_or(exec_id, "");
	request.stdin = 1;
	return api_result(client_do(c, CLIENT_TASKS_CloseIO, &request.base, &err), &err,
			ret_error);
}

int ctrd_task_pause(struct ctrd_client *c, const char *container, struct ctrd_error **ret_error)
{
	Tasks__PauseTaskRequest request = TASKS__PAUSE_TASK_REQUEST__INIT;
	AUTO_ERR struct err err = { 0 };

	request.container_id = container;
	return api_result(
			client_do(c, CLIENT_TASKS_Pause, &request.base, &err), &err, ret_error);
}

int ctrd_task_resume(
		struct ctrd_client *c, const char *container, struct ctrd_error **ret_error)
{
	Tasks__ResumeTaskRequest request = TASKS__RESUME_TASK_REQUEST__INIT;
	AUTO_ERR struct err err = { 0 };

	request.container_id = container;
	return api_result(client_do(c, CLIENT_TASKS_Resume, &request.base, &err), &err,
			ret_error);
}
