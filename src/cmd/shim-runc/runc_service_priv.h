/* SPDX-License-Identifier: Apache-2.0 */
/* The handlers of the task service: one per method, "self" is the struct shim. */
#pragma once

#include "rpc/call.h"

struct ProtobufCMessage;
struct err;

#define TASK_HANDLER(name)                                                                     \
	enum call_fate name(struct call *call, void *self,                                     \
			const struct ProtobufCMessage *request, struct err *err)

TASK_HANDLER(task_state);
TASK_HANDLER(task_create);
TASK_HANDLER(task_start);
TASK_HANDLER(task_delete);
TASK_HANDLER(task_pids);
TASK_HANDLER(task_pause);
TASK_HANDLER(task_resume);
TASK_HANDLER(task_checkpoint);
TASK_HANDLER(task_kill);
TASK_HANDLER(task_exec);
TASK_HANDLER(task_resize_pty);
TASK_HANDLER(task_close_io);
TASK_HANDLER(task_update);
TASK_HANDLER(task_wait);
TASK_HANDLER(task_stats);
TASK_HANDLER(task_connect);
TASK_HANDLER(task_shutdown);
