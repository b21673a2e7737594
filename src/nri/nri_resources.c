/* SPDX-License-Identifier: Apache-2.0 */
/* Resources: memory and CPU have one row per value that a plugin may set. */
#include "nri/nri_result_priv.h"

#include <stddef.h>

#include "api/arena.h"
#include "base/err.h"
#include "nri/nri_values.h"

struct value {
	size_t offset; /* of a pointer to a message; of a text if is_text */
	Nri__Field field;
	bool is_text; /* "" is not set */
};

#define MEMORY(member, field)                                                                  \
	{                                                                                      \
		offsetof(Nri__LinuxMemory, member), NRI__FIELD__##field, false                 \
	}
static const struct value memory_values[] = {
	MEMORY(limit, MemLimit),
	MEMORY(reservation, MemReservation),
	MEMORY(swap, MemSwapLimit),
	MEMORY(kernel, MemKernelLimit),
	MEMORY(kernel_tcp, MemTCPLimit),
	MEMORY(swappiness, MemSwappiness),
	MEMORY(disable_oom_killer, MemDisableOomKiller),
	MEMORY(use_hierarchy, MemUseHierarchy),
};

#define CPU(member, field, is_text)                                                            \
	{                                                                                      \
		offsetof(Nri__LinuxCPU, member), NRI__FIELD__##field, is_text                  \
	}
static const struct value cpu_values[] = {
	CPU(shares, CPUShares, false),
	CPU(quota, CPUQuota, false),
	CPU(period, CPUPeriod, false),
	CPU(realtime_runtime, CPURealtimeRuntime, false),
	CPU(realtime_period, CPURealtimePeriod, false),
	CPU(cpus, CPUSetCPUs, true),
	CPU(mems, CPUSetMems, true),
};

static const void **slot(const void *message, const struct value *v)
{
	return (const void **)((uintptr_t)message + v->offset);
}

static bool is_set(const void *message, const struct value *v)
{
	const void *at = *slot(message, v);

	return v->is_text ? *(const char *)at != '\0' : at != NULL;
}

static int set_values(struct nri_result *r, const struct value *values, size_t count,
		const void *from, void *container, void *reply, const char *id,
		const char *plugin, struct err *err)
{
	for (const struct value *v = values; v < values + count; v++) {
		if (!is_set(from, v))
			continue;
		if (nri_claim(&r->owners, id, v->field, NULL, plugin, err) < 0)
			return -1;
		*slot(container, v) = *slot(from, v);
		if (reply != NULL)
			*slot(reply, v) = *slot(from, v);
	}
	return 0;
}

int nri_result_memory(struct nri_result *r, const Nri__LinuxMemory *m,
		Nri__LinuxMemory *container, Nri__LinuxMemory *reply, const char *id,
		const char *plugin, struct err *err)
{
	if (m == NULL)
		return 0;
	return set_values(r, memory_values, ARRAY_LEN(memory_values), m, container, reply, id,
			plugin, err);
}

int nri_result_cpu(struct nri_result *r, const Nri__LinuxCPU *cpu, Nri__LinuxCPU *container,
		Nri__LinuxCPU *reply, const char *id, const char *plugin, struct err *err)
{
	if (cpu == NULL)
		return 0;
	return set_values(r, cpu_values, ARRAY_LEN(cpu_values), cpu, container, reply, id,
			plugin, err);
}

static int set_hugepages(struct nri_result *r, const Nri__LinuxResources *from,
		Nri__LinuxResources *container, Nri__LinuxResources *reply, const char *id,
		const char *plugin, struct err *err)
{
	for (size_t i = 0; i < from->n_hugepage_limits; i++) {
		Nri__HugepageLimit *l = from->hugepage_limits[i];

		if (nri_claim(&r->owners, id, NRI__FIELD__HugepageLimits, l->page_size, plugin,
				    err) < 0)
			return -1;
		nri_add(r->arena, &container->n_hugepage_limits, &container->hugepage_limits,
				l);
		if (reply != NULL)
			nri_add(r->arena, &reply->n_hugepage_limits, &reply->hugepage_limits,
					l);
	}
	return 0;
}

static int set_unified(struct nri_result *r, const Nri__LinuxResources *from,
		Nri__LinuxResources *container, Nri__LinuxResources *reply, const char *id,
		const char *plugin, struct err *err)
{
	const struct nri_map into =
			NRI_MAP(container, unified, nri__linux_resources__unified_entry);

	for (size_t i = 0; i < from->n_unified; i++) {
		const Nri__LinuxResources__UnifiedEntry *e = from->unified[i];

		if (nri_claim(&r->owners, id, NRI__FIELD__CgroupsUnified, e->key, plugin, err) <
				0)
			return -1;
		nri_map_set(r->arena, &into, e->key, e->value);
		if (reply != NULL) {
			const struct nri_map answer = NRI_MAP(
					reply, unified, nri__linux_resources__unified_entry);

			nri_map_set(r->arena, &answer, e->key, e->value);
		}
	}
	return 0;
}

static int set_single(struct nri_result *r, const Nri__LinuxResources *from,
		Nri__LinuxResources *container, Nri__LinuxResources *reply, const char *id,
		const char *plugin, struct err *err)
{
	Nri__LinuxResources unused = NRI__LINUX_RESOURCES__INIT;

	if (reply == NULL)
		reply = &unused;
	if (from->blockio_class != NULL) {
		if (nri_claim(&r->owners, id, NRI__FIELD__BlockioClass, NULL, plugin, err) < 0)
			return -1;
		container->blockio_class = reply->blockio_class = from->blockio_class;
	}
	if (from->rdt_class != NULL) {
		if (nri_claim(&r->owners, id, NRI__FIELD__RdtClass, NULL, plugin, err) < 0)
			return -1;
		container->rdt_class = reply->rdt_class = from->rdt_class;
	}
	if (from->pids != NULL) {
		if (nri_claim(&r->owners, id, NRI__FIELD__PidsLimit, NULL, plugin, err) < 0)
			return -1;
		container->pids = reply->pids = from->pids;
	}
	return 0;
}

int nri_result_other_resources(struct nri_result *r, const Nri__LinuxResources *from,
		Nri__LinuxResources *container, Nri__LinuxResources *reply, const char *id,
		const char *plugin, struct err *err)
{
	if (from->n_hugepage_limits > NRI_ITEMS_MAX || from->n_unified > NRI_ITEMS_MAX ||
			from->n_devices > NRI_ITEMS_MAX)
		return err_set(err, ERR_EXHAUSTED, "resources set by plugin %s", plugin);
	if (set_hugepages(r, from, container, reply, id, plugin, err) < 0 ||
			set_unified(r, from, container, reply, id, plugin, err) < 0)
		return -1;
	for (size_t i = 0; reply != NULL && i < from->n_devices; i++) {
		nri_add(r->arena, &container->n_devices, &container->devices, from->devices[i]);
		nri_add(r->arena, &reply->n_devices, &reply->devices, from->devices[i]);
	}
	return set_single(r, from, container, reply, id, plugin, err);
}
