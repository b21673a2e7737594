/* SPDX-License-Identifier: Apache-2.0 */
/* Between nri_result.c, nri_result_adjust.c and nri_resources.c. */
#pragma once

#include "nri/nri_result.h"

/* Memory and CPU are there, and lists can be added to. */
void nri_own_resources(struct arena *a, Nri__LinuxResources *r);

/* "reply" may be NULL. */
MUST_USE int nri_result_memory(struct nri_result *r, const Nri__LinuxMemory *m,
		Nri__LinuxMemory *container, Nri__LinuxMemory *reply, const char *id,
		const char *plugin, struct err *err);
MUST_USE int nri_result_cpu(struct nri_result *r, const Nri__LinuxCPU *cpu,
		Nri__LinuxCPU *container, Nri__LinuxCPU *reply, const char *id,
		const char *plugin, struct err *err);
/* Huge pages, unified, classes, pids; devices too where there is a reply. */
MUST_USE int nri_result_other_resources(struct nri_result *r, const Nri__LinuxResources *from,
		Nri__LinuxResources *container, Nri__LinuxResources *reply, const char *id,
		const char *plugin, struct err *err);
