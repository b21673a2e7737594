/* SPDX-License-Identifier: Apache-2.0 */
#include "sandbox/sandbox_shim.h"

#include <stdlib.h>

#include "api/arena.h"
#include "api/pb.h"
#include "api/pb/shim_sandbox.pb-c.h"
#include "api/timestamp.h"
#include "base/clock.h"
#include "base/ctx.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/str.h"
#include "core/sandbox.h"
#include "core/sandbox_controller.h"
#include "rpc/channel.h"
#include "runtime/pods.h"
#include "runtime/shim.h"
#include "wire/wire_map.h"
#include "wire/wire_mount.h"

#define SERVICE "containerd.runtime.sandbox.v1.Sandbox"

struct sandbox_shim {
	struct sandbox_controller base; /* first */
	struct runtime *rt;
};

static struct runtime *runtime_of(struct sandbox_controller *self)
{
	return ((struct sandbox_shim *)self)->rt;
}

static int create_in_shim(struct shim *pod, struct ctx *ctx, const struct sandbox_create *r,
		struct err *err)
{
	AUTO_ARENA struct arena a = { 0 };
	ShimSandbox__CreateSandboxRequest request = SHIM_SANDBOX__CREATE_SANDBOX_REQUEST__INIT;
	ProtobufCMessage *reply = NULL;

	arena_init(&a, SIZE_MAX);
	request.sandbox_id = r->sandbox->id;
	request.bundle_path = pod->bundle;
	request.rootfs = wire_mounts_out(&a, r->rootfs, &request.n_rootfs);
	request.options = wire_any_out(&a, r->options);
	request.netns_path = str_or(r->netns_path, "");
	request.annotations = wire_labels_out(&a, r->annotations,
			&shim_sandbox__create_sandbox_request__annotations_entry__descriptor,
			&request.n_annotations);
	return channel_call(pod->channel, ctx, SERVICE, "CreateSandbox", &request.base,
			&shim_sandbox__create_sandbox_response__descriptor, &a, &reply, err);
}

static int create(struct sandbox_controller *self, struct ctx *ctx,
		const struct sandbox_create *r, struct err *err)
{
	AUTO(shim_unref) struct shim *pod = NULL;

	if (pod_start(runtime_of(self), ctx, r->sandbox, &pod, err) < 0)
		return -1;
	if (create_in_shim(pod, ctx, r, err) < 0) {
		pod_end(runtime_of(self), pod, false);
		return err_wrap(err, "failed to create sandbox %s", r->sandbox->id);
	}
	pod_release(runtime_of(self), pod);
	return 0;
}

/* One question to a shim, on its way. */
struct question {
	struct runtime *rt;
	struct shim *pod;
	const struct verb *verb;
	const struct sandbox_request *r;
	struct arena arena; /* of request and answer */
	struct labels info; /* a view */
	struct sandbox_reply reply;
	struct err err;
	sandbox_done done;
	void *arg;
};

struct verb {
	const char *method;
	const ProtobufCMessageDescriptor *response;
	ProtobufCMessage *(*ask)(struct arena *a, const struct sandbox_request *r);
	void (*read)(struct question *q, const ProtobufCMessage *m);
	const char *failed[2]; /* what a failure says around the id; [1] NULL: without it */
};

#define NEW(a, Type, prefix)                                                                   \
	ShimSandbox__##Type *m = ARENA_NEW(a, ShimSandbox__##Type, shim_sandbox__##prefix)

static ProtobufCMessage *ask_start(struct arena *a, const struct sandbox_request *r)
{
	NEW(a, StartSandboxRequest, start_sandbox_request);

	m->sandbox_id = arena_strdup(a, r->id);
	return &m->base;
}

static void read_start(struct question *q, const ProtobufCMessage *m)
{
	const ShimSandbox__StartSandboxResponse *s = (const void *)m;

	q->reply.pid = s->pid;
	q->reply.created_ns = timestamp_ns(s->created_at);
}

static ProtobufCMessage *ask_stop(struct arena *a, const struct sandbox_request *r)
{
	NEW(a, StopSandboxRequest, stop_sandbox_request);

	m->sandbox_id = arena_strdup(a, r->id);
	m->timeout_secs = r->timeout_secs;
	return &m->base;
}

static void read_nothing(struct question *q, const ProtobufCMessage *m)
{
}

static ProtobufCMessage *ask_wait(struct arena *a, const struct sandbox_request *r)
{
	NEW(a, WaitSandboxRequest, wait_sandbox_request);

	m->sandbox_id = arena_strdup(a, r->id);
	return &m->base;
}

static void read_wait(struct question *q, const ProtobufCMessage *m)
{
	const ShimSandbox__WaitSandboxResponse *s = (const void *)m;

	q->reply.exit_status = s->exit_status;
	q->reply.exited_ns = timestamp_ns(s->exited_at);
}

static ProtobufCMessage *ask_status(struct arena *a, const struct sandbox_request *r)
{
	NEW(a, SandboxStatusRequest, sandbox_status_request);

	m->sandbox_id = arena_strdup(a, r->id);
	m->verbose = r->verbose;
	return &m->base;
}

static void read_status(struct question *q, const ProtobufCMessage *m)
{
	const ShimSandbox__SandboxStatusResponse *s = (const void *)m;

	q->reply.pid = s->pid;
	q->reply.state = s->state;
	q->info = wire_labels_in(&q->arena, s->n_info, s->info);
	q->reply.info = &q->info;
	q->reply.created_ns = timestamp_ns(s->created_at);
	q->reply.exited_ns = timestamp_ns(s->exited_at);
	q->reply.extra = wire_any_in(s->extra);
}

static ProtobufCMessage *ask_metrics(struct arena *a, const struct sandbox_request *r)
{
	NEW(a, SandboxMetricsRequest, sandbox_metrics_request);

	m->sandbox_id = arena_strdup(a, r->id);
	return &m->base;
}

static void read_metrics(struct question *q, const ProtobufCMessage *m)
{
	const Types__Metric *metric =
			((const ShimSandbox__SandboxMetricsResponse *)(const void *)m)->metrics;

	if (metric == NULL)
		return;
	q->reply.metrics_id = metric->id;
	q->reply.measured_ns = timestamp_ns(metric->timestamp);
	q->reply.metrics = wire_any_in(metric->data);
}

static ProtobufCMessage *ask_shutdown(struct arena *a, const struct sandbox_request *r)
{
	NEW(a, ShutdownSandboxRequest, shutdown_sandbox_request);

	m->sandbox_id = arena_strdup(a, r->id);
	return &m->base;
}

#define ANSWER(type) &shim_sandbox__##type##_response__descriptor
static const struct verb verbs[] = {
	[SANDBOX_START] = { "StartSandbox", ANSWER(start_sandbox), ask_start, read_start,
			{ "failed to start sandbox ", "" } },
	[SANDBOX_STOP] = { "StopSandbox", ANSWER(stop_sandbox), ask_stop, read_nothing,
			{ "failed to stop sandbox", NULL } },
	[SANDBOX_WAIT] = { "WaitSandbox", ANSWER(wait_sandbox), ask_wait, read_wait,
			{ "failed to wait sandbox ", "" } },
	[SANDBOX_STATUS] = { "SandboxStatus", ANSWER(sandbox_status), ask_status, read_status,
			{ "failed to query sandbox ", " status" } },
	[SANDBOX_METRICS] = { "SandboxMetrics", ANSWER(sandbox_metrics), ask_metrics,
			read_metrics, { NULL, NULL } },
	[SANDBOX_SHUTDOWN] = { "ShutdownSandbox", ANSWER(shutdown_sandbox), ask_shutdown,
			read_nothing, { "failed to shutdown sandbox", NULL } },
};

static void question_free(struct question *q)
{
	shim_unref(q->pod);
	arena_done(&q->arena);
	err_clear(&q->err);
	free(q);
}

static void finish(void *arg)
{
	struct question *q = arg;
	bool failed = q->err.kind != ERR_NONE;

	q->done(q->arg, failed ? NULL : &q->reply, failed ? &q->err : NULL);
	question_free(q);
}

/* The sandbox is not there: it has stopped, and has been shut down. */
static bool counts_as_done(const struct question *q)
{
	if (q->r->verb != SANDBOX_STOP && q->r->verb != SANDBOX_SHUTDOWN)
		return false;
	return q->err.kind == ERR_NOT_FOUND || channel_is_closed(q->pod->channel);
}

static void explain(struct question *q, const struct err *from)
{
	shim_translate(q->pod, from, &q->err);
	if (counts_as_done(q))
		err_clear(&q->err);
	else if (q->verb->failed[1] != NULL)
		(void)err_wrap(&q->err, "%s%s%s", q->verb->failed[0], q->r->id,
				q->verb->failed[1]);
	else if (q->verb->failed[0] != NULL)
		(void)err_wrap(&q->err, "%s", q->verb->failed[0]);
}

/* On the loop. A sandbox that does not start is of no use to anybody; one that was shut down is
 * gone when the answer says so. */
static void answered(void *arg, const struct rpc_answer *answer)
{
	struct question *q = arg;
	ProtobufCMessage *m = NULL;
	enum sandbox_verb verb = q->r->verb;

	if (answer->err != NULL)
		explain(q, answer->err);
	else if (pb_decode(q->verb->response, answer->data, answer->size, &q->arena,
				 &pb_limits_reply, &m, &q->err) == 0)
		q->verb->read(q, m);
	if (verb == SANDBOX_SHUTDOWN && q->err.kind != ERR_NONE)
		pod_release(q->rt, q->pod);
	if ((verb == SANDBOX_SHUTDOWN && q->err.kind == ERR_NONE) ||
			(verb == SANDBOX_START && q->err.kind != ERR_NONE &&
					shim_claim(q->pod)))
		pod_end_soon(q->rt, shim_ref(q->pod), verb == SANDBOX_SHUTDOWN, finish, q);
	else
		finish(q);
}

/* Words and classes as the original's; where it has none, the sensible one. */
static void without_shim(const struct sandbox_request *r, sandbox_done done, void *arg)
{
	AUTO_ERR struct err err = { 0 };
	AUTO_FREE char *quoted = str_quote(r->id);
	struct sandbox_reply reply = sandbox_no_reply;

	if (r->verb == SANDBOX_STATUS)
		reply.exited_ns = clock_wall_ns();
	else if (r->verb == SANDBOX_START)
		(void)err_plain(&err, ERR_NOT_FOUND, "unable to find sandbox %s", quoted);
	else if (r->verb != SANDBOX_STOP)
		(void)err_set(&err, ERR_NOT_FOUND, "%s", "");
	done(arg, err.kind == ERR_NONE ? &reply : NULL, err.kind == ERR_NONE ? NULL : &err);
}

static void ask(struct runtime *rt, struct ctx *ctx, struct shim *own_pod,
		const struct sandbox_request *r, sandbox_done done, void *arg)
{
	struct question *q = xzalloc(sizeof(*q));

	*q = (struct question){ .rt = rt,
		.pod = own_pod,
		.verb = &verbs[r->verb],
		.r = r,
		.reply = sandbox_no_reply,
		.done = done,
		.arg = arg };
	arena_init(&q->arena, SIZE_MAX);
	channel_start(own_pod->channel, ctx, SERVICE, q->verb->method,
			q->verb->ask(&q->arena, r), answered, q);
}

/* Of a sandbox that is to be shut down, others keep their hands off. */
static void call(struct sandbox_controller *self, struct ctx *ctx,
		const struct sandbox_request *r, sandbox_done done, void *arg)
{
	AUTO_ERR struct err err = { 0 };
	const char *ns = ctx_namespace(ctx, &err);
	AUTO(shim_unref) struct shim *pod = NULL;

	if (ns == NULL) {
		done(arg, NULL, &err);
		return;
	}
	if (r->verb == SANDBOX_UPDATE) { /* as in the original */
		done(arg, &sandbox_no_reply, NULL);
		return;
	}
	pod = pod_find(runtime_of(self), ns, r->id);
	if (pod == NULL || (r->verb == SANDBOX_SHUTDOWN && !shim_claim(pod)))
		without_shim(r, done, arg);
	else
		ask(runtime_of(self), ctx, take_ptr(pod), r, done, arg);
}

static void shim_controller_free(struct sandbox_controller *self)
{
	free(self);
}

static const struct sandbox_controller_ops ops = { create, call, shim_controller_free };

struct sandbox_controller *sandbox_shim_new(struct runtime *rt)
{
	struct sandbox_shim *s = xzalloc(sizeof(*s));

	s->base.ops = &ops;
	s->rt = rt;
	return &s->base;
}
