/* SPDX-License-Identifier: Apache-2.0 */
/* What is only a name with labels: leases and namespaces. */
#pragma once

#include "core/lease.h"

#include "api/pb/leases.pb-c.h"
#include "api/pb/namespaces.pb-c.h"

struct arena;

/* Copies, as wire_map.h says. */
Leases__Lease *wire_lease_out(struct arena *a, const struct lease *l);
Namespaces__Namespace *wire_namespace_out(
		struct arena *a, const char *name, const struct labels *labels);
