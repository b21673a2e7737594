/* SPDX-License-Identifier: Apache-2.0 */
/* "run --uidmap --gidmap": a user namespace, and a root whose files belong to its users. */
#pragma once

#include <stddef.h>

#include "base/attr.h"

struct ctrd_client;
struct ctrd_id_range;
struct ctrd_labels;
struct ctrd_spec;
struct run_args;

/* Both or neither, as with the original. */
struct user_maps {
	struct ctrd_id_range *uids, *gids;
	size_t uid_count, gid_count;
};

void user_maps_done(struct user_maps *m);

/* Into the spec, too. Prints what is wrong: 0, or the exit status. */
MUST_USE int user_maps_parse(
		struct user_maps *m, const struct run_args *args, struct ctrd_spec *spec);

/* What the container's snapshot is to be made of: labels for a snapshotter that maps ids, or a
 * copy of the parent (ret_parent, owned, else NULL). */
MUST_USE int user_maps_apply(const struct user_maps *m, struct ctrd_client *client,
		const struct run_args *args, const char *parent, struct ctrd_labels *labels,
		char **ret_parent);
