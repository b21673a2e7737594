/* SPDX-License-Identifier: Apache-2.0 */
/* What a daemon tells of tasks, on a thread of its own. */
#pragma once

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct life_event {
	const char *what; /* "create", "exec-added", … */
	const char *container;
	const char *exec_id; /* "" for the init */
	uint32_t pid, status;
};

struct life_listener {
	const char *socket;
	void (*heard)(void *arg, const struct life_event *event);
	void *arg;
	pthread_t thread;
	_Atomic bool hears;
};

/* Returns when every event from now on will be heard. Ends with the process, and it with an
 * error. */
void life_listen(struct life_listener *l);
