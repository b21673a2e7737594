/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The daemon's side of tasks: bundles, shims and their connections behind core/task.h
 * (reference 02 §2 and §6).
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/auto.h"

struct container_store;
struct content_store;
struct differ;
struct err;
struct event_bus;
struct loop;
struct mount_manager;
struct runtime;
struct sandbox_store;
struct task_service;

/* How long shims may take, in nanoseconds; 0: the default. */
struct runtime_timeouts {
	int64_t start;	  /* "shim start", connecting (100 s) */
	int64_t cleanup;  /* "shim delete" (5 s) */
	int64_t shutdown; /* the Shutdown call and the end of the process (3 s) */
	int64_t state;	  /* each State of Get and List (2 s) */
	int64_t stats;	  /* each Stats of Metrics (2 s) */
};

struct runtime_options {
	struct loop *loop; /* connections and fifos live on it */
	struct container_store *containers;
	struct sandbox_store *sandboxes;
	struct mount_manager *mounts; /* NULL: root file systems are plain mounts */
	struct event_bus *events;
	const char *state_dir, *root_dir; /* of the plugin; made if missing */
	const char *grpc_address, *ttrpc_address;
	const char *socket_dir;	   /* for shims; "" or NULL: theirs */
	const char *daemon_binary; /* NULL: the one that runs */
	const char *daemon_version;
	char *const *shim_env; /* "NAME=value" */
	bool debug;
	struct runtime_timeouts timeouts;
};

/* Texts are copied, the rest must outlive the runtime. */
MAY_BLOCK MUST_USE int runtime_new(
		const struct runtime_options *o, struct runtime **ret_runtime, struct err *err);

/* Finds the tasks of an earlier daemon: connects to every shim that is there, cleans up after
 * those that are not. Waits for none of them: what is slow, or frozen, is looked into while the
 * daemon serves. Once, before serving. */
MAY_BLOCK void runtime_load(struct runtime *rt);

/* Where checkpoints go as content, and what packs them; without these, and with a differ that
 * is NULL, they are directories only. Before serving. */
void runtime_use_content(
		struct runtime *rt, struct content_store *content, struct differ *differ);

struct task_service *runtime_tasks(struct runtime *rt);

/* Another process takes over (docs/design/041): waits until no clean-up is under way, but not
 * past the deadline. True if none is. */
MAY_BLOCK MUST_USE bool runtime_settle(struct runtime *rt, int64_t mono_deadline_ns);
/* While on, the end of a shim is somebody else's business; what ended meanwhile is looked into
 * when it is off again. */
ANY_THREAD void runtime_set_passive(struct runtime *rt, bool on);

/* Leaves all shims running. The loop may stop before or after. */
MAY_BLOCK void runtime_free(struct runtime *rt);
DEFINE_AUTO(struct runtime *, runtime_free)
