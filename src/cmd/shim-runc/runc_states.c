/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/shim-runc/runc_states.h"

#include <stddef.h>

#include "base/err.h"

/* NULL: allowed. Columns: created, created from a checkpoint, running, paused, stopped,
 * deleted. */
static const char *const init_table[PROC_OPS][PROC_STATES] = {
	[PROC_OP_START] = { NULL, NULL, "cannot start a running process",
			"cannot start a paused process", "cannot start a stopped process",
			"cannot start a deleted process" },
	[PROC_OP_DELETE] = { NULL, NULL, "cannot delete a running process",
			"cannot delete a paused process", NULL,
			"cannot delete a deleted process" },
	[PROC_OP_PAUSE] = { "cannot pause task in created state",
			"cannot pause task in created state", NULL,
			"cannot pause a paused container", "cannot pause a stopped container",
			"cannot pause a deleted process" },
	[PROC_OP_RESUME] = { "cannot resume task in created state",
			"cannot resume task in created state",
			"cannot resume a running process", NULL,
			"cannot resume a stopped container",
			"cannot resume a deleted process" },
	[PROC_OP_UPDATE] = { NULL, NULL, NULL, NULL, "cannot update a stopped container",
			"cannot update a deleted process" },
	[PROC_OP_CHECKPOINT] = { "cannot checkpoint a task in created state",
			"cannot checkpoint a task in created state", NULL, NULL,
			"cannot checkpoint a stopped container",
			"cannot checkpoint a deleted process" },
	[PROC_OP_EXEC] = { NULL, "cannot exec in a created state", NULL,
			"cannot exec in a paused state", "cannot exec in a stopped state",
			"cannot exec in a deleted state" },
	[PROC_OP_KILL] = { NULL, NULL, NULL, NULL, NULL, "cannot kill a deleted process" },
	[PROC_OP_RESIZE] = { NULL, NULL, NULL, NULL, "cannot resize a stopped container",
			"cannot resize a deleted process" },
};

static const char *const exec_table[PROC_OPS][PROC_STATES] = {
	[PROC_OP_START] = { NULL, NULL, "cannot start a running process",
			"cannot start a paused process", "cannot start a stopped process",
			"cannot start a deleted process" },
	[PROC_OP_DELETE] = { NULL, NULL, "cannot delete a running process",
			"cannot delete a paused process", NULL,
			"cannot delete a deleted process" },
	[PROC_OP_KILL] = { NULL, NULL, NULL, NULL, NULL, "cannot kill a deleted process" },
	[PROC_OP_RESIZE] = { NULL, NULL, NULL, NULL, "cannot resize a stopped container",
			"cannot resize a deleted process" },
};

static int check(const char *refusal, enum proc_state state, enum proc_op op, struct err *err)
{
	if (refusal == NULL)
		return 0;
	if (state == PROC_DELETED && (op == PROC_OP_DELETE || op == PROC_OP_KILL))
		return err_set(err, ERR_NOT_FOUND, "%s", refusal);
	return err_plain(err, ERR_UNKNOWN, "%s", refusal);
}

int proc_check_init(enum proc_state state, enum proc_op op, struct err *err)
{
	return check(init_table[op][state], state, op, err);
}

int proc_check_exec(enum proc_state state, enum proc_op op, struct err *err)
{
	return check(exec_table[op][state], state, op, err);
}

const char *proc_state_name(enum proc_state state)
{
	static const char *const names[] = { "created", "createdCheckpoint", "running",
		"paused", "stopped", "deleted" };

	return names[state];
}
