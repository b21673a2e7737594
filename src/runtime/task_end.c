/* SPDX-License-Identifier: Apache-2.0 */
/* The end of a task by a client's wish, or because it could not be created. */
#include <stdlib.h>
#include <string.h>

#include "api/pb/empty.pb-c.h"
#include "api/pb/task_v3.pb-c.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "runtime/runtime_priv.h"

static int call_delete(struct runtime *rt, struct shim *shim, struct err *err)
{
	AUTO_ARENA struct arena a = { 0 };
	TaskV3__DeleteRequest request = TASK_V3__DELETE_REQUEST__INIT;
	struct ctx ctx = runtime_ctx(shim->ns, rt->timeouts.cleanup, "Delete");
	ProtobufCMessage *reply = NULL;

	arena_init(&a, SIZE_MAX);
	request.id = shim->id;
	return shim_call(shim, &ctx, "Delete", &request.base,
			&task_v3__delete_response__descriptor, &a, &reply, err);
}

/* Asks the shim to end, which it does if it has no other task, and waits until its socket or
 * itself is gone. True if nothing of it is left to wonder about. */
static bool shut_down(struct runtime *rt, struct shim *shim)
{
	AUTO_ARENA struct arena a = { 0 };
	AUTO_ERR struct err err = { 0 };
	TaskV3__ShutdownRequest request = TASK_V3__SHUTDOWN_REQUEST__INIT;
	struct ctx ctx = runtime_ctx(shim->ns, rt->timeouts.shutdown, "Shutdown");
	ProtobufCMessage *reply = NULL;
	int rc;

	arena_init(&a, SIZE_MAX);
	request.id = shim->id;
	rc = shim_call(shim, &ctx, "Shutdown", &request.base,
			&google__protobuf__empty__descriptor, &a, &reply, &err);
	if (rc == 0 && (shim_table_is_shared(&rt->table, shim) || runtime_has_no_socket(shim)))
		return true;
	if (shim_wait_closed(shim, ctx.deadline_ns) && runtime_has_no_socket(shim))
		return true;
	log_warn(&ctx, "shut down shim of %s: %s (ignored)", shim->id,
			rc < 0 ? err_text(&err) : "it is still there");
	return false;
}

/* The original runs "delete" after every task. For the runc shim that has told us the task is
 * gone this is only time lost; of others we cannot know. */
static bool needs_delete_run(const struct shim *shim)
{
	const char *slash = shim->binary == NULL ? NULL : strrchr(shim->binary, '/');

	return slash == NULL || !str_eq(slash + 1, "containerd-shim-runc-v2");
}

struct ending {
	struct job job;
	struct runtime *rt;
	struct shim *shim;
	bool is_deleted;
	void (*done)(void *arg);
	void *arg;
};

/* A pod's shim ends with the pod, and not before. */
static void end_shim(struct ending *e)
{
	struct shim_exit ignored;
	bool is_clean;

	if (e->shim->is_joined)
		return;
	is_clean = shut_down(e->rt, e->shim);
	if (!is_clean || !e->is_deleted || needs_delete_run(e->shim))
		runtime_run_delete(e->rt, e->shim, &ignored);
	if (!is_clean)
		runtime_stop_orphan(e->rt, e->shim); /* killed: it has left its socket */
}

/* What a client does not wait for: on a disk, removing files may take longer than all the rest.
 */
struct remains {
	const struct bundle_dirs *dirs;
	char *ns;
	char *hidden; /* NULL: nothing to sweep */
};

static struct remains hide(struct runtime *rt, const struct shim *shim)
{
	struct remains r = { .dirs = dirs_of(rt, shim), .ns = xstrdup(shim->ns) };
	struct ctx ctx = runtime_ctx(shim->ns, rt->timeouts.cleanup, "bundle");
	AUTO_ERR struct err err = { 0 };

	if (bundle_hide(r.dirs, &ctx, shim->ns, shim->id, &r.hidden, &err) < 0)
		log_warn(&ctx, "remove bundle of %s: %s (ignored)", shim->id, err_text(&err));
	return r;
}

static void sweep(struct remains *r)
{
	AUTO_ERR struct err err = { 0 };

	if (r->hidden != NULL && bundle_sweep(r->dirs, r->ns, r->hidden, &err) < 0)
		log_warn(&(struct ctx){ .ns = r->ns }, "%s (ignored)", err_text(&err));
	free(r->hidden);
	free(r->ns);
}

/* Unregistered first, so that the end of the connection is no news (TestRegressionIssue4769);
 * answered when the same id may be created again, which clients do at once. */
static void end(struct job *job)
{
	struct ending *e = container_of(job, struct ending, job);
	struct remains remains;

	(void)shim_table_remove(&e->rt->table, e->shim);
	end_shim(e);
	shim_close(e->shim);
	remains = hide(e->rt, e->shim);
	task_rootfs_done(e->rt, e->shim);
	shim_unref(e->shim);
	e->done(e->arg);
	free(e);
	sweep(&remains);
}

void runtime_end(struct runtime *rt, struct shim *own_shim, bool is_deleted,
		void (*done)(void *arg), void *arg)
{
	struct ending *e = xzalloc(sizeof(*e));

	*e = (struct ending){ { .run = end }, rt, own_shim, is_deleted, done, arg };
	if (runtime_submit(rt, &e->job))
		return;
	shim_unref(own_shim);
	free(e);
	done(arg);
}

void runtime_undo_create(struct runtime *rt, struct shim *shim)
{
	AUTO_ERR struct err err = { 0 };
	struct ctx ctx = { .ns = shim->ns };
	struct shim_exit ignored;

	if (shim->channel != NULL) {
		if (call_delete(rt, shim, &err) < 0 && err.kind != ERR_NOT_FOUND)
			log_warn(&ctx, "delete task %s that failed: %s (ignored)", shim->id,
					err_text(&err));
		if (!shim->is_joined)
			(void)shut_down(rt, shim);
		shim_close(shim);
	}
	if (!shim->is_joined) {
		runtime_run_delete(rt, shim, &ignored);
		/* One that was killed has left its socket, too. */
		if (!runtime_has_no_socket(shim))
			runtime_stop_orphan(rt, shim);
	}
	runtime_remove_cgroup(rt, shim);
	runtime_remove_bundle(rt, shim);
	task_rootfs_done(rt, shim);
	(void)shim_table_remove(&rt->table, shim);
}
