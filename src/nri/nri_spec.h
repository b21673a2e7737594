/* SPDX-License-Identifier: Apache-2.0 */
/* Runtime specs as plugins see them. */
#pragma once

#include "api/pb/nri.pb-c.h"

struct arena;
struct jnode;

/* Fills what a container's spec tells; ids, names, labels and state are the caller's. Copies.
 */
void nri_container_of_spec(struct arena *a, const struct jnode *spec, Nri__Container *c);
/* The same of a pod: namespaces, resources, cgroup. */
void nri_pod_of_spec(struct arena *a, const struct jnode *spec, Nri__PodSandbox *p);
/* "linux.resources", or what an update of a running container holds; never NULL. */
Nri__LinuxResources *nri_resources_of(struct arena *a, const struct jnode *resources);
