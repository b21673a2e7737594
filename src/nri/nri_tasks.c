/* SPDX-License-Identifier: Apache-2.0 */
#include "nri/nri_tasks.h"

#include <stdlib.h>
#include <string.h>

#include "api/arena.h"
#include "api/pb.h"
#include "api/pb/event.pb-c.h"
#include "api/timestamp.h"
#include "api/typeurl.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "base/thread.h"
#include "core/event.h"
#include "nri/nri_spec.h"
#include "nri/nri_tasks_priv.h"
#include "nri/nri_values.h"
#include "text/jnode.h"

/* Each may wait for plugins; threads begin when they are needed. */
#define THREADS	   32
#define MAX_QUEUED 4096

/* --- what is remembered ------------------------------------------------------------------- */

struct tracked {
	uint32_t pid;
};

void nri_track(struct nri_tasks *t, const char *ns, const char *id, uint32_t pid)
{
	AUTO_FREE char *key = xasprintf("%s %s", ns, id);
	struct tracked *it = xzalloc(sizeof(*it));
	LOCKED(&t->lock);

	it->pid = pid;
	free(map_put(&t->tracked, key, it));
}

void nri_untrack(struct nri_tasks *t, const char *ns, const char *id)
{
	AUTO_FREE char *key = xasprintf("%s %s", ns, id);
	LOCKED(&t->lock);

	free(map_remove(&t->tracked, key));
}

void nri_untrack_all(struct nri_tasks *t, const char *ns)
{
	AUTO_FREE char *prefix = xasprintf("%s ", ns);
	AUTO_STRV char **keys = NULL;
	LOCKED(&t->lock);

	keys = map_sorted_keys(&t->tracked);
	for (char **key = keys; key != NULL && *key != NULL; key++)
		if (str_starts(*key, prefix))
			free(map_remove(&t->tracked, *key));
}

uint32_t nri_tracked_pid(struct nri_tasks *t, const char *ns, const char *id)
{
	AUTO_FREE char *key = xasprintf("%s %s", ns, id);
	const struct tracked *it;
	LOCKED(&t->lock);

	it = map_find(&t->tracked, key);
	return it == NULL ? 0 : it->pid;
}

struct nri_namespace *nri_tasks_namespace(const struct nri_tasks *t, const char *name)
{
	for (size_t i = 0; name != NULL && i < t->count; i++)
		if (str_eq(t->namespaces[i].name, name))
			return &t->namespaces[i];
	return NULL;
}

/* --- telling ------------------------------------------------------------------------------ */

void nri_tell_or_log(struct nri_tasks *t, const struct nri_subject *s, Nri__Event event)
{
	const ProtobufCEnumValue *name =
			protobuf_c_enum_descriptor_get_value(&nri__event__descriptor, event);
	AUTO_ERR struct err err = { 0 };

	if (nri_tell(t->o.nri, s, event, &err) < 0)
		log_error(NULL, "NRI %s failed: %s", name == NULL ? "" : name->name,
				err_text(&err));
}

void nri_tell_stop(struct nri_tasks *t, const struct nri_known *k)
{
	AUTO_ERR struct err err = { 0 };

	if (nri_stop_container(t->o.nri, &k->subject, &err) < 0)
		log_error(NULL, "NRI StopContainer failed: %s", err_text(&err));
	if (k->own_pod)
		nri_tell_or_log(t, &k->subject, NRI__EVENT__STOP_POD_SANDBOX);
}

void nri_tell_removal(struct nri_tasks *t, const struct nri_known *k)
{
	struct nri_subject pod = k->subject;

	nri_tell_or_log(t, &k->subject, NRI__EVENT__REMOVE_CONTAINER);
	nri_untrack(t, k->subject.domain, k->subject.container->id);
	pod.container = NULL;
	if (!k->own_pod)
		return;
	nri_tell_or_log(t, &pod, NRI__EVENT__STOP_POD_SANDBOX);
	nri_tell_or_log(t, &pod, NRI__EVENT__REMOVE_POD_SANDBOX);
}

/* --- creating ----------------------------------------------------------------------------- */

struct creation {
	struct nri_tasks *t;
	struct arena arena;
	struct container *container;
	struct jnode *spec;
	struct nri_known known;
};

static void creation_done(struct creation *c)
{
	container_free(c->container);
	jnode_free(c->spec);
	arena_done(&c->arena);
	nri_unblock_sync(c->t->o.nri);
}

static int run_own_pod(struct creation *c, struct err *err)
{
	struct nri_subject pod = c->known.subject;

	pod.container = NULL;
	if (!c->known.own_pod)
		return 0;
	return nri_tell(c->t->o.nri, &pod, NRI__EVENT__RUN_POD_SANDBOX, err) < 0
			       ? err_wrap(err, "NRI RunPodSandbox failed")
			       : 0;
}

/* *ret_text is the new spec; NULL: nobody wants another. */
static int adjust(struct creation *c, char **ret_text, struct err *err)
{
	const struct nri_adjust_options options = { .blockio_file = c->t->blockio_file };
	Nri__ContainerAdjustment *wanted = NULL;

	if (run_own_pod(c, err) < 0)
		return -1;
	if (nri_create(c->t->o.nri, &c->known.subject, &wanted, err) < 0)
		return err_wrap(err, "failed to get NRI adjustment for container");
	if (wanted == NULL)
		return 0;
	if (nri_adjust_spec(c->spec, wanted, &options, err) < 0)
		return err_wrap(err, "failed to NRI-adjust container Spec");
	*ret_text = jnode_to_text(c->spec, NULL);
	return 0;
}

static int create_adjusted(struct creation *c, struct ctx *ctx, const struct task_create *r,
		uint32_t *ret_pid, struct err *err)
{
	AUTO_FREE char *text = NULL;
	struct task_create changed = *r;
	struct any spec;

	if (adjust(c, &text, err) < 0)
		return -1;
	if (text != NULL) {
		spec = (struct any){ true, c->container->spec.type_url, text, strlen(text) };
		changed.spec = &spec;
	}
	return task_create(c->t->o.tasks, ctx, &changed, ret_pid, err);
}

/* What follows sees the container as it is now. */
static void tell_created(struct creation *c, const char *ns, uint32_t pid)
{
	nri_track(c->t, ns, c->container->id, pid);
	nri_know(c->t, &c->arena, ns, c->container, NULL, &c->known);
	c->known.subject.container->state = NRI__CONTAINER_STATE__CONTAINER_CREATED;
	nri_tell_or_log(c->t, &c->known.subject, NRI__EVENT__POST_CREATE_CONTAINER);
}

static int create_known(struct creation *c, struct ctx *ctx, const struct task_create *r,
		uint32_t *ret_pid, struct err *err)
{
	nri_know(c->t, &c->arena, ctx->ns, c->container, c->spec, &c->known);
	if (create_adjusted(c, ctx, r, ret_pid, err) < 0) {
		nri_tell_removal(c->t, &c->known);
		return -1;
	}
	tell_created(c, ctx->ns, *ret_pid);
	return 0;
}

/* Without a spec that we can read there is nothing to show. */
static bool find_container(struct creation *c, struct ctx *ctx, const struct task_create *r)
{
	AUTO_ERR struct err ignored = { 0 };

	return container_get(c->t->o.containers, ctx, r->id, &c->container, &ignored) == 0 &&
	       c->container->spec.size > 0 &&
	       jnode_parse(c->container->spec.value, c->container->spec.size, &c->spec,
			       &ignored) == 0 &&
	       jnode_is(c->spec, JSON_KIND_OBJECT) &&
	       nri_tracked_pid(c->t, ctx->ns, r->id) == 0;
}

static int create_shown(struct nri_tasks *t, struct ctx *ctx, const struct task_create *r,
		uint32_t *ret_pid, struct err *err)
{
	__attribute__((cleanup(creation_done))) struct creation c = { .t = t };

	/* Given back by the cleanup. */
	nri_block_sync(t->o.nri);
	arena_init(&c.arena, SIZE_MAX);
	if (!nri_has_plugins(t->o.nri) || !find_container(&c, ctx, r))
		return task_create(t->o.tasks, ctx, r, ret_pid, err);
	return create_known(&c, ctx, r, ret_pid, err);
}

static int create(struct task_service *self, struct ctx *ctx, const struct task_create *r,
		uint32_t *ret_pid, struct err *err)
{
	struct nri_tasks *t = container_of(self, struct nri_tasks, service);

	if (nri_tasks_namespace(t, ctx->ns) == NULL)
		return task_create(t->o.tasks, ctx, r, ret_pid, err);
	return create_shown(t, ctx, r, ret_pid, err);
}

/* --- everything else ---------------------------------------------------------------------- */

/* A verb that plugins are told of: before it, on a thread of ours; itself, on nobody's; after
 * it, on a thread of ours again. */
struct act {
	struct job job;
	struct nri_tasks *t;
	struct ctx *ctx;
	struct task_request request;
	task_done done;
	void *arg;
	struct arena arena;
	struct nri_known known;
	char *resources; /* what an update was changed to */
	struct task_reply reply;
	struct err err;
};

static void act_end(struct act *a)
{
	a->done(a->arg, a->err.kind == ERR_NONE ? &a->reply : NULL,
			a->err.kind == ERR_NONE ? NULL : &a->err);
	free(a->resources);
	err_clear(&a->err);
	arena_done(&a->arena);
	free(a);
}

static void run_after(struct job *job)
{
	struct act *a = container_of(job, struct act, job);
	struct nri_subject *s = &a->known.subject;

	if (a->request.verb == TASK_START && a->err.kind == ERR_NONE) {
		s->container->pid = a->reply.pid;
		s->container->state = NRI__CONTAINER_STATE__CONTAINER_RUNNING;
		nri_tell_or_log(a->t, s, NRI__EVENT__POST_START_CONTAINER);
	} else if (a->request.verb == TASK_UPDATE && a->err.kind == ERR_NONE) {
		nri_tell_or_log(a->t, s, NRI__EVENT__POST_UPDATE_CONTAINER);
	} else if (a->request.verb == TASK_DELETE && a->err.kind == ERR_NONE) {
		s->container->state = NRI__CONTAINER_STATE__CONTAINER_STOPPED;
		s->container->exit_code = (int32_t)a->reply.exit_status;
		s->container->finished_at = a->reply.exited_ns;
		nri_tell_stop(a->t, &a->known);
		nri_tell_removal(a->t, &a->known);
	} else if (a->request.verb == TASK_START) {
		nri_tell_stop(a->t, &a->known);
	}
	act_end(a);
}

static void on_done(void *arg, const struct task_reply *reply, const struct err *err)
{
	struct act *a = arg;

	if (err != NULL)
		(void)err_copy(&a->err, err);
	else
		a->reply = (struct task_reply){ .pid = reply->pid,
			.exit_status = reply->exit_status,
			.exited_ns = reply->exited_ns };
	a->job.run = run_after;
	if (pool_submit(a->t->pool, &a->job))
		return;
	log_error(a->ctx, "too many NRI events: plugins are not told of one");
	act_end(a);
}

/* The limit that stays makes no new limit of swap. */
static void drop_unchanged(Nri__LinuxResources *r, const Nri__LinuxResources *asked)
{
	if (r->memory == NULL || asked->memory == NULL || r->memory->limit == NULL ||
			asked->memory->limit == NULL)
		return;
	if (r->memory->limit->value == asked->memory->limit->value)
		r->memory->limit = NULL;
}

static int before_update(struct act *a, struct err *err)
{
	struct any *given = &a->request.update.resources;
	AUTO(jnode_free) struct jnode *o = NULL;
	AUTO_ERR struct err ignored = { 0 };
	Nri__LinuxResources *wanted = NULL;

	if (given->size == 0 || jnode_parse(given->value, given->size, &o, &ignored) < 0 ||
			!jnode_is(o, JSON_KIND_OBJECT))
		return 0; /* whoever it is for will say what it thinks of it */
	if (nri_update(a->t->o.nri, &a->known.subject, nri_resources_of(&a->arena, o), &wanted,
			    err) < 0)
		return err_wrap(err, "NRI container update failed");
	if (wanted == NULL)
		return 0;
	drop_unchanged(wanted, nri_resources_of(&a->arena, o));
	nri_put_resources(o, wanted);
	a->resources = jnode_to_text(o, NULL);
	given->value = a->resources;
	given->size = strlen(a->resources);
	return 0;
}

static int before(struct act *a, struct err *err)
{
	struct nri_subject *s = &a->known.subject;

	nri_know_by_id(a->t, &a->arena, a->ctx->ns, a->request.id, &a->known);
	if (a->request.verb == TASK_START) {
		s->container->state = NRI__CONTAINER_STATE__CONTAINER_CREATED;
		return nri_tell(a->t->o.nri, s, NRI__EVENT__START_CONTAINER, err) < 0
				       ? err_wrap(err, "NRI StartContainer failed")
				       : 0;
	}
	if (a->request.verb != TASK_UPDATE)
		return 0;
	s->container->state = NRI__CONTAINER_STATE__CONTAINER_RUNNING;
	return before_update(a, err);
}

static void run_before(struct job *job)
{
	struct act *a = container_of(job, struct act, job);

	if (before(a, &a->err) < 0) {
		if (a->request.verb == TASK_START)
			nri_tell_stop(a->t, &a->known);
		act_end(a);
		return;
	}
	task_call(a->t->o.tasks, a->ctx, &a->request, on_done, a);
}

static bool is_of_interest(struct nri_tasks *t, struct ctx *ctx, const struct task_request *r)
{
	if (r->verb != TASK_START && r->verb != TASK_DELETE && r->verb != TASK_UPDATE)
		return false;
	return str_is_empty(r->exec_id) && nri_tasks_namespace(t, ctx->ns) != NULL &&
	       nri_has_plugins(t->o.nri) && nri_tracked_pid(t, ctx->ns, r->id) != 0;
}

static void call(struct task_service *self, struct ctx *ctx, const struct task_request *r,
		task_done done, void *arg)
{
	struct nri_tasks *t = container_of(self, struct nri_tasks, service);
	AUTO_ERR struct err err = { 0 };
	struct act *a;

	if (!is_of_interest(t, ctx, r)) {
		task_call(t->o.tasks, ctx, r, done, arg);
		return;
	}
	a = xzalloc(sizeof(*a));
	a->job.run = run_before;
	a->t = t;
	a->ctx = ctx;
	a->request = *r;
	a->done = done;
	a->arg = arg;
	arena_init(&a->arena, SIZE_MAX);
	if (pool_submit(t->pool, &a->job))
		return;
	(void)err_set(&a->err, ERR_UNAVAILABLE, "too many calls wait for NRI plugins");
	act_end(a);
}

static int runtime_info(struct task_service *self, struct ctx *ctx, const char *runtime_path,
		const struct any *options, struct any *ret_info, struct err *err)
{
	struct nri_tasks *t = container_of(self, struct nri_tasks, service);

	return task_runtime_info(t->o.tasks, ctx, runtime_path, options, ret_info, err);
}

static const struct task_service_ops service_ops = {
	.create = create,
	.call = call,
	.runtime_info = runtime_info,
};

/* --- what ends by itself ------------------------------------------------------------------ */

struct ending {
	struct job job;
	struct nri_tasks *t;
	char *ns, *id;
	uint32_t pid, status;
	int64_t when_ns;
	bool is_gone; /* the task, too */
};

static void run_ending(struct job *job)
{
	struct ending *e = container_of(job, struct ending, job);
	AUTO_ARENA struct arena arena = { 0 };
	struct nri_known k;

	arena_init(&arena, SIZE_MAX);
	/* Another task of the same name is none of our business. */
	if (nri_tracked_pid(e->t, e->ns, e->id) == e->pid) {
		nri_know_by_id(e->t, &arena, e->ns, e->id, &k);
		k.subject.container->state = NRI__CONTAINER_STATE__CONTAINER_STOPPED;
		k.subject.container->exit_code = (int32_t)e->status;
		k.subject.container->finished_at = e->when_ns;
		nri_tell_stop(e->t, &k);
		if (e->is_gone)
			nri_tell_removal(e->t, &k);
	}
	free(e->ns);
	free(e->id);
	free(e);
}

static void take_ending(struct nri_tasks *t, const char *ns, const char *id, uint32_t pid,
		uint32_t status, const Google__Protobuf__Timestamp *when, bool is_gone)
{
	struct ending *e;

	if (nri_tracked_pid(t, ns, id) != pid)
		return;
	e = xzalloc(sizeof(*e));
	e->job.run = run_ending;
	e->t = t;
	e->ns = xstrdup(ns);
	e->id = xstrdup(id);
	e->pid = pid;
	e->status = status;
	e->when_ns = when == NULL ? 0 : timestamp_ns(when);
	e->is_gone = is_gone;
	if (pool_submit(t->pool, &e->job))
		return;
	log_error(NULL, "too many NRI events: plugins are not told of the end of %s", id);
	free(e->ns);
	free(e->id);
	free(e);
}

static const ProtobufCMessage *payload_of(
		struct arena *a, const struct any *any, const ProtobufCMessageDescriptor *type)
{
	ProtobufCMessage *m = NULL;
	AUTO_ERR struct err ignored = { 0 };

	if (!typeurl_names(str_or(any->type_url, ""), type) ||
			pb_decode(type, any->value, any->size, a, NULL, &m, &ignored) < 0)
		return NULL;
	return m;
}

static bool on_event(void *arg, const struct event *e)
{
	struct nri_tasks *t = arg;
	AUTO_ARENA struct arena arena = { 0 };
	const Event__TaskExit *exit;
	const Event__TaskDelete *deletion;

	if (nri_tasks_namespace(t, e->ns) == NULL || !nri_has_plugins(t->o.nri))
		return true;
	arena_init(&arena, (size_t)1 << 20);
	exit = (const void *)payload_of(&arena, &e->payload, &event__task_exit__descriptor);
	if (exit != NULL && str_eq(exit->id, exit->container_id))
		take_ending(t, e->ns, exit->container_id, exit->pid, exit->exit_status,
				exit->exited_at, false);
	if (exit != NULL)
		return true;
	deletion = (const void *)payload_of(
			&arena, &e->payload, &event__task_delete__descriptor);
	if (deletion != NULL && (deletion->id[0] == '\0' ||
						str_eq(deletion->id, deletion->container_id)))
		take_ending(t, e->ns, deletion->container_id, deletion->pid,
				deletion->exit_status, deletion->exited_at, true);
	return true;
}

static void on_unsubscribed(void *arg)
{
	struct nri_tasks *t = arg;

	LOCKED(&t->lock);
	t->is_unsubscribed = true;
	cond_broadcast(&t->changed);
}

/* --- its life ----------------------------------------------------------------------------- */

static int subscribe(struct nri_tasks *t, struct err *err)
{
	static char exits[] = "topic==\"/tasks/exit\"";
	static char deletions[] = "topic==\"/tasks/delete\"";
	char *filters[] = { exits, deletions, NULL };

	return event_subscribe(t->o.events, filters, on_event, on_unsubscribed, t,
			&t->subscription, err);
}

static void make_namespaces(struct nri_tasks *t)
{
	t->count = strv_len(t->names);
	t->namespaces = xcalloc(t->count + 1, sizeof(*t->namespaces));
	for (size_t i = 0; i < t->count; i++) {
		struct nri_namespace *ns = &t->namespaces[i];

		ns->tasks = t;
		ns->name = t->names[i];
		ns->domain.ops = &nri_tasks_domain_ops;
		ns->domain.name = ns->name;
	}
}

static void done(struct nri_tasks *t)
{
	map_done(&t->tracked, free);
	cond_done(&t->changed);
	mutex_done(&t->lock);
	strv_free(t->names);
	free(t->namespaces);
	free(t->bundles);
	free(t->blockio_file);
	free(t);
}

int nri_tasks_new(const struct nri_tasks_options *o, struct nri_tasks **ret_tasks,
		struct err *err)
{
	struct nri_tasks *t = xzalloc(sizeof(*t));

	t->service.ops = &service_ops;
	t->o = *o;
	t->bundles = xstrdup(o->bundles);
	t->blockio_file = xstrdup(o->blockio_file);
	t->names = strv_dup(o->namespaces);
	list_init(&t->pods);
	mutex_init(&t->lock, RANK_nri_tasks);
	cond_init(&t->changed);
	map_init(&t->tracked);
	make_namespaces(t);
	if (subscribe(t, err) < 0) {
		done(t);
		return -1;
	}
	t->pool = pool_new("nri-tasks", THREADS, MAX_QUEUED);
	for (size_t i = 0; i < t->count; i++)
		nri_add_domain(o->nri, &t->namespaces[i].domain);
	*ret_tasks = t;
	return 0;
}

void nri_tasks_free(struct nri_tasks *t)
{
	if (t == NULL)
		return;
	ASSERT_MAY_BLOCK();
	event_unsubscribe(t->o.events, t->subscription);
	mutex_lock(&t->lock);
	while (!t->is_unsubscribed)
		cond_wait(&t->changed, &t->lock);
	mutex_unlock(&t->lock);
	pool_free(t->pool);
	while (!list_is_empty(&t->pods))
		nri_pods_free(list_first(&t->pods, struct nri_pods, node));
	done(t);
}

struct task_service *nri_tasks_service(struct nri_tasks *t)
{
	return &t->service;
}
