/* SPDX-License-Identifier: Apache-2.0 */
/* From a container to a running task, and to its end: "run" and "tasks start". */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"

struct ctrd_client;

struct task_run {
	struct ctrd_client *client;
	const char *container;
	bool terminal, detach, null_io, no_pivot;
	const char *log_uri, *fifo_dir, *pid_file; /* or NULL */
	uint32_t io_uid, io_gid;
	bool is_cancelled; /* set at the end: the client can do nothing more */
};

/* The exit status of the process, of "detach" 0, or 1 with the reason printed. */
MUST_USE int task_run(struct task_run *t);

/* Writes the number, so that nobody reads half of it. The failure is printed. */
MUST_USE int write_pid_file(const char *name, uint32_t pid);
