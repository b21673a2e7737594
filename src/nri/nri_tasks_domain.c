/* SPDX-License-Identifier: Apache-2.0 */
/* Containers and pods as plugins see them, and what plugins may do to those that run. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "api/arena.h"
#include "api/typeurl.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/io.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "core/sandbox.h"
#include "nri/nri_spec.h"
#include "nri/nri_tasks_priv.h"
#include "nri/nri_values.h"
#include "text/jnode.h"

#define SPEC_MAX  ((size_t)16 << 20)
#define CALL_TIME (5 * NS_PER_S) /* for one thing that a plugin wants of a shim */
/* Where CRI clients put the name. */
#define NAME_ANNOTATION "io.kubernetes.cri.container-name"

/* --- specs -------------------------------------------------------------------------------- */

/* What the container runs with: the record's is what its maker wanted. */
static struct jnode *bundle_spec(struct nri_tasks *t, const char *ns, const char *id)
{
	AUTO_FREE char *path = xasprintf("%s/%s/%s/config.json", t->bundles, ns, id);
	AUTO_CLOSE int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	AUTO_BUF struct buf text = { .limit = SPEC_MAX };
	AUTO_ERR struct err ignored = { 0 };
	struct jnode *spec = NULL;

	if (fd < 0 || io_read_all(fd, &text) < 0 || text.size == 0)
		return NULL;
	return jnode_parse(text.data, text.size, &spec, &ignored) < 0 ? NULL : spec;
}

static struct jnode *record_spec(const struct any *any)
{
	AUTO_ERR struct err ignored = { 0 };
	struct jnode *spec = NULL;

	if (any->size == 0 || jnode_parse(any->value, any->size, &spec, &ignored) < 0)
		return NULL;
	return spec;
}

/* --- pods --------------------------------------------------------------------------------- */

static void put_labels(struct arena *a, const struct labels *l, const struct nri_map *into)
{
	for (size_t i = 0; i < l->count; i++)
		nri_map_put(a, into, arena_strdup(a, l->items[i].key),
				arena_strdup(a, l->items[i].value));
}

static Nri__PodSandbox *new_pod(struct arena *a, const char *ns, const char *id)
{
	Nri__PodSandbox *pod = ARENA_NEW(a, Nri__PodSandbox, nri__pod_sandbox);

	pod->id = arena_strdup(a, id);
	pod->name = pod->uid = pod->id;
	pod->namespace_ = arena_strdup(a, ns);
	return pod;
}

static void fill_pod(struct arena *a, Nri__PodSandbox *pod, const struct sandbox *s)
{
	const struct nri_map labels = NRI_MAP(pod, labels, nri__pod_sandbox__labels_entry);
	AUTO(jnode_free) struct jnode *spec = record_spec(&s->spec);

	put_labels(a, &s->labels, &labels);
	pod->runtime_handler = arena_strdup(a, str_or(s->runtime_name, ""));
	nri_pod_of_spec(a, spec, pod);
}

Nri__PodSandbox *nri_know_pod(
		struct nri_tasks *t, struct arena *a, const char *ns, const char *id)
{
	struct ctx ctx = { .ns = ns, .what = "nri" };
	AUTO(sandbox_free) struct sandbox *s = NULL;
	AUTO_ERR struct err ignored = { 0 };
	Nri__PodSandbox *pod = new_pod(a, ns, id);

	if (t->o.sandboxes != NULL && sandbox_get(t->o.sandboxes, &ctx, id, &s, &ignored) == 0)
		fill_pod(a, pod, s);
	return pod;
}

static Nri__PodSandbox *own_pod(struct arena *a, const char *ns, const struct container *c,
		const struct jnode *spec)
{
	Nri__PodSandbox *pod = new_pod(a, ns, c->id);
	const struct nri_map labels = NRI_MAP(pod, labels, nri__pod_sandbox__labels_entry);

	put_labels(a, &c->labels, &labels);
	pod->runtime_handler = arena_strdup(a, str_or(c->runtime_name, ""));
	nri_pod_of_spec(a, spec, pod);
	return pod;
}

/* --- containers --------------------------------------------------------------------------- */

static void fill_container(struct arena *a, const struct container *c, const struct jnode *spec,
		Nri__Container *into)
{
	const struct nri_map labels = NRI_MAP(into, labels, nri__container__labels_entry);

	into->name = arena_strdup(a,
			str_or(jnode_get_str(jnode_get(spec, "annotations"), NAME_ANNOTATION),
					c->id));
	into->created_at = c->created_ns;
	put_labels(a, &c->labels, &labels);
	nri_container_of_spec(a, spec, into);
}

void nri_know(struct nri_tasks *t, struct arena *a, const char *ns, const struct container *c,
		const struct jnode *spec, struct nri_known *ret)
{
	Nri__Container *into = ARENA_NEW(a, Nri__Container, nri__container);
	AUTO(jnode_free) struct jnode *found = NULL;

	if (spec == NULL) {
		found = bundle_spec(t, ns, c->id);
		if (found == NULL)
			found = record_spec(&c->spec);
		spec = found;
	}
	into->id = arena_strdup(a, c->id);
	into->pid = nri_tracked_pid(t, ns, c->id);
	fill_container(a, c, spec, into);
	ret->own_pod = str_is_empty(c->sandbox);
	ret->subject = (struct nri_subject){ a, arena_strdup(a, ns),
		ret->own_pod ? own_pod(a, ns, c, spec) : nri_know_pod(t, a, ns, c->sandbox),
		into };
	into->pod_sandbox_id = ret->subject.pod->id;
	if (ret->own_pod)
		ret->subject.pod->pid = into->pid;
}

void nri_know_by_id(struct nri_tasks *t, struct arena *a, const char *ns, const char *id,
		struct nri_known *ret)
{
	struct ctx ctx = { .ns = ns, .what = "nri" };
	AUTO(container_free) struct container *c = NULL;
	AUTO_ERR struct err ignored = { 0 };

	if (container_get(t->o.containers, &ctx, id, &c, &ignored) < 0)
		c = container_new(id);
	nri_know(t, a, ns, c, NULL, ret);
}

/* --- what there is ------------------------------------------------------------------------ */

struct seen_task {
	char *id;
	uint32_t pid;
	enum task_status status;
};

struct seen_tasks {
	struct seen_task *list;
	size_t count;
};

static void take_tasks(void *arg, const struct task_reply *reply)
{
	struct seen_tasks *seen = arg;

	seen->list = xcalloc(reply->count + 1, sizeof(*seen->list));
	for (size_t i = 0; i < reply->count; i++)
		seen->list[seen->count++] = (struct seen_task){
			xstrdup(reply->processes[i].id),
			reply->processes[i].pid,
			reply->processes[i].status,
		};
}

static Nri__ContainerState state_of(enum task_status status)
{
	switch (status) {
	case TASK_CREATED:
		return NRI__CONTAINER_STATE__CONTAINER_CREATED;
	case TASK_RUNNING:
	case TASK_PAUSING:
		return NRI__CONTAINER_STATE__CONTAINER_RUNNING;
	case TASK_PAUSED:
		return NRI__CONTAINER_STATE__CONTAINER_PAUSED;
	default:
		return NRI__CONTAINER_STATE__CONTAINER_STOPPED;
	}
}

static bool has_pod(const struct nri_listing *l, size_t first, const char *id)
{
	for (size_t i = first; i < l->n_pods; i++)
		if (str_eq(l->pods[i]->id, id))
			return true;
	return false;
}

static void add_task(struct nri_namespace *ns, const struct seen_task *task, size_t first,
		struct nri_listing *into)
{
	Nri__ContainerState state = state_of(task->status);
	struct nri_known k;

	nri_track(ns->tasks, ns->name, task->id, task->pid);
	if (state == NRI__CONTAINER_STATE__CONTAINER_STOPPED)
		return;
	nri_know_by_id(ns->tasks, into->arena, ns->name, task->id, &k);
	k.subject.container->state = state;
	nri_add(into->arena, &into->n_containers, &into->containers, k.subject.container);
	if (k.own_pod || !has_pod(into, first, k.subject.pod->id))
		nri_add(into->arena, &into->n_pods, &into->pods, k.subject.pod);
}

static int add_sandbox(void *arg, const struct sandbox *s, struct err *err)
{
	strv_add(arg, s->id);
	return 0;
}

struct status_wait {
	struct mutex lock;
	struct cond told;
	bool is_told, is_ready;
};

static void take_status(void *arg, const struct sandbox_reply *reply, const struct err *err)
{
	struct status_wait *w = arg;

	LOCKED(&w->lock);
	w->is_ready = err == NULL && str_eq(reply->state, "SANDBOX_READY");
	w->is_told = true;
	cond_signal(&w->told);
}

static bool is_ready_in(struct sandbox_controller *c, const char *ns, const char *id)
{
	struct ctx ctx = {
		.ns = ns, .deadline_ns = clock_mono_ns() + CALL_TIME, .what = "nri"
	};
	const struct sandbox_request r = { .verb = SANDBOX_STATUS, .id = id };
	struct status_wait w = { .is_ready = false };

	mutex_init(&w.lock, RANK_nri_question);
	cond_init(&w.told);
	sandbox_controller_call(c, &ctx, &r, take_status, &w);
	mutex_lock(&w.lock);
	while (!w.is_told)
		cond_wait(&w.told, &w.lock);
	mutex_unlock(&w.lock);
	cond_done(&w.told);
	mutex_done(&w.lock);
	return w.is_ready;
}

static bool is_ready(struct nri_tasks *t, const char *ns, const char *id)
{
	list_for_each (it, &t->pods)
		if (is_ready_in(list_entry(it, struct nri_pods, node)->inner, ns, id))
			return true;
	return false;
}

static void list_pods(struct nri_namespace *ns, size_t first, struct nri_listing *into)
{
	struct nri_tasks *t = ns->tasks;
	struct ctx ctx = { .ns = ns->name, .what = "nri" };
	AUTO_STRV char **ids = NULL;
	AUTO_ERR struct err err = { 0 };

	if (t->o.sandboxes == NULL || list_is_empty(&t->pods))
		return;
	if (sandbox_list(t->o.sandboxes, &ctx, NULL, add_sandbox, &ids, &err) < 0)
		log_error(&ctx, "list sandboxes for NRI: %s", err_text(&err));
	for (char **id = ids; id != NULL && *id != NULL; id++)
		if (!has_pod(into, first, *id) && is_ready(t, ns->name, *id))
			nri_add(into->arena, &into->n_pods, &into->pods,
					nri_know_pod(t, into->arena, ns->name, *id));
}

static void list(struct nri_domain *self, struct nri_listing *into)
{
	struct nri_namespace *ns = container_of(self, struct nri_namespace, domain);
	struct ctx ctx = {
		.ns = ns->name, .deadline_ns = clock_mono_ns() + CALL_TIME, .what = "nri"
	};
	const struct task_request r = { .verb = TASK_LIST };
	struct seen_tasks seen = { 0 };
	AUTO_ERR struct err err = { 0 };
	size_t first = into->n_pods;

	nri_untrack_all(ns->tasks, ns->name);
	if (task_call_wait(ns->tasks->o.tasks, &ctx, &r, take_tasks, &seen, &err) < 0)
		log_error(&ctx, "list tasks for NRI: %s", err_text(&err));
	for (size_t i = 0; i < seen.count; i++) {
		add_task(ns, &seen.list[i], first, into);
		free(seen.list[i].id);
	}
	free(seen.list);
	list_pods(ns, first, into);
}

/* --- what plugins want -------------------------------------------------------------------- */

static bool has(struct nri_domain *self, const char *id)
{
	struct nri_namespace *ns = container_of(self, struct nri_namespace, domain);

	return nri_tracked_pid(ns->tasks, ns->name, id) != 0;
}

static int update(struct nri_domain *self, const char *id, const Nri__LinuxResources *resources,
		struct err *err)
{
	struct nri_namespace *ns = container_of(self, struct nri_namespace, domain);
	struct ctx ctx = {
		.ns = ns->name, .deadline_ns = clock_mono_ns() + CALL_TIME, .what = "nri"
	};
	AUTO(jnode_free) struct jnode *o = jnode_object();
	struct task_request r = { .verb = TASK_UPDATE, .id = id };
	static const struct labels none = { 0 };
	AUTO_FREE char *text = NULL;

	nri_put_resources(o, resources);
	text = jnode_to_text(o, NULL);
	r.update.resources = (struct any){ true, (char *)(uintptr_t)TYPEURL_RESOURCES, text,
		strlen(text) };
	r.update.annotations = &none;
	return task_call_wait(ns->tasks->o.tasks, &ctx, &r, NULL, NULL, err);
}

/* As CRI stops a container that may take no time. */
static int evict(struct nri_domain *self, const char *id, const char *reason, struct err *err)
{
	struct nri_namespace *ns = container_of(self, struct nri_namespace, domain);
	struct ctx ctx = {
		.ns = ns->name, .deadline_ns = clock_mono_ns() + CALL_TIME, .what = "nri"
	};
	const struct task_request r = {
		.verb = TASK_KILL, .id = id, .kill = { SIGKILL, true }
	};

	log_info(&ctx, "NRI plugin evicts container %s: %s", id, reason);
	return task_call_wait(ns->tasks->o.tasks, &ctx, &r, NULL, NULL, err);
}

const struct nri_domain_ops nri_tasks_domain_ops = {
	.list = list,
	.has = has,
	.update = update,
	.evict = evict,
};
