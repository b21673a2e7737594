/* SPDX-License-Identifier: Apache-2.0 */
/* What may be done to a process in which state, and in which words it is refused (reference 02
 * §3.4). Pure. */
#pragma once

#include "base/attr.h"

struct err;

enum proc_state {
	PROC_CREATED,
	PROC_CREATED_CHECKPOINT, /* will be restored, not started */
	PROC_RUNNING,
	PROC_PAUSED,
	PROC_STOPPED,
	PROC_DELETED,
	PROC_STATES,
};

enum proc_op {
	PROC_OP_START,
	PROC_OP_DELETE,
	PROC_OP_PAUSE,
	PROC_OP_RESUME,
	PROC_OP_UPDATE,
	PROC_OP_CHECKPOINT,
	PROC_OP_EXEC,
	PROC_OP_KILL,
	PROC_OP_RESIZE,
	PROC_OPS,
};

/* 0 if the container's first process may. */
MUST_USE int proc_check_init(enum proc_state state, enum proc_op op, struct err *err);
/* The same for a process added later; only START, DELETE, KILL and RESIZE apply. */
MUST_USE int proc_check_exec(enum proc_state state, enum proc_op op, struct err *err);
const char *proc_state_name(enum proc_state state);
