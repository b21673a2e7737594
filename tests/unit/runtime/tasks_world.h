/* SPDX-License-Identifier: Apache-2.0 */
/* What the tests of the whole runtime share: a world with containers, sandboxes and mounts, and
 * a few ways to ask it. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "core/mount_manager.h"
#include "core/task.h"
#include "support/runtime_world.h"

struct fake_mounts {
	struct mount_manager base;
	char did[256];
};

/* The one of the world. */
struct fake_mounts *mounts_of(struct world *w);

int begin(void **state);
int end(void **state);

struct seen {
	uint32_t pid, exit_status;
	int64_t exited_ns;
	enum task_status status;
	size_t count;
	char id[64];
};

/* 0, or -1 and w->err; ret_pid and ret may be NULL. */
int create(struct world *w, const char *id, uint32_t *ret_pid);
int ask(struct world *w, enum task_verb verb, const char *id, const char *exec_id,
		struct seen *ret);
/* Takes an answer down into a struct seen. */
void see(void *arg, const struct task_reply *r);
