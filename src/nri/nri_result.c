/* SPDX-License-Identifier: Apache-2.0 */
#include "nri/nri_result.h"

#include <string.h>

#include "api/arena.h"
#include "base/err.h"
#include "base/str.h"
#include "nri/nri_result_priv.h"
#include "nri/nri_values.h"

/* --- what a request begins with ----------------------------------------------------------- */

/* Lists that can be added to, whoever made them. */
#define OWN(owner, field)                                                                      \
	(owner)->field = (void *)own_list(a, (const void *)(owner)->field, (owner)->n_##field)

static void **own_list(struct arena *a, const void *list, size_t count)
{
	void **copy = NULL;
	size_t n = 0;

	for (size_t i = 0; i < count; i++)
		nri_add(a, &n, &copy, ((void *const *)list)[i]);
	return copy;
}

void nri_own_resources(struct arena *a, Nri__LinuxResources *r)
{
	if (r->memory == NULL)
		r->memory = ARENA_NEW(a, Nri__LinuxMemory, nri__linux_memory);
	if (r->cpu == NULL)
		r->cpu = ARENA_NEW(a, Nri__LinuxCPU, nri__linux_cpu);
	OWN(r, hugepage_limits);
	OWN(r, unified);
	OWN(r, devices);
}

static void own_container(struct arena *a, Nri__Container *c)
{
	if (c->hooks == NULL)
		c->hooks = ARENA_NEW(a, Nri__Hooks, nri__hooks);
	if (c->linux == NULL)
		c->linux = ARENA_NEW(a, Nri__LinuxContainer, nri__linux_container);
	if (c->linux->resources == NULL)
		c->linux->resources = ARENA_NEW(a, Nri__LinuxResources, nri__linux_resources);
	nri_own_resources(a, c->linux->resources);
	OWN(c, annotations);
	OWN(c, mounts);
	OWN(c, rlimits);
	OWN(c->hooks, prestart);
	OWN(c->hooks, create_runtime);
	OWN(c->hooks, create_container);
	OWN(c->hooks, start_container);
	OWN(c->hooks, poststart);
	OWN(c->hooks, poststop);
	OWN(c->linux, namespaces);
	OWN(c->linux, devices);
	OWN(c->linux, sysctl);
	OWN(c->linux, net_devices);
}

static Nri__LinuxResources *new_resources(struct arena *a)
{
	Nri__LinuxResources *r = ARENA_NEW(a, Nri__LinuxResources, nri__linux_resources);

	nri_own_resources(a, r);
	return r;
}

static void init(struct nri_result *r, struct arena *arena)
{
	*r = (struct nri_result){ .arena = arena };
	nri_owners_init(&r->owners, arena);
}

void nri_result_of_create(struct nri_result *r, struct arena *a, Nri__Container *created)
{
	init(r, a);
	own_container(a, created);
	r->created = created;
	r->adjust = ARENA_NEW(a, Nri__ContainerAdjustment, nri__container_adjustment);
	r->adjust->hooks = ARENA_NEW(a, Nri__Hooks, nri__hooks);
	r->adjust->linux = ARENA_NEW(
			a, Nri__LinuxContainerAdjustment, nri__linux_container_adjustment);
	r->adjust->linux->resources = new_resources(a);
}

void nri_result_of_update(
		struct nri_result *r, struct arena *a, Nri__UpdateContainerRequest *updated)
{
	init(r, a);
	if (updated->linux_resources == NULL)
		updated->linux_resources =
				ARENA_NEW(a, Nri__LinuxResources, nri__linux_resources);
	nri_own_resources(a, updated->linux_resources);
	r->updated = updated;
}

void nri_result_of_stop(struct nri_result *r, struct arena *a)
{
	init(r, a);
}

void nri_result_done(struct nri_result *r)
{
	nri_owners_done(&r->owners);
}

/* --- updates of other containers ---------------------------------------------------------- */

static Nri__LinuxResources *copy_resources(struct arena *a, const Nri__LinuxResources *from)
{
	Nri__LinuxResources *r = arena_memdup(a, from, sizeof(*from));

	r->memory = arena_memdup(a, from->memory, sizeof(*from->memory));
	r->cpu = arena_memdup(a, from->cpu, sizeof(*from->cpu));
	nri_own_resources(a, r);
	/* Its values are set in place. */
	for (size_t k = 0; k < r->n_unified; k++)
		r->unified[k] = arena_memdup(a, r->unified[k], sizeof(*r->unified[k]));
	return r;
}

static bool is_the_one_updated(const struct nri_result *r, const char *id)
{
	return r->updated != NULL && str_eq(r->updated->container->id, id);
}

static Nri__ContainerUpdate *find_update(const struct nri_result *r, const char *id)
{
	if (is_the_one_updated(r, id))
		return r->own;
	for (size_t i = 0; i < r->n_updates; i++)
		if (str_eq(r->updates[i]->container_id, id))
			return r->updates[i];
	return NULL;
}

/* The update of this container so far. */
static Nri__ContainerUpdate *need_update(struct nri_result *r, const Nri__ContainerUpdate *u)
{
	Nri__ContainerUpdate *all = find_update(r, u->container_id);

	if (all != NULL) {
		all->ignore_failure = all->ignore_failure && u->ignore_failure;
		return all;
	}
	all = ARENA_NEW(r->arena, Nri__ContainerUpdate, nri__container_update);
	all->container_id = u->container_id;
	all->ignore_failure = u->ignore_failure;
	all->linux = ARENA_NEW(
			r->arena, Nri__LinuxContainerUpdate, nri__linux_container_update);
	all->linux->resources = new_resources(r->arena);
	if (is_the_one_updated(r, u->container_id))
		r->own = all;
	else
		nri_add(r->arena, &r->n_updates, &r->updates, all);
	return all;
}

static int merge(struct nri_result *r, const Nri__LinuxResources *from,
		Nri__LinuxResources *into, const char *id, const char *plugin, struct err *err)
{
	if (nri_result_memory(r, from->memory, into->memory, NULL, id, plugin, err) < 0 ||
			nri_result_cpu(r, from->cpu, into->cpu, NULL, id, plugin, err) < 0)
		return -1;
	return nri_result_other_resources(r, from, into, NULL, id, plugin, err);
}

/* Works on a copy: an update that fails changes nothing. */
static int update_one(struct nri_result *r, const Nri__ContainerUpdate *u, const char *plugin,
		struct err *err)
{
	Nri__ContainerUpdate *all = need_update(r, u);
	bool is_own = is_the_one_updated(r, u->container_id);
	Nri__LinuxResources *into;

	if (u->linux == NULL || u->linux->resources == NULL)
		return 0;
	into = copy_resources(
			r->arena, is_own ? r->updated->linux_resources : all->linux->resources);
	if (merge(r, u->linux->resources, into, u->container_id, plugin, err) < 0)
		return -1;
	all->linux->resources = into;
	if (is_own)
		r->updated->linux_resources = copy_resources(r->arena, into);
	return 0;
}

int nri_result_update(struct nri_result *r, size_t n, Nri__ContainerUpdate **updates,
		const char *plugin, struct err *err)
{
	AUTO_ERR struct err cause = { 0 };

	if (n > NRI_ITEMS_MAX)
		return err_set(err, ERR_EXHAUSTED, "%zu updates by plugin %s", n, plugin);
	for (size_t i = 0; i < n; i++) {
		if (r->created != NULL && str_eq(r->created->id, updates[i]->container_id))
			return err_plain(err, ERR_UNKNOWN,
					"plugin \"%s\" asked update of \"%s\" during creation",
					plugin, updates[i]->container_id);
		if (update_one(r, updates[i], plugin, &cause) == 0)
			continue;
		if (!updates[i]->ignore_failure)
			return err_move(err, &cause);
		err_clear(&cause);
	}
	return 0;
}

void nri_result_evict(struct nri_result *r, size_t n, Nri__ContainerEviction **evictions)
{
	for (size_t i = 0; i < n && r->n_evictions < NRI_ITEMS_MAX; i++)
		nri_add(r->arena, &r->n_evictions, &r->evictions, evictions[i]);
}
