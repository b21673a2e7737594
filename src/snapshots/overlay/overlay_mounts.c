/* SPDX-License-Identifier: Apache-2.0 */
#include "snapshots/overlay/overlay_mounts.h"

#include <stdlib.h>

#include "base/auto.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/labels.h"
#include "base/mem.h"
#include "base/str.h"
#include "core/mount.h"
#include "snapshots/snap_store.h"

static char *path_of(const struct overlay_config *c, uint64_t id, const char *below)
{
	return xasprintf("%s/snapshots/%llu/%s", c->root, (unsigned long long)id, below);
}

static void add_id_options(
		const struct overlay_config *c, const struct snap_node *node, char ***options)
{
	const char *uids = labels_find(&node->labels, OVERLAY_UID_LABEL);
	const char *gids = labels_find(&node->labels, OVERLAY_GID_LABEL);

	if (!c->remap)
		return;
	if (uids != NULL)
		strv_addf(options, "uidmap=%s", uids);
	if (gids != NULL)
		strv_addf(options, "gidmap=%s", gids);
}

/* One directory needs no overlay. */
static void bind_mount(const struct overlay_config *c, const struct snap_node *node,
		uint64_t id, const char *access, struct mounts *m)
{
	AUTO_FREE char *source = path_of(c, id, "fs");
	struct mount_spec *spec = mounts_add(m, "bind", source, "");

	add_id_options(c, node, &spec->options);
	strv_add(&spec->options, access);
	strv_add(&spec->options, "rbind");
}

static void add_upper(const struct overlay_config *c, uint64_t id, char ***options)
{
	AUTO_FREE char *work = path_of(c, id, "work"), *upper = path_of(c, id, "fs");

	strv_addf(options, "workdir=%s", work);
	strv_addf(options, "upperdir=%s", upper);
}

static void add_lower(
		const struct overlay_config *c, const struct snap_node *node, char ***options)
{
	struct buf out AUTO_BUF = { .limit = SIZE_MAX };

	for (size_t i = 0; i < node->parent_count; i++) {
		AUTO_FREE char *path = path_of(c, node->parents[i], "fs");

		buf_addf(&out, "%s%s", i == 0 ? "lowerdir=" : ":", path);
	}
	strv_add(options, out.data);
}

static void overlay_mount(
		const struct overlay_config *c, const struct snap_node *node, struct mounts *m)
{
	struct mount_spec *spec = mounts_add(m, "overlay", "overlay", "");
	char ***options = &spec->options;

	add_id_options(c, node, options);
	if (node->kind == SNAPSHOT_ACTIVE)
		add_upper(c, node->id, options);
	add_lower(c, node, options);
	for (size_t i = 0; i < strv_len(c->mount_options); i++)
		strv_add(options, c->mount_options[i]);
	if (c->userxattr)
		strv_add(options, "userxattr");
	if (c->index_off)
		strv_add(options, "index=off");
}

void overlay_mounts(const struct overlay_config *c, const struct snap_node *node,
		struct mounts *ret_mounts)
{
	*ret_mounts = (struct mounts){ 0 };
	if (node->parent_count == 0)
		bind_mount(c, node, node->id, node->kind == SNAPSHOT_ACTIVE ? "rw" : "ro",
				ret_mounts);
	else if (node->parent_count == 1 && node->kind == SNAPSHOT_VIEW)
		bind_mount(c, node, node->parents[0], "ro", ret_mounts);
	else
		overlay_mount(c, node, ret_mounts);
}

/* "container:host:size,…": the host's id of the container's 0. */
static int root_of(const char *map, uint32_t *ret_id, struct err *err)
{
	AUTO_STRV char **ranges = strv_split(map, ',');

	for (size_t i = 0; ranges[i] != NULL; i++) {
		AUTO_STRV char **parts = strv_split(ranges[i], ':');
		uint32_t inside, outside, size;

		if (strv_len(parts) != 3 || !str_u32(parts[0], &inside) ||
				!str_u32(parts[1], &outside) || !str_u32(parts[2], &size))
			return err_set(err, ERR_UNKNOWN, "parse id mapping \"%s\"", map);
		if (inside == 0 && size > 0) {
			*ret_id = outside;
			return 0;
		}
	}
	return err_set(err, ERR_UNKNOWN, "id mapping \"%s\" does not map 0", map);
}

int overlay_mapped_root(const struct labels *labels, bool *ret_mapped, uint32_t *ret_uid,
		uint32_t *ret_gid, struct err *err)
{
	const char *uids = labels == NULL ? NULL : labels_find(labels, OVERLAY_UID_LABEL);
	const char *gids = labels == NULL ? NULL : labels_find(labels, OVERLAY_GID_LABEL);
	uint32_t uid = 0, gid = 0;

	if (!str_is_empty(uids) && root_of(uids, &uid, err) < 0)
		return -1;
	if (!str_is_empty(gids) && root_of(gids, &gid, err) < 0)
		return -1;
	*ret_mapped = !str_is_empty(uids) || !str_is_empty(gids);
	*ret_uid = uid;
	*ret_gid = gid;
	return 0;
}
