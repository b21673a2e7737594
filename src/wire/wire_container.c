/* SPDX-License-Identifier: Apache-2.0 */
#include "wire/wire_container.h"

#include "api/arena.h"
#include "api/timestamp.h"
#include "wire/wire_map.h"

struct container wire_container_in(struct arena *a, const Containers__Container *pb)
{
	struct container c = {
		.id = (char *)pb->id,
		.image = (char *)pb->image,
		.snapshotter = (char *)pb->snapshotter,
		.snapshot_key = (char *)pb->snapshot_key,
		.sandbox = (char *)pb->sandbox,
		.spec = wire_any_in(pb->spec),
		.labels = wire_labels_in(a, pb->n_labels, pb->labels),
		.extensions = wire_anys_in(a, pb->n_extensions, pb->extensions),
		.created_ns = timestamp_ns(pb->created_at),
		.updated_ns = timestamp_ns(pb->updated_at),
	};

	if (pb->runtime != NULL) {
		c.runtime_name = (char *)pb->runtime->name;
		c.runtime_options = wire_any_in(pb->runtime->options);
	}
	return c;
}

Containers__Container *wire_container_out(struct arena *a, const struct container *c)
{
	Containers__Container *pb = ARENA_NEW(a, Containers__Container, containers__container);

	pb->id = arena_strdup(a, c->id);
	pb->image = arena_strdup(a, c->image);
	pb->snapshotter = arena_strdup(a, c->snapshotter);
	pb->snapshot_key = arena_strdup(a, c->snapshot_key);
	pb->sandbox = arena_strdup(a, c->sandbox);
	/* Clients read its fields without looking whether it is there. */
	pb->runtime = ARENA_NEW(
			a, Containers__Container__Runtime, containers__container__runtime);
	pb->runtime->name = arena_strdup(a, c->runtime_name);
	pb->runtime->options = wire_any_out(a, &c->runtime_options);
	pb->spec = wire_any_out(a, &c->spec);
	pb->labels = wire_labels_out(a, &c->labels,
			&containers__container__labels_entry__descriptor, &pb->n_labels);
	pb->extensions = wire_anys_out(a, &c->extensions,
			&containers__container__extensions_entry__descriptor,
			&pb->n_extensions);
	pb->created_at = timestamp_new(a, c->created_ns);
	pb->updated_at = timestamp_new(a, c->updated_ns);
	return pb;
}
