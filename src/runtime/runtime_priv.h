/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of this folder share. */
#pragma once

#include "base/ctx.h"
#include "base/pool.h"
#include "core/mount_manager.h"
#include "core/task.h"
#include "runtime/bundle.h"
#include "runtime/runtime.h"
#include "runtime/shim.h"
#include "runtime/shim_binary.h"
#include "runtime/shim_table.h"

struct runtime {
	struct task_service service; /* first */
	struct loop *loop;
	struct container_store *containers;
	struct sandbox_store *sandboxes;
	struct mount_manager *mounts;
	struct event_bus *events;
	struct content_store *content;
	struct differ *differ;
	struct pool *pool; /* what follows an answer, or the end of a shim */
	struct bundle_dirs dirs, pod_dirs;
	bool has_pods;
	struct shim_env env; /* owned texts */
	struct runtime_timeouts timeouts;
	struct shim_table table;

	/* One of the owner, one of each connection and each call on its way: the memory
	 * outlives runtime_free() for those that the loop has not ended yet. */
	_Atomic int refs;
	struct mutex lock;
	bool is_passive; /* under lock: another process looks after the shims */
	bool is_ending;	 /* under lock: no more jobs, the pool is going */

	struct moves { /* of processes between control groups: expected soon */
		struct job job;
		_Atomic bool is_busy;
	} moves;
};

/* Where the shim's bundle is. */
static inline const struct bundle_dirs *dirs_of(const struct runtime *rt, const struct shim *s)
{
	return s->is_pod ? &rt->pod_dirs : &rt->dirs;
}

ANY_THREAD struct runtime *runtime_ref(struct runtime *rt);
ANY_THREAD void runtime_unref(struct runtime *rt);

static inline struct runtime *runtime_of(struct task_service *s)
{
	return (struct runtime *)s;
}

/* A ctx for work of our own in a namespace, bounded by timeout_ns. */
struct ctx runtime_ctx(const char *ns, int64_t timeout_ns, const char *what);
/* The caller's ctx, but no longer than timeout_ns. */
struct ctx runtime_bounded(const struct ctx *ctx, int64_t timeout_ns);

/* shim_connect() with what is ours. */
MAY_BLOCK MUST_USE int runtime_connect(struct runtime *rt, struct shim *s, struct ctx *ctx,
		struct shim_endpoint *own_endpoint, struct err *err);

/* shim_load.c: runtime_load() for the shims below these directories. */
MAY_BLOCK void runtime_load_from(
		struct runtime *rt, const struct bundle_dirs *dirs, bool are_pods);

/* task_create.c */
MAY_BLOCK int runtime_create(struct task_service *self, struct ctx *ctx,
		const struct task_create *r, uint32_t *ret_pid, struct err *err);

/* task_rootfs.c */
/* What the shim is to mount: the request's mounts, or what the mount manager leaves of them.
 * "made" must stay until they are used. */
MAY_BLOCK MUST_USE int task_rootfs(struct runtime *rt, struct ctx *ctx, const char *id,
		const char *binary, const struct mounts *given, struct activation *made,
		const struct mounts **ret_mounts, struct err *err);
/* After the task's end. A failure is logged. */
MAY_BLOCK void task_rootfs_done(struct runtime *rt, const struct shim *shim);

/* task_features.c */
/* Refuses a spec that needs what the runtime does not have. */
MAY_BLOCK MUST_USE int task_check_features(struct runtime *rt, struct ctx *ctx,
		const char *binary, const struct any *spec, const struct any *options,
		struct err *err);
bool task_has_idmapped_mounts(const struct any *spec);
MUST_USE int task_features_have_idmap(const void *features, size_t size, struct err *err);

/* task_call.c */
ANY_THREAD void runtime_call(struct task_service *self, struct ctx *ctx,
		const struct task_request *r, task_done done, void *arg);

/* task_gather.c: LIST and METRICS */
ANY_THREAD void runtime_gather(struct runtime *rt, struct ctx *ctx,
		const struct task_request *r, task_done done, void *arg);

/* task_end.c */
/* After the shim has answered Delete (is_deleted), or said that there is no such task: on the
 * pool, unregisters it, shuts the shim down and removes the bundle; then tells "done". The shim
 * must be claimed. */
ANY_THREAD void runtime_end(struct runtime *rt, struct shim *own_shim, bool is_deleted,
		void (*done)(void *arg), void *arg);
/* Takes back a task that was not, or only half created. The shim must be claimed. */
MAY_BLOCK void runtime_undo_create(struct runtime *rt, struct shim *shim);

/* shim_dead.c */
/* After a shim that is gone: runs "delete", removes the bundle, unregisters it, and tells
 * clients of the end if they could know the task. The shim must be claimed. */
ANY_THREAD void runtime_bury(struct runtime *rt, struct shim *own_shim, bool tell);
MAY_BLOCK void runtime_run_delete(
		struct runtime *rt, struct shim *shim, struct shim_exit *ret_exit);
/* A runtime that was killed half-way leaves cgroups that nobody knows of but the spec. */
MAY_BLOCK void runtime_remove_cgroup(struct runtime *rt, const struct shim *shim);
/* A shim takes its socket's name away before it says that it will end, or before it ends. One
 * that was killed does not. */
MAY_BLOCK bool runtime_has_no_socket(const struct shim *shim);
/* A shim may have been started whose address we never learnt, or live on without a connection:
 * ends it if it has no task. Of one that was killed, the socket is removed. */
MAY_BLOCK void runtime_stop_orphan(struct runtime *rt, const struct shim *shim);
MAY_BLOCK void runtime_remove_bundle(struct runtime *rt, const struct shim *shim);

/* A job for the pool; false, and the job untouched, when the runtime is ending: what it would
 * have done is done when the next daemon loads. */
ANY_THREAD MUST_USE bool runtime_submit(struct runtime *rt, struct job *job);

/* Decodes the answer of an asynchronous call; -1 and err if it is a failure. */
MUST_USE int shim_answer(const struct shim *s, const struct rpc_answer *answer,
		const ProtobufCMessageDescriptor *type, struct arena *a,
		ProtobufCMessage **ret_message, struct err *err);

/* A view of what State answered about the process "id". */
struct TaskV3__StateResponse;
struct task_process shim_state_in(const struct TaskV3__StateResponse *m, const char *id);
