/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/pods.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "api/pb/empty.pb-c.h"
#include "api/pb/shim_sandbox.pb-c.h"
#include "api/pb/task_v3.pb-c.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/ident.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "base/thread.h"
#include "core/sandbox.h"
#include "runtime/runtime_priv.h"
#include "runtime/shim_log.h"
#include "runtime/shim_name.h"

#define SANDBOX_SERVICE "containerd.runtime.sandbox.v1.Sandbox"

static int make_private(const struct bundle_dirs *d, struct err *err)
{
	if (fchmod(d->state_fd, 0700) < 0)
		return err_sys(err, errno, "chmod %s", d->state);
	if (fchmod(d->root_fd, 0700) < 0)
		return err_sys(err, errno, "chmod %s", d->root);
	return 0;
}

int pods_open(struct runtime *rt, const char *state_dir, const char *root_dir, struct err *err)
{
	ASSERT_MAY_BLOCK();
	if (bundle_dirs_open(state_dir, root_dir, &rt->pod_dirs, err) < 0)
		return -1;
	rt->has_pods = true; /* runtime_free() closes them */
	if (make_private(&rt->pod_dirs, err) < 0)
		return -1;
	runtime_load_from(rt, &rt->pod_dirs, true);
	return 0;
}

static int connect_pod(struct runtime *rt, struct ctx *ctx, struct shim *s,
		const struct any *options, struct err *err)
{
	AUTO_ENDPOINT struct shim_endpoint endpoint = { 0 };
	AUTO_BUF struct buf json = { .limit = SHIM_ANSWER_MAX * 2 };
	struct shim_binary b = { s->binary, s->ns, s->id, s->bundle, &rt->env };
	int rc = shim_log_open(rt->loop, s->bundle, &s->log);

	if (rc < 0)
		return err_sys(err, -rc, "open shim log pipe");
	if (shim_binary_start(&b, ctx, options, &endpoint, err) < 0)
		return err_wrap(err, "start failed");
	shim_endpoint_write(&endpoint, &json);
	rc = bundle_write(&rt->pod_dirs, s->ns, s->id, "bootstrap.json", json.data, json.size,
			0644);
	if (rc < 0)
		return err_sys(err, -rc, "write bootstrap.json of %s", s->id);
	return runtime_connect(rt, s, ctx, &endpoint, err);
}

static int reserve(struct runtime *rt, const char *ns, const struct sandbox *sandbox,
		struct shim **ret_shim, struct err *err)
{
	AUTO_FREE char *bundle = bundle_path(&rt->pod_dirs, ns, sandbox->id);
	AUTO(shim_unref) struct shim *s = shim_new(ns, sandbox->id, bundle);
	AUTO_ERR struct err taken = { 0 };

	s->is_pod = true;
	(void)shim_claim(s);
	if (shim_table_reserve(&rt->table, s, &taken) < 0)
		return err_set(err, ERR_EXISTS, "sandbox %s already running", sandbox->id);
	*ret_shim = take_ptr(s);
	return 0;
}

static int make_bundle(struct runtime *rt, const struct sandbox *sandbox, struct shim *s,
		struct err *err)
{
	if (ident_check(s->id, err) < 0)
		return err_wrap(err, "invalid task id %s", s->id);
	if (shim_find_binary(sandbox->runtime_name, getenv("PATH"), &s->binary, err) < 0)
		return err_wrap(err,
				"failed to start new shim for sandbox %s: failed to "
				"resolve runtime path",
				s->id);
	return bundle_create(&rt->pod_dirs, s->ns, s->id, &sandbox->spec, s->binary, err);
}

int pod_start(struct runtime *rt, struct ctx *ctx, const struct sandbox *sandbox,
		struct shim **ret_shim, struct err *err)
{
	AUTO(shim_unref) struct shim *s = NULL;
	struct ctx bounded = runtime_bounded(ctx, rt->timeouts.start);
	const char *ns = ctx_namespace(ctx, err);

	ASSERT_MAY_BLOCK();
	if (ns == NULL || reserve(rt, ns, sandbox, &s, err) < 0)
		return -1;
	if (make_bundle(rt, sandbox, s, err) < 0) {
		(void)shim_table_remove(&rt->table, s);
		return -1;
	}
	if (connect_pod(rt, &bounded, s, &sandbox->runtime_options, err) < 0) {
		(void)err_wrap(err, "failed to start new shim for sandbox %s", s->id);
		pod_end(rt, s, false);
		return -1;
	}
	shim_table_show(&rt->table, s);
	*ret_shim = take_ptr(s);
	return 0;
}

void pod_release(struct runtime *rt, struct shim *shim)
{
	atomic_store(&shim->is_claimed, false);
	if (channel_is_closed(shim->channel) && shim_claim(shim))
		runtime_bury(rt, shim_ref(shim), true);
}

struct shim *pod_find(struct runtime *rt, const char *ns, const char *id)
{
	AUTO(shim_unref) struct shim *s = shim_table_find(&rt->table, ns, id);

	return s != NULL && s->is_pod ? take_ptr(s) : NULL;
}

static int call_shutdown(struct shim *s, struct ctx *ctx, struct arena *a, struct err *err)
{
	ShimSandbox__ShutdownSandboxRequest request =
			SHIM_SANDBOX__SHUTDOWN_SANDBOX_REQUEST__INIT;
	ProtobufCMessage *reply = NULL;

	request.sandbox_id = s->id;
	return channel_call(s->channel, ctx, SANDBOX_SERVICE, "ShutdownSandbox", &request.base,
			&shim_sandbox__shutdown_sandbox_response__descriptor, a, &reply, err);
}

/* Shims that know nothing of sandboxes, such as runc's, were started in vain. */
static int call_task_shutdown(struct shim *s, struct ctx *ctx, struct arena *a, struct err *err)
{
	TaskV3__ShutdownRequest request = TASK_V3__SHUTDOWN_REQUEST__INIT;
	ProtobufCMessage *reply = NULL;

	request.id = s->id;
	request.now = 1;
	return shim_call(s, ctx, "Shutdown", &request.base,
			&google__protobuf__empty__descriptor, a, &reply, err);
}

/* Asks for the end, of shims that do not know sandboxes the way they do know. */
static int ask_to_end(struct shim *s, struct ctx *ctx, struct err *err)
{
	AUTO_ARENA struct arena a = { 0 };

	arena_init(&a, SIZE_MAX);
	if (call_shutdown(s, ctx, &a, err) == 0)
		return 0;
	if (err->kind != ERR_UNIMPLEMENTED)
		return -1;
	err_clear(err);
	return call_task_shutdown(s, ctx, &a, err);
}

/* True if nothing of it is left to wonder about. */
static bool shut_down(struct runtime *rt, struct shim *s, bool is_told)
{
	AUTO_ERR struct err err = { 0 };
	struct ctx ctx = runtime_ctx(s->ns, rt->timeouts.shutdown, "ShutdownSandbox");
	int rc = is_told ? 0 : ask_to_end(s, &ctx, &err);

	if (shim_wait_closed(s, ctx.deadline_ns))
		return runtime_has_no_socket(s);
	log_warn(&ctx, "shut down sandbox %s: %s (ignored)", s->id,
			rc < 0 ? err_text(&err) : "its shim is still there");
	return false;
}

void pod_end(struct runtime *rt, struct shim *shim, bool is_told)
{
	struct shim_exit ignored;
	bool is_clean = false;

	ASSERT_MAY_BLOCK();
	if (shim->channel != NULL) {
		is_clean = shut_down(rt, shim, is_told);
		shim_close(shim);
	}
	runtime_run_delete(rt, shim, &ignored);
	if (!is_clean)
		runtime_stop_orphan(rt, shim); /* killed: it has left its socket */
	runtime_remove_bundle(rt, shim);
	(void)shim_table_remove(&rt->table, shim);
}

struct pod_ending {
	struct job job;
	struct runtime *rt;
	struct shim *shim;
	bool is_told;
	void (*done)(void *arg);
	void *arg;
};

static void run_end(struct job *job)
{
	struct pod_ending *e = container_of(job, struct pod_ending, job);

	pod_end(e->rt, e->shim, e->is_told);
	shim_unref(e->shim);
	e->done(e->arg);
	free(e);
}

void pod_end_soon(struct runtime *rt, struct shim *own_shim, bool is_told,
		void (*done)(void *arg), void *arg)
{
	struct pod_ending *e = xzalloc(sizeof(*e));

	*e = (struct pod_ending){ { .run = run_end }, rt, own_shim, is_told, done, arg };
	if (runtime_submit(rt, &e->job))
		return;
	shim_unref(own_shim);
	free(e);
	done(arg);
}
