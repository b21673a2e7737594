/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the plugins asked for one request want together. Each next plugin sees the request as
 * the ones before it have changed it; what two of them set differently is an error, and a list
 * entry whose key begins with "-" takes away what is there (docs/design/044-nri.md).
 */
#pragma once

#include "api/pb/nri.pb-c.h"
#include "base/attr.h"
#include "nri/nri_owners.h"

struct arena;
struct err;

struct nri_result {
	struct arena *arena;
	struct nri_owners owners;
	/* The request it is about; both NULL for a stop. */
	Nri__Container *created;
	Nri__UpdateContainerRequest *updated;
	/* Together. */
	Nri__ContainerAdjustment *adjust; /* of "created" */
	size_t n_updates, n_evictions;
	Nri__ContainerUpdate **updates; /* of other containers, in the order they were named */
	Nri__ContainerEviction **evictions;
	Nri__ContainerUpdate *own; /* of the container of "updated"; NULL: nobody changed it */
};

/* The message is changed as plugins answer; it and everything in it must live in the arena. */
void nri_result_of_create(struct nri_result *r, struct arena *arena, Nri__Container *created);
void nri_result_of_update(struct nri_result *r, struct arena *arena,
		Nri__UpdateContainerRequest *updated);
void nri_result_of_stop(struct nri_result *r, struct arena *arena);
void nri_result_done(struct nri_result *r);
#define AUTO_NRI_RESULT __attribute__((cleanup(nri_result_done)))

/* NULL and nothing: the plugin wants nothing. EXHAUSTED for lists that are too long; otherwise
 * the texts of the original, whose kind is UNKNOWN. */
MUST_USE int nri_result_adjust(struct nri_result *r, Nri__ContainerAdjustment *adjust,
		const char *plugin, struct err *err);
MUST_USE int nri_result_update(struct nri_result *r, size_t n, Nri__ContainerUpdate **updates,
		const char *plugin, struct err *err);
void nri_result_evict(struct nri_result *r, size_t n, Nri__ContainerEviction **evictions);
