/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Lives of containers by the daemon's API, for the programs that make many of them: soak, load
 * and kill tests. One "struct life" a thread. Calls return -1 with l->err, or 0 (or a status);
 * each is answered within LIFE_MS or fails.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "api/arena.h"
#include "base/err.h"

#define LIFE_MS 60000 /* only a failure waits that long */

struct life {
	struct channel *channel;
	struct arena arena; /* of the last call */
	struct err err;
	const char *socket;
	const char *ns;
	const char *parent;  /* snapshot of the root file system */
	const char *runtime; /* binary_name; NULL: the shim's default */
	int64_t patience_ms; /* 0: LIFE_MS */
	char upper[512];     /* directory with what the last created one has written */
};

/* Connects, again and again for LIFE_MS while nobody listens. */
int life_open(struct life *l, const char *socket, const char *parent);
void life_close(struct life *l);

/* A container record that runs "sleep" for ever, or the given shell script. group: annotation
 * of the shim that it lives in; NULL: its own. */
int life_make(struct life *l, const char *id, const char *group, const char *script);
/* Snapshot and task. */
int life_create(struct life *l, const char *id);
int life_exec(struct life *l, const char *id, const char *exec_id, const char *script);
/* exec_id "" stands for the init. */
int life_start(struct life *l, const char *id, const char *exec_id); /* pid */
int life_kill(struct life *l, const char *id, const char *exec_id, uint32_t signo);
int life_wait(struct life *l, const char *id, const char *exec_id);   /* exit status */
int life_delete(struct life *l, const char *id, const char *exec_id); /* exit status */
int life_status(struct life *l, const char *id, const char *exec_id); /* Task__Status */
/* Snapshot and record. */
int life_remove(struct life *l, const char *id);
/* How many tasks the namespace has. */
int life_count_tasks(struct life *l);
