/* SPDX-License-Identifier: Apache-2.0 */
/* A daemon of a test's own process, in a directory of its own. One thread at a time. */
#pragma once

#include "base/err.h"
#include "cmd/containerd/daemon.h"
#include "loop/loop.h"

struct instance {
	struct daemon d;
	char *dir, *root, *state, *address, *config; /* all below dir */
	unsigned long thread;
	struct err err;
	struct loop_task stop;
};

/* SIGTERM, SIGINT, SIGUSR1 and SIGUSR2: before the first thread, as the program does. */
void instance_block_signals(void);
/* Everything up to serving. */
void instance_boot(struct instance *it);
/* On a thread of its own. */
void instance_serve(struct instance *it);
/* Stops what serves, and removes what it had. */
void instance_end(struct instance *it);
/* The same for one that never served. */
void instance_drop(struct instance *it);
