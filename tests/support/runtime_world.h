/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A daemon's runtime over a fake shim (fake_shim.h), in a directory of its own. The shim's
 * "binary" is a shell script that notes how it was called. One thread at a time, but for what
 * has a lock.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/ctx.h"
#include "base/err.h"
#include "core/container.h"
#include "core/sandbox.h"
#include "support/fake_shim.h"
#include "support/topics_bus.h"

struct loop;
struct mount_manager;
struct runtime;
struct sandbox_controller;
struct task_service;

struct world {
	char top[32];
	int top_fd;
	char *shim_path, *socket;
	struct fake_shim shim;
	struct container_store containers;
	struct sandbox_store sandboxes;
	struct mount_manager *mounts; /* NULL: none */
	struct topics_bus bus;
	struct loop *loop;
	unsigned long thread;
	struct runtime *rt;
	struct task_service *tasks;
	struct sandbox_controller *controller;
	struct ctx ctx; /* namespace "ns" */
	struct err err;

	/* Around the time that the runtime serves; may be NULL. */
	void (*opened)(struct world *w);
	void (*closing)(struct world *w);
};

/* The directory and nothing more; the caller sets what it has of its own, and the fake shim's
 * knobs. "name" is the shim's. */
struct world *world_new(const char *name);
/* Script, fake shim and daemon. */
void world_begin(struct world *w);
void world_end(struct world *w);

/* A daemon comes up over what is there, and goes. */
void start_daemon(struct world *w);
void stop_daemon(struct world *w);
void restart_shim(struct world *w);

/* The script: what it does for "start" and for "delete". */
void write_shim(struct world *w, const char *start, const char *delete);
/* The usual one: says where the fake shim is, deletes with status 137. */
void write_good_shim(struct world *w);
/* "start", "delete": how often the script was run that way. */
size_t runs_of(struct world *w, const char *action);

bool is_there(struct world *w, const char *name);
/* Owned; "" if there is none. */
char *read_file(struct world *w, const char *name);
/* The call has failed, with this in w->err, which is empty again; text NULL: any. */
void expect(struct world *w, int rc, enum err_kind kind, const char *text);
