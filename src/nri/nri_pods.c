/* SPDX-License-Identifier: Apache-2.0 */
/* Sandboxes: what plugins are told of them, around the calls of their controller. */
#include <stdlib.h>
#include <string.h>

#include "api/arena.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "nri/nri_tasks_priv.h"
#include "nri/nri_values.h"

/* A call that plugins are told of; as struct act of nri_tasks.c. */
struct visit {
	struct job job;
	struct nri_pods *p;
	struct ctx *ctx;
	struct sandbox_request request;
	sandbox_done done;
	void *arg;
	struct arena arena;
	struct nri_subject subject;
	struct sandbox_reply reply;
	struct labels labels; /* of the reply */
	struct err err;
};

static void visit_end(struct visit *v)
{
	v->done(v->arg, v->err.kind == ERR_NONE ? &v->reply : NULL,
			v->err.kind == ERR_NONE ? NULL : &v->err);
	labels_done(&v->labels);
	err_clear(&v->err);
	arena_done(&v->arena);
	free(v);
}

static void on_undone(void *arg, const struct sandbox_reply *reply, const struct err *err)
{
	if (err != NULL)
		log_error(NULL, "stop a sandbox that an NRI plugin refused: %s", err_text(err));
	visit_end(arg);
}

/* A plugin refused the pod: it is stopped again, and its maker is told. */
static void refuse(struct visit *v)
{
	struct nri_tasks *t = v->p->tasks;

	(void)err_wrap(&v->err, "NRI RunPodSandbox failed");
	nri_tell_or_log(t, &v->subject, NRI__EVENT__STOP_POD_SANDBOX);
	nri_tell_or_log(t, &v->subject, NRI__EVENT__REMOVE_POD_SANDBOX);
	v->request = (struct sandbox_request){ .verb = SANDBOX_STOP, .id = v->request.id };
	sandbox_controller_call(v->p->inner, v->ctx, &v->request, on_undone, v);
}

static void run_after(struct job *job)
{
	struct visit *v = container_of(job, struct visit, job);
	struct nri_tasks *t = v->p->tasks;

	switch (v->request.verb) {
	case SANDBOX_START:
		v->subject.pod->pid = v->reply.pid;
		if (nri_tell(t->o.nri, &v->subject, NRI__EVENT__RUN_POD_SANDBOX, &v->err) < 0) {
			refuse(v);
			return;
		}
		break;
	case SANDBOX_STOP:
		nri_tell_or_log(t, &v->subject, NRI__EVENT__STOP_POD_SANDBOX);
		break;
	case SANDBOX_SHUTDOWN:
		nri_tell_or_log(t, &v->subject, NRI__EVENT__STOP_POD_SANDBOX);
		nri_tell_or_log(t, &v->subject, NRI__EVENT__REMOVE_POD_SANDBOX);
		break;
	default:
		nri_tell_or_log(t, &v->subject, NRI__EVENT__POST_UPDATE_POD_SANDBOX);
	}
	visit_end(v);
}

static void on_done(void *arg, const struct sandbox_reply *reply, const struct err *err)
{
	struct visit *v = arg;

	if (err != NULL) {
		(void)err_copy(&v->err, err);
		visit_end(v);
		return;
	}
	v->reply = sandbox_no_reply;
	v->reply.pid = reply->pid;
	v->reply.created_ns = reply->created_ns;
	if (reply->labels != NULL) {
		labels_copy(&v->labels, reply->labels);
		v->reply.labels = &v->labels;
	}
	v->job.run = run_after;
	if (pool_submit(v->p->tasks->pool, &v->job))
		return;
	log_error(v->ctx, "too many NRI events: plugins are not told of one");
	visit_end(v);
}

static void run_before(struct job *job)
{
	struct visit *v = container_of(job, struct visit, job);
	struct nri_tasks *t = v->p->tasks;

	v->subject = (struct nri_subject){ &v->arena, v->ctx->ns,
		nri_know_pod(t, &v->arena, v->ctx->ns, v->request.id), NULL };
	if (v->request.verb == SANDBOX_UPDATE &&
			nri_update_pod(t->o.nri, &v->subject, NULL, NULL, &v->err) < 0) {
		(void)err_wrap(&v->err, "NRI sandbox update failed");
		visit_end(v);
		return;
	}
	sandbox_controller_call(v->p->inner, v->ctx, &v->request, on_done, v);
}

static bool is_of_interest(
		const struct nri_pods *p, const struct ctx *ctx, enum sandbox_verb verb)
{
	if (verb != SANDBOX_START && verb != SANDBOX_STOP && verb != SANDBOX_SHUTDOWN &&
			verb != SANDBOX_UPDATE)
		return false;
	return nri_tasks_namespace(p->tasks, ctx->ns) != NULL &&
	       nri_has_plugins(p->tasks->o.nri);
}

static void call(struct sandbox_controller *self, struct ctx *ctx,
		const struct sandbox_request *r, sandbox_done done, void *arg)
{
	struct nri_pods *p = container_of(self, struct nri_pods, controller);
	struct visit *v;

	if (!is_of_interest(p, ctx, r->verb)) {
		sandbox_controller_call(p->inner, ctx, r, done, arg);
		return;
	}
	v = xzalloc(sizeof(*v));
	v->job.run = run_before;
	v->p = p;
	v->ctx = ctx;
	v->request = *r;
	v->done = done;
	v->arg = arg;
	arena_init(&v->arena, SIZE_MAX);
	if (pool_submit(p->tasks->pool, &v->job))
		return;
	(void)err_set(&v->err, ERR_UNAVAILABLE, "too many calls wait for NRI plugins");
	visit_end(v);
}

static int create(struct sandbox_controller *self, struct ctx *ctx,
		const struct sandbox_create *r, struct err *err)
{
	struct nri_pods *p = container_of(self, struct nri_pods, controller);

	return sandbox_controller_create(p->inner, ctx, r, err);
}

/* The domain's; it goes with it. */
static void leave_alone(struct sandbox_controller *self)
{
}

static const struct sandbox_controller_ops pods_ops = {
	.create = create,
	.call = call,
	.free = leave_alone,
};

struct sandbox_controller *nri_tasks_controller(
		struct nri_tasks *t, const char *id, struct sandbox_controller *inner)
{
	struct nri_pods *p = xzalloc(sizeof(*p));

	p->controller.ops = &pods_ops;
	p->controller.pool = inner->pool;
	p->tasks = t;
	p->inner = inner;
	p->id = xstrdup(id);
	list_append(&t->pods, &p->node);
	return &p->controller;
}

void nri_pods_free(struct nri_pods *p)
{
	list_remove(&p->node);
	free(p->id);
	free(p);
}
