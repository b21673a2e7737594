/* SPDX-License-Identifier: Apache-2.0 */
#include "life.h"

#include <poll.h>
#include <stdio.h>
#include <string.h>

#include "api/pb.h"
#include "api/pb/containers.pb-c.h"
#include "api/pb/empty.pb-c.h"
#include "api/pb/runc.pb-c.h"
#include "api/pb/snapshots.pb-c.h"
#include "api/pb/task.pb-c.h"
#include "api/pb/tasks.pb-c.h"
#include "base/auto.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/ctx.h"
#include "base/str.h"
#include "rpc/channel.h"
#include "text/json_out.h"

#define TASKS	     "containerd.services.tasks.v1.Tasks"
#define SNAPSHOTS    "containerd.services.snapshots.v1.Snapshots"
#define CONTAINERS   "containerd.services.containers.v1.Containers"
#define SNAPSHOTTER  "overlayfs"
#define SPEC_TYPE    "types.containerd.io/opencontainers/runtime-spec/1/Spec"
#define PROCESS_TYPE "types.containerd.io/opencontainers/runtime-spec/1/Process"
#define OPTIONS_TYPE "containerd.runc.v1.Options"

static int64_t deadline(const struct life *l)
{
	return clock_mono_ns() + (l->patience_ms == 0 ? LIFE_MS : l->patience_ms) * NS_PER_MS;
}

int life_open(struct life *l, const char *socket, const char *parent)
{
	int64_t end = deadline(l);
	struct ctx ctx = { .deadline_ns = end };

	l->socket = socket;
	l->parent = parent;
	l->ns = str_or(l->ns, "life");
	arena_init(&l->arena, 16 << 20);
	for (;;) {
		err_clear(&l->err);
		if (channel_open_grpc(NULL, socket, &ctx, &l->channel, &l->err) == 0)
			return 0;
		if (clock_mono_ns() > end)
			return -1;
		(void)poll(NULL, 0, 2);
	}
}

void life_close(struct life *l)
{
	channel_unref(l->channel);
	l->channel = NULL;
	err_clear(&l->err);
	arena_done(&l->arena);
}

/* The answer stays until the next call. */
static ProtobufCMessage *call(struct life *l, const char *service, const char *method,
		const void *request, const ProtobufCMessageDescriptor *response)
{
	struct ctx ctx = { .ns = l->ns, .deadline_ns = deadline(l) };
	ProtobufCMessage *answer = NULL;

	err_clear(&l->err);
	if (channel_call(l->channel, &ctx, service, method, request, response, &l->arena,
			    &answer, &l->err) < 0)
		return NULL;
	return answer;
}

static int call_empty(
		struct life *l, const char *service, const char *method, const void *request)
{
	arena_reset(&l->arena);
	return call(l, service, method, request, &google__protobuf__empty__descriptor) == NULL
			       ? -1
			       : 0;
}

static void add_process(struct json_out *j, const char *script)
{
	char *const sleeper[] = { (char *)"sleep", (char *)"100000", NULL };
	char *const shell[] = { (char *)"sh", (char *)"-c", (char *)(uintptr_t)script, NULL };
	char *const env[] = { (char *)"PATH=/bin", NULL };

	json_out_object(j);
	json_out_key(j, "user");
	json_out_raw(j, "{\"uid\":0,\"gid\":0}", 17);
	json_out_key(j, "args");
	json_out_strv(j, script == NULL ? sleeper : shell);
	json_out_key(j, "env");
	json_out_strv(j, env);
	json_out_member(j, "cwd", "/");
	json_out_end(j);
}

static void write_spec(const struct life *l, const char *id, const char *group,
		const char *script, struct buf *out)
{
	static const char mounts[] =
			"[{\"destination\":\"/proc\",\"type\":\"proc\",\"source\":\"proc\"},"
			"{\"destination\":\"/dev\",\"type\":\"tmpfs\",\"source\":\"tmpfs\"}]";
	static const char namespaces[] =
			"[{\"type\":\"pid\"},{\"type\":\"ipc\"},{\"type\":\"uts\"},"
			"{\"type\":\"mount\"}]";
	struct json_out j;

	json_out_init(&j, out, NULL);
	json_out_object(&j);
	json_out_member(&j, "ociVersion", "1.0.2");
	json_out_key(&j, "process");
	add_process(&j, script);
	json_out_key(&j, "root");
	json_out_raw(&j, "{\"path\":\"rootfs\"}", 17);
	json_out_key(&j, "mounts");
	json_out_raw(&j, mounts, sizeof(mounts) - 1);
	if (group != NULL) {
		json_out_key(&j, "annotations");
		json_out_object(&j);
		json_out_member(&j, "io.containerd.runc.v2.group", group);
		json_out_end(&j);
	}
	json_out_key(&j, "linux");
	json_out_object(&j);
	json_out_key(&j, "cgroupsPath");
	{
		AUTO_BUF struct buf path = { .limit = 4096 };

		buf_addf(&path, "/%s/%s", l->ns, id);
		json_out_text(&j, path.data);
	}
	json_out_key(&j, "namespaces");
	json_out_raw(&j, namespaces, sizeof(namespaces) - 1);
	json_out_end(&j);
	json_out_end(&j);
}

int life_make(struct life *l, const char *id, const char *group, const char *script)
{
	Containers__Container container = CONTAINERS__CONTAINER__INIT;
	Containers__Container__Runtime runtime = CONTAINERS__CONTAINER__RUNTIME__INIT;
	Containers__CreateContainerRequest request = CONTAINERS__CREATE_CONTAINER_REQUEST__INIT;
	Google__Protobuf__Any any = GOOGLE__PROTOBUF__ANY__INIT;
	AUTO_BUF struct buf spec = { .limit = 1 << 20 };

	write_spec(l, id, group, script, &spec);
	any.type_url = (char *)SPEC_TYPE;
	any.value = (ProtobufCBinaryData){ spec.size, (uint8_t *)spec.data };
	runtime.name = "io.containerd.runc.v2";
	container.id = id;
	container.runtime = &runtime;
	container.spec = &any;
	container.snapshotter = SNAPSHOTTER;
	container.snapshot_key = id;
	request.container = &container;
	arena_reset(&l->arena);
	return call(l, CONTAINERS, "Create", &request,
			       &containers__create_container_response__descriptor) == NULL
			       ? -1
			       : 0;
}

static Google__Protobuf__Any *options(struct life *l)
{
	Runc__Options o = RUNC__OPTIONS__INIT;
	Google__Protobuf__Any *any;

	if (l->runtime == NULL)
		return NULL;
	any = ARENA_NEW(&l->arena, Google__Protobuf__Any, google__protobuf__any);
	o.binary_name = l->runtime;
	any->type_url = (char *)OPTIONS_TYPE;
	any->value.data = (uint8_t *)(uintptr_t)pb_encode_arena(
			&o.base, &l->arena, &any->value.len);
	return any;
}

static void note_upper(struct life *l, const Snapshots__PrepareSnapshotResponse *r)
{
	static const char key[] = "upperdir=";

	for (size_t i = 0; r->n_mounts > 0 && i < r->mounts[0]->n_options; i++)
		if (str_starts(r->mounts[0]->options[i], key))
			(void)snprintf(l->upper, sizeof(l->upper), "%s",
					r->mounts[0]->options[i] + strlen(key));
}

int life_create(struct life *l, const char *id)
{
	Snapshots__PrepareSnapshotRequest prepare = SNAPSHOTS__PREPARE_SNAPSHOT_REQUEST__INIT;
	Tasks__CreateTaskRequest create = TASKS__CREATE_TASK_REQUEST__INIT;
	Snapshots__PrepareSnapshotResponse *rootfs;
	Tasks__CreateTaskResponse *made;

	arena_reset(&l->arena);
	prepare.snapshotter = SNAPSHOTTER;
	prepare.key = id;
	prepare.parent = l->parent;
	rootfs = (Snapshots__PrepareSnapshotResponse *)call(l, SNAPSHOTS, "Prepare", &prepare,
			&snapshots__prepare_snapshot_response__descriptor);
	if (rootfs == NULL)
		return -1;
	note_upper(l, rootfs);
	create.container_id = id;
	create.n_rootfs = rootfs->n_mounts;
	create.rootfs = rootfs->mounts;
	create.options = options(l);
	made = (Tasks__CreateTaskResponse *)call(
			l, TASKS, "Create", &create, &tasks__create_task_response__descriptor);
	return made == NULL ? -1 : (int)made->pid;
}

int life_exec(struct life *l, const char *id, const char *exec_id, const char *script)
{
	Tasks__ExecProcessRequest request = TASKS__EXEC_PROCESS_REQUEST__INIT;
	Google__Protobuf__Any any = GOOGLE__PROTOBUF__ANY__INIT;
	AUTO_BUF struct buf spec = { .limit = 1 << 20 };
	struct json_out j;

	json_out_init(&j, &spec, NULL);
	add_process(&j, script);
	any.type_url = (char *)PROCESS_TYPE;
	any.value = (ProtobufCBinaryData){ spec.size, (uint8_t *)spec.data };
	request.container_id = id;
	request.exec_id = exec_id;
	request.spec = &any;
	return call_empty(l, TASKS, "Exec", &request);
}

int life_start(struct life *l, const char *id, const char *exec_id)
{
	Tasks__StartRequest request = TASKS__START_REQUEST__INIT;
	Tasks__StartResponse *r;

	request.container_id = id;
	request.exec_id = exec_id;
	arena_reset(&l->arena);
	r = (Tasks__StartResponse *)call(
			l, TASKS, "Start", &request, &tasks__start_response__descriptor);
	return r == NULL ? -1 : (int)r->pid;
}

int life_kill(struct life *l, const char *id, const char *exec_id, uint32_t signo)
{
	Tasks__KillRequest request = TASKS__KILL_REQUEST__INIT;

	request.container_id = id;
	request.exec_id = exec_id;
	request.signal = signo;
	return call_empty(l, TASKS, "Kill", &request);
}

int life_wait(struct life *l, const char *id, const char *exec_id)
{
	Tasks__WaitRequest request = TASKS__WAIT_REQUEST__INIT;
	Tasks__WaitResponse *r;

	request.container_id = id;
	request.exec_id = exec_id;
	arena_reset(&l->arena);
	r = (Tasks__WaitResponse *)call(
			l, TASKS, "Wait", &request, &tasks__wait_response__descriptor);
	return r == NULL ? -1 : (int)r->exit_status;
}

int life_delete(struct life *l, const char *id, const char *exec_id)
{
	Tasks__DeleteTaskRequest task = TASKS__DELETE_TASK_REQUEST__INIT;
	Tasks__DeleteProcessRequest process = TASKS__DELETE_PROCESS_REQUEST__INIT;
	Tasks__DeleteResponse *r;

	task.container_id = process.container_id = id;
	process.exec_id = exec_id;
	arena_reset(&l->arena);
	r = (Tasks__DeleteResponse *)(exec_id[0] == '\0'
						      ? call(l, TASKS, "Delete", &task,
									&tasks__delete_response__descriptor)
						      : call(l, TASKS, "DeleteProcess",
									&process,
									&tasks__delete_response__descriptor));
	return r == NULL ? -1 : (int)r->exit_status;
}

int life_status(struct life *l, const char *id, const char *exec_id)
{
	Tasks__GetRequest request = TASKS__GET_REQUEST__INIT;
	Tasks__GetResponse *r;

	request.container_id = id;
	request.exec_id = exec_id;
	arena_reset(&l->arena);
	r = (Tasks__GetResponse *)call(
			l, TASKS, "Get", &request, &tasks__get_response__descriptor);
	return r == NULL ? -1 : (int)r->process->status;
}

/* The snapshot first: once its container is gone, a collection may take it. */
int life_remove(struct life *l, const char *id)
{
	Containers__DeleteContainerRequest del = CONTAINERS__DELETE_CONTAINER_REQUEST__INIT;
	Snapshots__RemoveSnapshotRequest snap = SNAPSHOTS__REMOVE_SNAPSHOT_REQUEST__INIT;

	snap.snapshotter = SNAPSHOTTER;
	snap.key = id;
	del.id = id;
	if (call_empty(l, SNAPSHOTS, "Remove", &snap) < 0 && l->err.kind != ERR_NOT_FOUND)
		return -1;
	if (call_empty(l, CONTAINERS, "Delete", &del) < 0 && l->err.kind != ERR_NOT_FOUND)
		return -1;
	return 0;
}

int life_count_tasks(struct life *l)
{
	Tasks__ListTasksRequest request = TASKS__LIST_TASKS_REQUEST__INIT;
	Tasks__ListTasksResponse *r;

	arena_reset(&l->arena);
	r = (Tasks__ListTasksResponse *)call(
			l, TASKS, "List", &request, &tasks__list_tasks_response__descriptor);
	return r == NULL ? -1 : (int)r->n_tasks;
}
