/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "client/client_priv.h"
#include "core/mount.h"
#include "core/snapshot.h"

struct ctrd_mounts {
	struct mounts list;
};
DEFINE_AUTO(struct ctrd_mounts *, ctrd_mounts_free)
DEFINE_AUTO(struct ctrd_snapshot *, ctrd_snapshot_free)

struct ctrd_id_maps {
	const struct ctrd_id_range *uids, *gids;
	size_t uid_count, gid_count;
};
/* Gives each file of a tree to whom a user namespace with these mappings takes its owner for.
 */
MUST_USE int client_remap_tree(char *root, const struct ctrd_id_maps *maps, struct err *err);

struct snapshot_request {
	const char *snapshotter, *key, *parent; /* parent NULL: none */
	const struct labels *labels;
	bool view;
};

MUST_USE int client_snapshot_create(struct ctrd_client *c, const struct snapshot_request *r,
		struct ctrd_mounts **ret_mounts, struct err *err);
MUST_USE int client_snapshot_get(struct ctrd_client *c, const char *snapshotter,
		const char *key, struct ctrd_snapshot **ret_snapshot, struct err *err);
MUST_USE int client_snapshot_mounts(struct ctrd_client *c, const char *snapshotter,
		const char *key, struct ctrd_mounts **ret_mounts, struct err *err);
MUST_USE int client_snapshot_commit(struct ctrd_client *c, const char *snapshotter,
		const char *name, const char *key, const struct labels *labels,
		struct err *err);
MUST_USE int client_snapshot_remove(struct ctrd_client *c, const char *snapshotter,
		const char *key, struct err *err);
