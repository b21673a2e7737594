/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Adjustments of a container that is being created. Of each list: what is marked goes, whoever
 * put it there; what is new takes the place of what was there under the same key.
 */
#include <string.h>

#include "api/arena.h"
#include "base/err.h"
#include "base/str.h"
#include "nri/nri_result_priv.h"
#include "nri/nri_values.h"

struct step { /* one plugin's adjustment */
	struct nri_result *r;
	const char *id, *plugin;
	struct err *err;
};

static int claim(const struct step *s, Nri__Field field, const char *key)
{
	return nri_claim(&s->r->owners, s->id, field, key, s->plugin, s->err);
}

/* --- lists whose items have a key --------------------------------------------------------- */

struct keyed {
	Nri__Field field;
	const char *(*key)(const void *item); /* with its mark, if it has one */
};

struct list_of {
	size_t *count;
	void ***items;
};
#define LIST_OF(owner, member)                                                                 \
	((struct list_of){ &(owner)->n_##member, (void ***)(void *)&(owner)->member })

/* True if one of the plugin's items has this key, with or without a mark. */
static bool names(const struct keyed *k, const struct list_of *list, const char *key,
		bool with_mark)
{
	bool is_marked;

	for (size_t i = 0; i < *list->count; i++)
		if (str_eq(nri_key(k->key((*list->items)[i]), &is_marked), key) &&
				is_marked == with_mark)
			return true;
	return false;
}

/* What earlier plugins wanted, less what this one takes away. */
static void clear_reply(const struct step *s, const struct keyed *k,
		const struct list_of *wanted, const struct list_of *reply)
{
	size_t n = 0;
	bool is_marked;

	for (size_t i = 0; i < *reply->count; i++) {
		void *item = (*reply->items)[i];
		const char *key = nri_key(k->key(item), &is_marked);

		if (names(k, wanted, key, true) ||
				(is_marked && names(k, wanted, key, false))) {
			if (!is_marked)
				nri_unclaim(&s->r->owners, s->id, k->field, key, s->plugin);
			continue;
		}
		(*reply->items)[n++] = item;
	}
	*reply->count = n;
}

static void clear_container(const struct keyed *k, const struct list_of *wanted,
		const struct list_of *container)
{
	size_t n = 0;

	for (size_t i = 0; i < *container->count; i++) {
		void *item = (*container->items)[i];
		const char *key = k->key(item);

		if (!names(k, wanted, key, true) && !names(k, wanted, key, false))
			(*container->items)[n++] = item;
	}
	*container->count = n;
}

static int adjust_list(const struct step *s, const struct keyed *k,
		const struct list_of *wanted, const struct list_of *container,
		const struct list_of *reply)
{
	struct arena *a = s->r->arena;
	bool is_marked;

	if (*wanted->count == 0)
		return 0;
	clear_reply(s, k, wanted, reply);
	clear_container(k, wanted, container);
	for (size_t i = 0; i < *wanted->count; i++) {
		void *item = (*wanted->items)[i];
		const char *key = nri_key(k->key(item), &is_marked);

		if (is_marked) {
			/* What is set as well is replaced anyway. */
			if (!names(k, wanted, key, false))
				nri_add(a, reply->count, reply->items, item);
			continue;
		}
		if (claim(s, k->field, key) < 0)
			return -1;
		nri_add(a, container->count, container->items, item);
		nri_add(a, reply->count, reply->items, item);
	}
	return 0;
}

static const char *mount_key(const void *item)
{
	return ((const Nri__Mount *)item)->destination;
}

static const char *device_key(const void *item)
{
	return ((const Nri__LinuxDevice *)item)->path;
}

static const char *env_key(const void *item)
{
	return ((const Nri__KeyValue *)item)->key;
}

static int adjust_mounts(const struct step *s, const Nri__ContainerAdjustment *w)
{
	static const struct keyed mounts = { NRI__FIELD__Mounts, mount_key };
	struct list_of wanted = LIST_OF((Nri__ContainerAdjustment *)w, mounts);
	struct list_of container = LIST_OF(s->r->created, mounts);
	struct list_of reply = LIST_OF(s->r->adjust, mounts);

	return adjust_list(s, &mounts, &wanted, &container, &reply);
}

static int adjust_devices(const struct step *s, Nri__LinuxContainerAdjustment *w)
{
	static const struct keyed devices = { NRI__FIELD__Devices, device_key };
	struct list_of wanted = LIST_OF(w, devices);
	struct list_of container = LIST_OF(s->r->created->linux, devices);
	struct list_of reply = LIST_OF(s->r->adjust->linux, devices);

	return adjust_list(s, &devices, &wanted, &container, &reply);
}

/* A container has "KEY=value", an adjustment the two apart. */
static void split_env(struct arena *a, const Nri__Container *c, Nri__KeyValue ***ret_list,
		size_t *ret_n)
{
	for (size_t i = 0; i < c->n_env; i++) {
		Nri__KeyValue *kv = ARENA_NEW(a, Nri__KeyValue, nri__key_value);
		const char *equals = strchr(c->env[i], '=');

		kv->key = equals == NULL ? c->env[i]
					 : arena_printf(a, "%.*s", (int)(equals - c->env[i]),
							   c->env[i]);
		kv->value = equals == NULL ? NULL : equals + 1;
		nri_add(a, ret_n, ret_list, kv);
	}
}

static void join_env(struct arena *a, Nri__Container *c, Nri__KeyValue **list, size_t n)
{
	c->n_env = 0;
	c->env = NULL;
	for (size_t i = 0; i < n; i++)
		nri_add(a, &c->n_env, (void ***)(void *)&c->env,
				list[i]->value == NULL
						? (void *)(uintptr_t)list[i]->key
						: (void *)arena_printf(a, "%s=%s", list[i]->key,
								  list[i]->value));
}

static int adjust_env(const struct step *s, Nri__ContainerAdjustment *w)
{
	static const struct keyed env = { NRI__FIELD__Env, env_key };
	struct arena *a = s->r->arena;
	struct list_of wanted = LIST_OF(w, env);
	struct list_of reply = LIST_OF(s->r->adjust, env);
	Nri__KeyValue **list = NULL;
	size_t n = 0;
	struct list_of container = { &n, (void ***)(void *)&list };

	if (w->n_env == 0)
		return 0;
	split_env(a, s->r->created, &list, &n);
	if (adjust_list(s, &env, &wanted, &container, &reply) < 0)
		return -1;
	join_env(a, s->r->created, list, n);
	return 0;
}

static const char *namespace_key(const void *item)
{
	return ((const Nri__LinuxNamespace *)item)->type;
}

/* Here a removal is claimed like anything else. */
static int adjust_namespaces(const struct step *s, Nri__LinuxContainerAdjustment *w)
{
	static const struct keyed namespaces = { NRI__FIELD__Namespace, namespace_key };
	struct arena *a = s->r->arena;
	struct list_of wanted = LIST_OF(w, namespaces);
	struct list_of container = LIST_OF(s->r->created->linux, namespaces);
	Nri__LinuxContainerAdjustment *reply = s->r->adjust->linux;
	bool is_marked;

	for (size_t i = 0; i < w->n_namespaces; i++)
		if (claim(s, NRI__FIELD__Namespace,
				    nri_key(w->namespaces[i]->type, &is_marked)) < 0)
			return -1;
	clear_container(&namespaces, &wanted, &container);
	for (size_t i = 0; i < w->n_namespaces; i++) {
		(void)nri_key(w->namespaces[i]->type, &is_marked);
		if (!is_marked)
			nri_add(a, container.count, container.items, w->namespaces[i]);
		nri_add(a, &reply->n_namespaces, &reply->namespaces, w->namespaces[i]);
	}
	return 0;
}

/* --- maps --------------------------------------------------------------------------------- */

static int adjust_entry(const struct step *s, Nri__Field field, const struct nri_map *wanted,
		const struct nri_pair *e, const struct nri_map *container,
		const struct nri_map *reply)
{
	const char *marked = arena_printf(s->r->arena, "-%s", e->key);
	bool is_removal;
	const char *key = nri_key(e->key, &is_removal);

	if (is_removal) {
		if (nri_map_find(wanted, key) != NULL)
			return 0; /* see below */
		if (nri_map_find(reply, key) != NULL)
			nri_unclaim(&s->r->owners, s->id, field, key, s->plugin);
		nri_map_remove(container, key);
		nri_map_remove(reply, key);
		nri_map_set(s->r->arena, reply, e->key, e->value);
		return 0;
	}
	if (nri_map_find(wanted, marked) != NULL)
		nri_unclaim(&s->r->owners, s->id, field, key, s->plugin);
	if (claim(s, field, key) < 0)
		return -1;
	nri_map_remove(reply, marked);
	nri_map_set(s->r->arena, container, key, e->value);
	nri_map_set(s->r->arena, reply, key, e->value);
	return 0;
}

/* The last of two entries with one key is the one, as in any map. */
static int adjust_map(const struct step *s, Nri__Field field, const struct nri_map *wanted,
		const struct nri_map *container, const struct nri_map *reply)
{
	size_t n = 0;
	struct nri_pair **once = NULL;
	const struct nri_map unique = { &n, &once, wanted->entry };

	for (size_t i = 0; i < *wanted->count; i++)
		nri_map_set(s->r->arena, &unique, (*wanted->entries)[i]->key,
				(*wanted->entries)[i]->value);
	for (size_t i = 0; i < n; i++)
		if (adjust_entry(s, field, &unique, once[i], container, reply) < 0)
			return -1;
	return 0;
}

static int adjust_annotations(const struct step *s, Nri__ContainerAdjustment *w)
{
	const struct nri_map wanted =
			NRI_MAP(w, annotations, nri__container_adjustment__annotations_entry);
	const struct nri_map container =
			NRI_MAP(s->r->created, annotations, nri__container__annotations_entry);
	const struct nri_map reply = NRI_MAP(s->r->adjust, annotations,
			nri__container_adjustment__annotations_entry);

	return adjust_map(s, NRI__FIELD__Annotations, &wanted, &container, &reply);
}

static int adjust_sysctl(const struct step *s, Nri__LinuxContainerAdjustment *w)
{
	const struct nri_map wanted =
			NRI_MAP(w, sysctl, nri__linux_container_adjustment__sysctl_entry);
	const struct nri_map container = NRI_MAP(
			s->r->created->linux, sysctl, nri__linux_container__sysctl_entry);
	const struct nri_map reply = NRI_MAP(s->r->adjust->linux, sysctl,
			nri__linux_container_adjustment__sysctl_entry);

	return adjust_map(s, NRI__FIELD__Sysctl, &wanted, &container, &reply);
}

/* The value of an entry is a message here, of which the map code only moves the pointer. */
_Static_assert(sizeof(Nri__LinuxContainer__NetDevicesEntry) == sizeof(struct nri_pair),
		"entries have one shape");

static int adjust_net_devices(const struct step *s, Nri__LinuxContainerAdjustment *w)
{
	const struct nri_map wanted = NRI_MAP(
			w, net_devices, nri__linux_container_adjustment__net_devices_entry);
	const struct nri_map container = NRI_MAP(s->r->created->linux, net_devices,
			nri__linux_container__net_devices_entry);
	const struct nri_map reply = NRI_MAP(s->r->adjust->linux, net_devices,
			nri__linux_container_adjustment__net_devices_entry);

	return adjust_map(s, NRI__FIELD__LinuxNetDevices, &wanted, &container, &reply);
}

/* --- the rest ----------------------------------------------------------------------------- */

static int adjust_args(const struct step *s, const Nri__ContainerAdjustment *w)
{
	const char **args = w->args;
	size_t n = w->n_args;

	if (n == 0)
		return 0;
	if (args[0][0] == '\0') { /* the mark of removal of this one */
		nri_unclaim(&s->r->owners, s->id, NRI__FIELD__Args, NULL, s->plugin);
		args++;
		n--;
	}
	if (claim(s, NRI__FIELD__Args, NULL) < 0)
		return -1;
	s->r->created->args = s->r->adjust->args = args;
	s->r->created->n_args = s->r->adjust->n_args = n;
	return 0;
}

static void adjust_hooks(const struct step *s, const Nri__Hooks *w)
{
	Nri__Hooks *reply = s->r->adjust->hooks, *container = s->r->created->hooks;
	size_t added = 0;

	if (w == NULL)
		return;
#define ADD_HOOKS(kind)                                                                        \
	for (size_t i = 0; i < w->n_##kind; i++, added++) {                                    \
		nri_add(s->r->arena, &reply->n_##kind, &reply->kind, w->kind[i]);              \
		nri_add(s->r->arena, &container->n_##kind, &container->kind, w->kind[i]);      \
	}
	ADD_HOOKS(prestart)
	ADD_HOOKS(create_runtime)
	ADD_HOOKS(create_container)
	ADD_HOOKS(start_container)
	ADD_HOOKS(poststart)
	ADD_HOOKS(poststop)
#undef ADD_HOOKS
	if (added > 0)
		nri_claim_also(&s->r->owners, s->id, NRI__FIELD__OciHooks, s->plugin);
}

static int adjust_resources(const struct step *s, const Nri__LinuxResources *w)
{
	Nri__LinuxResources *container = s->r->created->linux->resources;
	Nri__LinuxResources *reply = s->r->adjust->linux->resources;

	if (w == NULL)
		return 0;
	if (nri_result_memory(s->r, w->memory, container->memory, reply->memory, s->id,
			    s->plugin, s->err) < 0 ||
			nri_result_cpu(s->r, w->cpu, container->cpu, reply->cpu, s->id,
					s->plugin, s->err) < 0)
		return -1;
	return nri_result_other_resources(s->r, w, container, reply, s->id, s->plugin, s->err);
}

static int adjust_rdt(const struct step *s, const Nri__LinuxRdt *w)
{
	Nri__LinuxContainerAdjustment *reply = s->r->adjust->linux;
	static const Nri__Field fields[] = { NRI__FIELD__RdtClosID, NRI__FIELD__RdtSchemata,
		NRI__FIELD__RdtEnableMonitoring };

	if (w == NULL)
		return 0;
	if (reply->rdt == NULL || w->remove)
		reply->rdt = ARENA_NEW(s->r->arena, Nri__LinuxRdt, nri__linux_rdt);
	if (w->remove) {
		for (size_t i = 0; i < ARRAY_LEN(fields); i++)
			nri_unclaim(&s->r->owners, s->id, fields[i], NULL, s->plugin);
		reply->rdt->remove = true;
	}
	if (w->clos_id != NULL) {
		if (claim(s, NRI__FIELD__RdtClosID, NULL) < 0)
			return -1;
		reply->rdt->clos_id = w->clos_id;
	}
	if (w->schemata != NULL) {
		if (claim(s, NRI__FIELD__RdtSchemata, NULL) < 0)
			return -1;
		reply->rdt->schemata = w->schemata;
	}
	if (w->enable_monitoring != NULL) {
		if (claim(s, NRI__FIELD__RdtEnableMonitoring, NULL) < 0)
			return -1;
		reply->rdt->enable_monitoring = w->enable_monitoring;
	}
	/* Something of it is set after all. */
	if (w->clos_id != NULL || w->schemata != NULL || w->enable_monitoring != NULL)
		reply->rdt->remove = false;
	return 0;
}

/* One value each: whoever sets it owns it. */
static int adjust_single(const struct step *s, Nri__LinuxContainerAdjustment *w)
{
	Nri__LinuxContainerAdjustment *reply = s->r->adjust->linux;
	Nri__LinuxContainer *c = s->r->created->linux;

	if (w->cgroups_path[0] != '\0') {
		if (claim(s, NRI__FIELD__CgroupsPath, NULL) < 0)
			return -1;
		c->cgroups_path = reply->cgroups_path = w->cgroups_path;
	}
#define ADJUST_SINGLE(member, field)                                                           \
	if (w->member != NULL) {                                                               \
		if (claim(s, NRI__FIELD__##field, NULL) < 0)                                   \
			return -1;                                                             \
		c->member = reply->member = w->member;                                         \
	}
	ADJUST_SINGLE(oom_score_adj, OomScoreAdj)
	ADJUST_SINGLE(io_priority, IoPriority)
	ADJUST_SINGLE(seccomp_policy, SeccompPolicy)
#undef ADJUST_SINGLE
	return 0;
}

static int adjust_last(const struct step *s, Nri__LinuxContainerAdjustment *w)
{
	Nri__LinuxContainerAdjustment *reply = s->r->adjust->linux;

	if (w->scheduler != NULL) {
		if (claim(s, NRI__FIELD__LinuxSched, NULL) < 0)
			return -1;
		s->r->created->linux->scheduler = reply->scheduler = w->scheduler;
	}
	if (adjust_rdt(s, w->rdt) < 0)
		return -1;
	if (w->memory_policy != NULL) {
		if (claim(s, NRI__FIELD__MemoryPolicy, NULL) < 0)
			return -1;
		reply->memory_policy = w->memory_policy;
	}
	return 0;
}

static int adjust_linux(const struct step *s, Nri__LinuxContainerAdjustment *w)
{
	if (w == NULL)
		return 0;
	if (adjust_devices(s, w) < 0 || adjust_resources(s, w->resources) < 0 ||
			adjust_single(s, w) < 0 || adjust_namespaces(s, w) < 0 ||
			adjust_sysctl(s, w) < 0 || adjust_net_devices(s, w) < 0)
		return -1;
	return adjust_last(s, w);
}

static int adjust_rlimits(const struct step *s, const Nri__ContainerAdjustment *w)
{
	Nri__Container *c = s->r->created;
	Nri__ContainerAdjustment *reply = s->r->adjust;

	for (size_t i = 0; i < w->n_rlimits; i++) {
		if (claim(s, NRI__FIELD__Rlimits, w->rlimits[i]->type) < 0)
			return -1;
		nri_add(s->r->arena, &c->n_rlimits, &c->rlimits, w->rlimits[i]);
		nri_add(s->r->arena, &reply->n_rlimits, &reply->rlimits, w->rlimits[i]);
	}
	return 0;
}

/* Added, never removed, and not shown to the next plugin: only we know what is behind them. */
static int adjust_cdi(const struct step *s, const Nri__ContainerAdjustment *w)
{
	Nri__ContainerAdjustment *reply = s->r->adjust;

	for (size_t i = 0; i < w->n_cdi_devices; i++) {
		if (claim(s, NRI__FIELD__CdiDevices, w->cdi_devices[i]->name) < 0)
			return -1;
		nri_add(s->r->arena, &reply->n_cdi_devices, &reply->cdi_devices,
				w->cdi_devices[i]);
	}
	return 0;
}

static bool is_too_long(const Nri__ContainerAdjustment *w)
{
	const Nri__LinuxContainerAdjustment *l = w->linux;
	const Nri__Hooks *h = w->hooks;

	return w->n_annotations > NRI_ITEMS_MAX || w->n_mounts > NRI_ITEMS_MAX ||
	       w->n_env > NRI_ITEMS_MAX || w->n_rlimits > NRI_ITEMS_MAX ||
	       w->n_cdi_devices > NRI_ITEMS_MAX ||
	       (l != NULL && (l->n_devices > NRI_ITEMS_MAX || l->n_namespaces > NRI_ITEMS_MAX ||
					     l->n_sysctl > NRI_ITEMS_MAX ||
					     l->n_net_devices > NRI_ITEMS_MAX)) ||
	       (h != NULL && h->n_prestart + h->n_create_runtime + h->n_create_container +
							       h->n_start_container +
							       h->n_poststart + h->n_poststop >
					       NRI_ITEMS_MAX);
}

int nri_result_adjust(struct nri_result *r, Nri__ContainerAdjustment *w, const char *plugin,
		struct err *err)
{
	const struct step s = { r, r->created->id, plugin, err };

	if (w == NULL)
		return 0;
	if (is_too_long(w))
		return err_set(err, ERR_EXHAUSTED, "lists in the adjustment by plugin %s",
				plugin);
	if (adjust_annotations(&s, w) < 0 || adjust_mounts(&s, w) < 0 ||
			adjust_env(&s, w) < 0 || adjust_args(&s, w) < 0)
		return -1;
	adjust_hooks(&s, w->hooks);
	if (adjust_linux(&s, w->linux) < 0 || adjust_rlimits(&s, w) < 0)
		return -1;
	return adjust_cdi(&s, w);
}
