/* SPDX-License-Identifier: Apache-2.0 */
#include "wire/wire_snapshot.h"

#include "api/arena.h"
#include "api/timestamp.h"
#include "wire/wire_map.h"

_Static_assert((int)SNAPSHOT_VIEW == SNAPSHOTS__KIND__VIEW &&
				(int)SNAPSHOT_ACTIVE == SNAPSHOTS__KIND__ACTIVE &&
				(int)SNAPSHOT_COMMITTED == SNAPSHOTS__KIND__COMMITTED,
		"numbers as on the wire");

static int known_kind(int kind)
{
	return kind == SNAPSHOT_VIEW || kind == SNAPSHOT_ACTIVE ? kind : SNAPSHOT_COMMITTED;
}

struct snapshot_info wire_snapshot_info_in(struct arena *a, const Snapshots__Info *pb)
{
	return (struct snapshot_info){
		.name = (char *)pb->name,
		.parent = (char *)pb->parent,
		.kind = (enum snapshot_kind)known_kind((int)pb->kind),
		.created_ns = timestamp_ns(pb->created_at),
		.updated_ns = timestamp_ns(pb->updated_at),
		.labels = wire_labels_in(a, pb->n_labels, pb->labels),
	};
}

Snapshots__Info *wire_snapshot_info_out(struct arena *a, const struct snapshot_info *i)
{
	Snapshots__Info *pb = ARENA_NEW(a, Snapshots__Info, snapshots__info);

	pb->name = arena_strdup(a, i->name);
	pb->parent = arena_strdup(a, i->parent);
	pb->kind = (Snapshots__Kind)known_kind((int)i->kind);
	pb->created_at = timestamp_new(a, i->created_ns);
	pb->updated_at = timestamp_new(a, i->updated_ns);
	pb->labels = wire_labels_out(a, &i->labels, &snapshots__info__labels_entry__descriptor,
			&pb->n_labels);
	return pb;
}
