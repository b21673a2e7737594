/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A shim in the test's own process: the task service, and the sandbox service if asked, over a
 * socket, with tasks that are only numbers, and knobs for what can go wrong. Its "binary" is a
 * shell script that notes how it was called and prints where the socket is.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/map.h"
#include "base/mutex.h"

struct call;
struct served;

/* The sandbox that it serves, if is_pod. */
struct fake_pod {
	bool is_created, is_started, has_exited;
	uint32_t exit_status, stop_timeout;
	char *asked_to_fail; /* a method's name */
	struct call *waiters[16];
	size_t waiter_count;
};

struct fake_shim {
	struct served *served;
	struct mutex lock;
	struct cond changed;
	struct map tasks;	   /* "id" or "id/exec" to struct fake_task; under lock */
	char rootfs[128];	   /* under lock: the last one's type and source */
	const char *fail_create;   /* text of an error, set by the test before */
	bool only_v2, is_pod;	   /* set before fake_shim_start() */
	struct fake_pod pod;	   /* under lock */
	bool is_mute;		   /* under lock: answers nothing any more */
	bool is_stopping;	   /* parks nothing any more */
	size_t creates, shutdowns; /* under lock */
	struct call *muted[64];
	size_t muted_count;
};

void fake_shim_init(struct fake_shim *f);
void fake_shim_start(struct fake_shim *f, const char *socket);
/* Drops all connections, as if the process had died. Its tasks stay, for a new start. */
void fake_shim_stop(struct fake_shim *f);
void fake_shim_done(struct fake_shim *f);

/* The task's (or, with exec, the process's) end, which its waiters hear of. */
void fake_shim_exit(struct fake_shim *f, const char *key, uint32_t status);
bool fake_shim_has(struct fake_shim *f, const char *key);
void fake_shim_exit_pod(struct fake_shim *f, uint32_t status);
void fake_shim_mute(struct fake_shim *f, bool is_mute);
