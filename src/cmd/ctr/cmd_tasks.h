/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "cmd/ctr/ctr_command.h"

struct ctrd_client;
struct ctrd_spec;

struct tasks_exec_args {
	const char *cwd, *exec_id, *fifo_dir, *log_uri, *user;
	bool tty, detach;
};

extern const struct flag tasks_exec_flags[];
int run_tasks_exec(struct cx *cx);
int run_tasks_attach(struct cx *cx);

/* The spec of a container's record; an empty one if it has none. Prints what goes wrong. */
MUST_USE int container_spec(
		struct ctrd_client *client, const char *id, struct ctrd_spec **ret_spec);
