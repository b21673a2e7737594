/* SPDX-License-Identifier: Apache-2.0 */
#include "wire/wire_activation.h"

#include "api/arena.h"
#include "api/timestamp.h"
#include "wire/wire_map.h"
#include "wire/wire_mount.h"

static Types__ActiveMount *active_out(struct arena *a, const struct active_mount *m)
{
	Types__ActiveMount *pb = ARENA_NEW(a, Types__ActiveMount, types__active_mount);
	struct mounts one = { (struct mount_spec *)&m->spec, 1 };
	size_t n;

	pb->mount = wire_mounts_out(a, &one, &n)[0];
	pb->mount_point = arena_strdup(a, m->mount_point);
	pb->mounted_at = timestamp_new(a, m->mounted_ns);
	return pb;
}

Types__ActivationInfo *wire_activation_out(struct arena *a, const struct activation *from)
{
	Types__ActivationInfo *pb = ARENA_NEW(a, Types__ActivationInfo, types__activation_info);

	pb->name = arena_strdup(a, from->name);
	pb->n_active = from->active_count;
	pb->active = arena_calloc(a, from->active_count, sizeof(*pb->active));
	for (size_t i = 0; i < from->active_count; i++)
		pb->active[i] = active_out(a, &from->active[i]);
	pb->system = wire_mounts_out(a, &from->system, &pb->n_system);
	pb->labels = wire_labels_out(a, &from->labels,
			&types__activation_info__labels_entry__descriptor, &pb->n_labels);
	return pb;
}
