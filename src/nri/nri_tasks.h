/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The domain of plain containers: tasks and sandboxes of the namespaces that an administrator
 * names. It stands between the services and what runs tasks, as another implementation of
 * core/task.h and core/sandbox_controller.h; in other namespaces it is not there.
 *
 * A container's pod is its sandbox; without one it has a pod of its own. A container is there
 * for plugins as long as its task.
 */
#pragma once

#include "base/attr.h"
#include "nri/nri_adjust.h"

struct container_store;
struct err;
struct event_bus;
struct nri;
struct nri_tasks;
struct sandbox_controller;
struct sandbox_store;
struct task_service;

struct nri_tasks_options {
	struct nri *nri;
	struct task_service *tasks;
	struct container_store *containers;
	struct sandbox_store *sandboxes;
	struct event_bus *events;
	const char *bundles;	  /* directory of the runtime's bundles; copied */
	char *const *namespaces;  /* copied */
	const char *blockio_file; /* copied */
};

/* Before nri_start(); all of the objects must outlive it. */
MUST_USE int nri_tasks_new(const struct nri_tasks_options *o, struct nri_tasks **ret_tasks,
		struct err *err);
/* After nri_stop(), when nobody uses what is below. NULL is fine. */
MAY_BLOCK void nri_tasks_free(struct nri_tasks *t);

/* What services are to use in place of what was given. */
struct task_service *nri_tasks_service(struct nri_tasks *t);
/* Goes with the domain; the inner one, called "id" by clients, stays its owner's. */
struct sandbox_controller *nri_tasks_controller(
		struct nri_tasks *t, const char *id, struct sandbox_controller *inner);
