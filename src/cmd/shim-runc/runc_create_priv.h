/* SPDX-License-Identifier: Apache-2.0 */
/* What the making of a container and of an exec share, and their handlers. */
#pragma once

#include <stdbool.h>

#include "base/attr.h"
#include "rpc/call.h"

struct ProtobufCMessage;
struct err;
struct op;
struct proc;
struct runner_result;

/* Runs the runtime with the process's streams; frees argv in any case. */
MUST_USE int op_run_with_io(struct op *op, char **own_argv,
		void (*then)(struct op *op, const struct runner_result *result,
				const struct err *err),
		struct err *err);

void proc_set_io(struct proc *p, const char *in, const char *out, const char *err,
		bool terminal);
