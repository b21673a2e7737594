/* SPDX-License-Identifier: Apache-2.0 */
/* Between nri_tasks.c (tasks), nri_tasks_domain.c (what there is) and nri_pods.c (sandboxes).
 */
#pragma once

#include "base/ctx.h"
#include "base/err.h"
#include "base/list.h"
#include "base/map.h"
#include "base/mutex.h"
#include "base/pool.h"
#include "core/container.h"
#include "core/sandbox_controller.h"
#include "core/task.h"
#include "nri/nri.h"
#include "nri/nri_tasks.h"

struct jnode;
struct nri_tasks;

struct nri_namespace { /* a domain */
	struct nri_domain domain;
	struct nri_tasks *tasks;
	char *name;
};

struct nri_pods { /* a sandbox controller */
	struct sandbox_controller controller;
	struct list node;
	struct nri_tasks *tasks;
	struct sandbox_controller *inner;
	char *id;
};

struct nri_tasks {
	struct task_service service;
	struct nri_tasks_options o;
	char *bundles, *blockio_file;
	char **names;
	struct nri_namespace *namespaces;
	size_t count;
	struct list pods;
	struct pool *pool;
	struct event_subscription *subscription;

	struct mutex lock;
	struct cond changed;
	struct map tracked; /* "namespace id" to struct tracked: containers plugins know */
	bool is_unsubscribed;
};

/* NULL if it is not one of ours. */
struct nri_namespace *nri_tasks_namespace(const struct nri_tasks *t, const char *name);

/* What is remembered of a container, for events that come when it is no more. */
void nri_track(struct nri_tasks *t, const char *ns, const char *id, uint32_t pid);
void nri_untrack(struct nri_tasks *t, const char *ns, const char *id);
void nri_untrack_all(struct nri_tasks *t, const char *ns);
/* 0: plugins have not heard of it. */
uint32_t nri_tracked_pid(struct nri_tasks *t, const char *ns, const char *id);

/* A container with its pod, as plugins see it. Everything is in the subject's arena. */
struct nri_known {
	struct nri_subject subject;
	bool own_pod;
};
/* Reads the record and the spec; "spec" NULL: the bundle's, or the record's. */
MAY_BLOCK void nri_know(struct nri_tasks *t, struct arena *a, const char *ns,
		const struct container *c, const struct jnode *spec, struct nri_known *ret);
/* The same by its id; what cannot be read is left out. */
MAY_BLOCK void nri_know_by_id(struct nri_tasks *t, struct arena *a, const char *ns,
		const char *id, struct nri_known *ret);
/* A sandbox. */
MAY_BLOCK Nri__PodSandbox *nri_know_pod(
		struct nri_tasks *t, struct arena *a, const char *ns, const char *id);

/* What happens to a container, and to the pod of its own. Failures are logged, but for those of
 * the start. */
MAY_BLOCK void nri_tell_stop(struct nri_tasks *t, const struct nri_known *k);
MAY_BLOCK void nri_tell_removal(struct nri_tasks *t, const struct nri_known *k);
/* The rest; a failure is only logged. */
MAY_BLOCK void nri_tell_or_log(
		struct nri_tasks *t, const struct nri_subject *s, Nri__Event event);

extern const struct nri_domain_ops nri_tasks_domain_ops;
void nri_pods_free(struct nri_pods *p);
