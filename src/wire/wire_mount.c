/* SPDX-License-Identifier: Apache-2.0 */
#include "wire/wire_mount.h"

#include "api/arena.h"
#include "wire/wire_map.h"

struct mounts wire_mounts_in(struct arena *a, size_t n, Types__Mount *const *list)
{
	struct mounts m = { arena_calloc(a, n, sizeof(*m.items)), n };

	for (size_t i = 0; i < n; i++)
		m.items[i] = (struct mount_spec){
			.type = (char *)list[i]->type,
			.source = (char *)list[i]->source,
			.target = (char *)list[i]->target,
			.options = wire_strv_in(a, list[i]->n_options, list[i]->options),
		};
	return m;
}

static Types__Mount *mount_out(struct arena *a, const struct mount_spec *m)
{
	Types__Mount *pb = ARENA_NEW(a, Types__Mount, types__mount);

	pb->type = arena_strdup(a, m->type);
	pb->source = arena_strdup(a, m->source);
	pb->target = arena_strdup(a, m->target);
	pb->options = wire_strv_out(a, m->options, &pb->n_options);
	return pb;
}

Types__Mount **wire_mounts_out(struct arena *a, const struct mounts *m, size_t *ret_n)
{
	Types__Mount **list = arena_calloc(a, m->count, sizeof(*list));

	for (size_t i = 0; i < m->count; i++)
		list[i] = mount_out(a, &m->items[i]);
	*ret_n = m->count;
	return list;
}
