/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/shim-runc/runc_service.h"

#include "api/pb/empty.pb-c.h"
#include "api/pb/task_v3.pb-c.h"
#include "base/attr.h"
#include "cmd/shim-runc/runc_service_priv.h"
#include "rpc/server.h"

#define METHOD(name, request, response, handler)                                               \
	{                                                                                      \
		name, &task_v3__##request##__descriptor, response, RPC_UNARY, RPC_ON_LOOP,     \
				handler                                                        \
	}
#define EMPTY	     &google__protobuf__empty__descriptor
#define ANSWER(type) &task_v3__##type##__descriptor

static const struct rpc_method methods[] = {
	METHOD("State", state_request, ANSWER(state_response), task_state),
	METHOD("Create", create_task_request, ANSWER(create_task_response), task_create),
	METHOD("Start", start_request, ANSWER(start_response), task_start),
	METHOD("Delete", delete_request, ANSWER(delete_response), task_delete),
	METHOD("Pids", pids_request, ANSWER(pids_response), task_pids),
	METHOD("Pause", pause_request, EMPTY, task_pause),
	METHOD("Resume", resume_request, EMPTY, task_resume),
	METHOD("Checkpoint", checkpoint_task_request, EMPTY, task_checkpoint),
	METHOD("Kill", kill_request, EMPTY, task_kill),
	METHOD("Exec", exec_process_request, EMPTY, task_exec),
	METHOD("ResizePty", resize_pty_request, EMPTY, task_resize_pty),
	METHOD("CloseIO", close_iorequest, EMPTY, task_close_io),
	METHOD("Update", update_task_request, EMPTY, task_update),
	METHOD("Wait", wait_request, ANSWER(wait_response), task_wait),
	METHOD("Stats", stats_request, ANSWER(stats_response), task_stats),
	METHOD("Connect", connect_request, ANSWER(connect_response), task_connect),
	METHOD("Shutdown", shutdown_request, EMPTY, task_shutdown),
};

static const struct rpc_service services[] = {
	{ "containerd.task.v3.Task", methods, ARRAY_LEN(methods) },
	{ "containerd.task.v2.Task", methods, ARRAY_LEN(methods) },
};

void runc_service_add(struct rpc_server *server, struct shim *s)
{
	for (size_t i = 0; i < ARRAY_LEN(services); i++)
		rpc_server_add(server, RPC_TTRPC, &services[i], s);
}
