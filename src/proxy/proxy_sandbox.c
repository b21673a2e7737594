/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/proxy_sandbox.h"

#include <stdatomic.h>
#include <stdlib.h>

#include "api/arena.h"
#include "api/pb.h"
#include "api/pb/sandbox.pb-c.h"
#include "api/timestamp.h"
#include "base/clock.h"
#include "base/ctx.h"
#include "base/err.h"
#include "base/list.h"
#include "base/mem.h"
#include "base/mutex.h"
#include "base/pool.h"
#include "base/str.h"
#include "core/sandbox.h"
#include "core/sandbox_controller.h"
#include "proxy/proxy_link.h"
#include "rpc/channel.h"
#include "wire/wire_map.h"
#include "wire/wire_mount.h"
#include "wire/wire_sandbox.h"

#define SERVICE "containerd.services.sandbox.v1.Controller"

/* A sandbox outlives a restart of its controller: who waits for its end asks again, after this
 * long, and twice as long each time. */
#define RETRY_NS     (128 * NS_PER_MS)
#define RETRY_MAX_NS (4096 * NS_PER_MS)

struct proxy_sandbox {
	struct sandbox_controller base;
	atomic_int refs; /* each question has one: its answer may come after proxy_free() */
	struct proxy_link *link;
	char *name;
	struct mutex lock;
	struct cond changed;
	struct list sleepers; /* under lock: questions that are asked again when they are due */
	struct job job;	      /* asks them */
	bool has_job, is_ending; /* under lock */
};

static struct proxy_sandbox *proxy_of(struct sandbox_controller *self)
{
	return container_of(self, struct proxy_sandbox, base);
}

static int proxy_create(struct sandbox_controller *self, struct ctx *ctx,
		const struct sandbox_create *r, struct err *err)
{
	struct proxy_sandbox *p = proxy_of(self);
	Sandbox__ControllerCreateRequest m = SANDBOX__CONTROLLER_CREATE_REQUEST__INIT;
	Sandbox__ControllerCreateResponse *answer = NULL;
	AUTO_ARENA struct arena a = { 0 };

	arena_init(&a, PROXY_ANSWER_MAX);
	m.sandbox_id = r->sandbox->id;
	m.rootfs = wire_mounts_out(&a, r->rootfs, &m.n_rootfs);
	m.options = wire_any_out(&a, r->options);
	m.netns_path = str_or(r->netns_path, "");
	m.annotations = wire_labels_out(&a, r->annotations,
			&sandbox__controller_create_request__annotations_entry__descriptor,
			&m.n_annotations);
	m.sandbox = wire_sandbox_out(&a, r->sandbox);
	m.sandboxer = p->name;
	return proxy_call(p->link, ctx, SERVICE, "Create", &m.base,
			&sandbox__controller_create_response__descriptor, &a, &answer, err);
}

/* One question, on its way or waiting to be asked again. */
struct question {
	struct list node;
	struct proxy_sandbox *p;
	struct ctx *ctx;
	const struct sandbox_request *r;
	const struct verb *verb;
	struct arena arena; /* of request and answer */
	const ProtobufCMessage *request;
	struct labels map; /* a view */
	struct sandbox_reply reply;
	int64_t pause_ns, due_ns;
	sandbox_done done;
	void *arg;
};

struct verb {
	const char *method;
	const ProtobufCMessageDescriptor *response;
	const ProtobufCMessage *(*ask)(struct question *q);
	void (*read)(struct question *q, const ProtobufCMessage *m);
};

#define NEW(q, Type, type)                                                                     \
	Sandbox__Controller##Type##Request *m =                                                \
			ARENA_NEW(&(q)->arena, Sandbox__Controller##Type##Request,             \
					sandbox__controller_##type##_request);                 \
	m->sandbox_id = (q)->r->id;                                                            \
	m->sandboxer = (q)->p->name

static const ProtobufCMessage *ask_start(struct question *q)
{
	NEW(q, Start, start);
	return &m->base;
}

static void read_start(struct question *q, const ProtobufCMessage *m)
{
	const Sandbox__ControllerStartResponse *s = (const void *)m;

	q->map = wire_labels_in(&q->arena, s->n_labels, s->labels);
	q->reply.labels = &q->map;
	q->reply.pid = s->pid;
	q->reply.created_ns = timestamp_ns(s->created_at);
}

static const ProtobufCMessage *ask_stop(struct question *q)
{
	NEW(q, Stop, stop);
	m->timeout_secs = q->r->timeout_secs;
	return &m->base;
}

static void read_nothing(struct question *q, const ProtobufCMessage *m)
{
}

static const ProtobufCMessage *ask_wait(struct question *q)
{
	NEW(q, Wait, wait);
	return &m->base;
}

static void read_wait(struct question *q, const ProtobufCMessage *m)
{
	const Sandbox__ControllerWaitResponse *s = (const void *)m;

	q->reply.exit_status = s->exit_status;
	q->reply.exited_ns = timestamp_ns(s->exited_at);
}

static const ProtobufCMessage *ask_status(struct question *q)
{
	NEW(q, Status, status);
	m->verbose = q->r->verbose;
	return &m->base;
}

static void read_status(struct question *q, const ProtobufCMessage *m)
{
	const Sandbox__ControllerStatusResponse *s = (const void *)m;

	q->map = wire_labels_in(&q->arena, s->n_info, s->info);
	q->reply.info = &q->map;
	q->reply.pid = s->pid;
	q->reply.state = s->state;
	q->reply.created_ns = timestamp_ns(s->created_at);
	q->reply.exited_ns = timestamp_ns(s->exited_at);
	q->reply.extra = wire_any_in(s->extra);
}

static const ProtobufCMessage *ask_metrics(struct question *q)
{
	NEW(q, Metrics, metrics);
	return &m->base;
}

static void read_metrics(struct question *q, const ProtobufCMessage *m)
{
	const Types__Metric *metric =
			((const Sandbox__ControllerMetricsResponse *)(const void *)m)->metrics;

	if (metric == NULL)
		return;
	q->reply.metrics_id = metric->id;
	q->reply.measured_ns = timestamp_ns(metric->timestamp);
	q->reply.metrics = wire_any_in(metric->data);
}

static const ProtobufCMessage *ask_shutdown(struct question *q)
{
	NEW(q, Shutdown, shutdown);
	return &m->base;
}

static const ProtobufCMessage *ask_update(struct question *q)
{
	NEW(q, Update, update);
	m->sandbox = wire_sandbox_out(&q->arena, q->r->sandbox);
	m->fields = wire_strv_out(&q->arena, q->r->fields, &m->n_fields);
	return &m->base;
}

#define ANSWER(type) &sandbox__controller_##type##_response__descriptor
static const struct verb verbs[] = {
	[SANDBOX_START] = { "Start", ANSWER(start), ask_start, read_start },
	[SANDBOX_STOP] = { "Stop", ANSWER(stop), ask_stop, read_nothing },
	[SANDBOX_WAIT] = { "Wait", ANSWER(wait), ask_wait, read_wait },
	[SANDBOX_STATUS] = { "Status", ANSWER(status), ask_status, read_status },
	[SANDBOX_METRICS] = { "Metrics", ANSWER(metrics), ask_metrics, read_metrics },
	[SANDBOX_SHUTDOWN] = { "Shutdown", ANSWER(shutdown), ask_shutdown, read_nothing },
	[SANDBOX_UPDATE] = { "Update", ANSWER(update), ask_update, read_nothing },
};

static void unref(struct proxy_sandbox *p)
{
	if (atomic_fetch_sub(&p->refs, 1) > 1)
		return;
	proxy_link_unref(p->link);
	cond_done(&p->changed);
	mutex_done(&p->lock);
	free(p->name);
	free(p);
}

static void finish(struct question *q, const struct err *err)
{
	q->done(q->arg, err == NULL ? &q->reply : NULL, err);
	arena_done(&q->arena);
	unref(q->p);
	free(q);
}

/* False if it is not to be asked again, or there is nobody to do it. */
static bool sleep_on(struct question *q)
{
	struct proxy_sandbox *p = q->p;

	if (q->r->verb != SANDBOX_WAIT)
		return false;
	LOCKED(&p->lock);
	if (!p->has_job && !p->is_ending)
		p->has_job = pool_submit(p->base.pool, &p->job);
	if (!p->has_job || p->is_ending)
		return false;
	q->due_ns = clock_mono_ns() + q->pause_ns;
	if (q->pause_ns < RETRY_MAX_NS)
		q->pause_ns *= 2;
	list_append(&p->sleepers, &q->node);
	cond_signal(&p->changed);
	return true;
}

static void answered(void *arg, const struct rpc_answer *answer)
{
	struct question *q = arg;
	AUTO_ERR struct err err = { 0 };
	ProtobufCMessage *m = NULL;

	if (answer->err != NULL) {
		if (answer->err->kind != ERR_UNAVAILABLE || !sleep_on(q))
			finish(q, answer->err);
	} else if (pb_decode(q->verb->response, answer->data, answer->size, &q->arena,
				   &pb_limits_reply, &m, &err) < 0) {
		(void)err_wrap(&err, "proxy plugin: answer to %s", q->verb->method);
		finish(q, &err);
	} else {
		q->verb->read(q, m);
		finish(q, NULL);
	}
}

static void send(struct question *q)
{
	AUTO_ERR struct err err = { 0 };

	if (ctx_done(q->ctx, &err))
		finish(q, &err);
	else
		proxy_start(q->p->link, q->ctx, SERVICE, q->verb->method, q->request, answered,
				q);
}

/* The one that is due first; NULL if there is none. */
static struct question *first_locked(struct proxy_sandbox *p)
{
	struct question *first = NULL;

	list_for_each (it, &p->sleepers) {
		struct question *q = list_entry(it, struct question, node);

		if (first == NULL || q->due_ns < first->due_ns)
			first = q;
	}
	return first;
}

/* The next one to ask, when its time has come; NULL, and the job is over, if there is none. */
static struct question *next_due(struct proxy_sandbox *p)
{
	struct question *q;

	LOCKED(&p->lock);
	while ((q = first_locked(p)) != NULL && !p->is_ending && q->due_ns > clock_mono_ns())
		(void)cond_wait_until(&p->changed, &p->lock, q->due_ns);
	if (q != NULL)
		list_remove(&q->node);
	else
		p->has_job = false;
	cond_broadcast(&p->changed);
	return q;
}

static void run_sleepers(struct job *job)
{
	struct proxy_sandbox *p = container_of(job, struct proxy_sandbox, job);
	struct question *q;

	while ((q = next_due(p)) != NULL)
		send(q);
}

static void proxy_question(struct sandbox_controller *self, struct ctx *ctx,
		const struct sandbox_request *r, sandbox_done done, void *arg)
{
	struct question *q = xzalloc(sizeof(*q));

	*q = (struct question){ .p = proxy_of(self),
		.ctx = ctx,
		.r = r,
		.verb = &verbs[r->verb],
		.reply = sandbox_no_reply,
		.pause_ns = RETRY_NS,
		.done = done,
		.arg = arg };
	atomic_fetch_add(&q->p->refs, 1);
	arena_init(&q->arena, PROXY_ANSWER_MAX);
	q->request = q->verb->ask(q);
	send(q);
}

static void proxy_free(struct sandbox_controller *self)
{
	struct proxy_sandbox *p = proxy_of(self);

	mutex_lock(&p->lock);
	p->is_ending = true;
	cond_broadcast(&p->changed);
	while (p->has_job)
		cond_wait(&p->changed, &p->lock);
	mutex_unlock(&p->lock);
	unref(p);
}

static const struct sandbox_controller_ops proxy_ops = { proxy_create, proxy_question,
	proxy_free };

struct sandbox_controller *proxy_sandbox_new(
		struct proxy_link *link, const char *name, struct pool *pool)
{
	struct proxy_sandbox *p = xzalloc(sizeof(*p));

	p->base.ops = &proxy_ops;
	atomic_init(&p->refs, 1);
	p->base.pool = pool;
	p->link = proxy_link_ref(link);
	p->name = xstrdup(name);
	p->job.run = run_sleepers;
	list_init(&p->sleepers);
	mutex_init(&p->lock, RANK_proxy_sandbox);
	cond_init(&p->changed);
	return &p->base;
}
