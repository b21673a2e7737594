/* SPDX-License-Identifier: Apache-2.0 */
/* Command lines of the OCI runtime, running them, and what their failures mean (reference 02
 * §4). */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/attr.h"
#include "shim/shim_runner.h"

struct err;
struct loop;
struct reaper;
struct runc_options;

/* All borrowed. */
struct runc {
	struct loop *loop;
	struct reaper *reaper;
	const struct runc_options *options;
	const char *ns, *bundle;
};

/* The words before the verb; strv_add() the rest. */
MUST_USE char **runc_argv(const struct runc *r, const char *verb);
MUST_USE char *runc_log_path(const struct runc *r);

/* Runs argv with these standard descriptors (-1: /dev/null, RUNNER_CAPTURE: collected). 0, and
 * "done" once from the loop; or -1 in Go's words when it cannot be started. */
MUST_USE int runc_run(const struct runc *r, char *const *argv, const int fds[3],
		void (*done)(void *arg, const struct runner_result *result), void *arg,
		struct runner **ret_runner, struct err *err);

/* For a result that is not 0: "<name> did not terminate successfully: exit status 1: <output>".
 */
void runc_explain(const char *name, const struct runner_result *result, struct err *err);

/* For whatever went wrong ("cause", which may also be that it did not start): "<prefix>: " and
 * the runtime's own last error if it left one, else the cause. */
void runc_fail(const struct runc *r, const char *prefix, const struct err *cause,
		struct err *err);

/* For kill: kinds that clients act on. */
void runc_fail_kill(const struct err *cause, struct err *err);

/* The result's output says that there is no such container. */
bool runc_says_missing(const struct err *cause);
