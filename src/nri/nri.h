/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The Node Resource Interface: plugins that hear of pods and containers and may change them
 * (reference 02 §8.5, docs/design/044-nri.md).
 *
 * Whoever runs containers is a domain: it tells what happens through the functions below, and
 * is asked for what there is, for updates and for evictions. One request is shown to the
 * plugins at a time, in the order of their indices; a plugin that is late, dies or makes no
 * sense is closed and the request goes on without it. Everything here waits for plugins, so it
 * is no place for the loop, and no lock may be held.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "api/pb/nri.pb-c.h"
#include "base/attr.h"
#include "nri/nri_validate.h"

struct arena;
struct deprecations;
struct err;
struct loop;
struct nri;

/* What is known of pods and containers, in the arena; lists made with nri_add(). */
struct nri_listing {
	struct arena *arena;
	size_t n_pods, n_containers;
	Nri__PodSandbox **pods;
	Nri__Container **containers; /* of which none has stopped */
};

struct nri_domain;
struct nri_domain_ops {
	MAY_BLOCK void (*list)(struct nri_domain *self, struct nri_listing *into);
	/* True if the container is its. */
	MAY_BLOCK bool (*has)(struct nri_domain *self, const char *id);
	MAY_BLOCK int (*update)(struct nri_domain *self, const char *id,
			const Nri__LinuxResources *r, struct err *err);
	MAY_BLOCK int (*evict)(struct nri_domain *self, const char *id, const char *reason,
			struct err *err);
};
struct nri_domain {
	const struct nri_domain_ops *ops;
	const char *name; /* "k8s.io" */
};

struct nri_options {
	struct loop *loop;
	const char *socket_path, *plugin_path, *config_path;
	int64_t registration_ns, request_ns;
	bool is_closed; /* takes no connections */
	const char *runtime_name, *runtime_version;
	struct deprecations *deprecations; /* NULL: nobody wants to know */
	struct nri_validator validator;
};

/* Texts are copied. */
MUST_USE struct nri *nri_new(const struct nri_options *o);
/* Before nri_start(); borrowed. */
void nri_add_domain(struct nri *n, struct nri_domain *d);
/* Listens, and starts the plugins of plugin_path in the background: hooks wait for them. What
 * does not work is logged. */
MAY_BLOCK void nri_start(struct nri *n);
/* Ends all plugins and stops listening; nri_start() begins anew. The loop must run. */
MAY_BLOCK void nri_stop(struct nri *n);
/* No hook may be under way. NULL is fine. */
MAY_BLOCK void nri_free(struct nri *n);

/* False: there is nobody to tell, and the hooks have nothing to do. */
ANY_THREAD bool nri_has_plugins(struct nri *n);
/* Plugins that work now. */
ANY_THREAD size_t nri_plugin_count(struct nri *n);

/* Between these no plugin is told what there is: what is being made would be missing. Waits
 * for one that is being told, and for those that are being started. */
MAY_BLOCK void nri_block_sync(struct nri *n);
ANY_THREAD void nri_unblock_sync(struct nri *n);

/* "domain" tells containers of the same id apart. All of the messages must live in the arena,
 * which is for the length of the call. On failure err has what a plugin said. */
struct nri_subject {
	struct arena *arena;
	const char *domain;
	Nri__PodSandbox *pod;
	Nri__Container *container; /* NULL where it is about the pod */
};

/* RUN_, STOP_, REMOVE_ and POST_UPDATE_POD_SANDBOX; POST_CREATE_, START_, POST_START_,
 * POST_UPDATE_ and REMOVE_CONTAINER. Stops and removals are told once; a removal stops first.
 */
MAY_BLOCK MUST_USE int nri_tell(
		struct nri *n, const struct nri_subject *s, Nri__Event event, struct err *err);
/* overhead and resources may be NULL. */
MAY_BLOCK MUST_USE int nri_update_pod(struct nri *n, const struct nri_subject *s,
		Nri__LinuxResources *overhead, Nri__LinuxResources *resources, struct err *err);
/* *ret_adjust is NULL if there is nothing to change; in the arena. */
MAY_BLOCK MUST_USE int nri_create(struct nri *n, const struct nri_subject *s,
		Nri__ContainerAdjustment **ret_adjust, struct err *err);
/* *ret_resources is what to update it to instead; NULL: as asked. */
MAY_BLOCK MUST_USE int nri_update(struct nri *n, const struct nri_subject *s,
		Nri__LinuxResources *resources, Nri__LinuxResources **ret_resources,
		struct err *err);
/* Told once. */
MAY_BLOCK MUST_USE int nri_stop_container(
		struct nri *n, const struct nri_subject *s, struct err *err);
