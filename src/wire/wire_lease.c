/* SPDX-License-Identifier: Apache-2.0 */
#include "wire/wire_lease.h"

#include "api/arena.h"
#include "api/timestamp.h"
#include "wire/wire_map.h"

Leases__Lease *wire_lease_out(struct arena *a, const struct lease *l)
{
	Leases__Lease *pb = ARENA_NEW(a, Leases__Lease, leases__lease);

	pb->id = arena_strdup(a, l->id);
	pb->created_at = timestamp_new(a, l->created_ns);
	pb->labels = wire_labels_out(
			a, &l->labels, &leases__lease__labels_entry__descriptor, &pb->n_labels);
	return pb;
}

Namespaces__Namespace *wire_namespace_out(
		struct arena *a, const char *name, const struct labels *labels)
{
	Namespaces__Namespace *pb = ARENA_NEW(a, Namespaces__Namespace, namespaces__namespace);

	pb->name = arena_strdup(a, name);
	pb->labels = wire_labels_out(a, labels,
			&namespaces__namespace__labels_entry__descriptor, &pb->n_labels);
	return pb;
}
