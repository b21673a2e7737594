/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/ctr/cmd_run_users.h"

#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/mem.h"
#include "base/str.h"
#include "cmd/ctr/cmd_run.h"
#include "cmd/ctr/ctr_client.h"
#include "cmd/ctr/ctr_out.h"

#define UID_LABEL "containerd.io/snapshot/uidmapping"
#define GID_LABEL "containerd.io/snapshot/gidmapping"

void user_maps_done(struct user_maps *m)
{
	free(m->uids);
	free(m->gids);
	*m = (struct user_maps){ 0 };
}

static int parse_number(const char *text, const char *what, uint32_t *ret)
{
	uint64_t value;

	if (!str_u64(text, &value) || value > UINT32_MAX)
		return out_fail("invalid %s for user namespace remapping: %s", what, text);
	*ret = (uint32_t)value;
	return 0;
}

/* "container:host:size" */
static int parse_range(const char *text, struct ctrd_id_range *ret)
{
	AUTO_STRV char **parts = strv_split(text, ':');

	if (strv_len(parts) != 3)
		return out_fail("user namespace mappings require the format "
				"`container-id:host-id:size`");
	if (parse_number(parts[0], "container id", &ret->container) != 0 ||
			parse_number(parts[1], "host id", &ret->host) != 0)
		return STATUS_FAILED;
	return parse_number(parts[2], "size", &ret->count);
}

static int parse_list(char *const *texts, struct ctrd_id_range **ret, size_t *ret_count)
{
	size_t count = strv_len(texts);

	*ret = xcalloc(count, sizeof(**ret));
	*ret_count = count;
	for (size_t i = 0; i < count; i++)
		if (parse_range(texts[i], &(*ret)[i]) != 0)
			return STATUS_FAILED;
	return 0;
}

int user_maps_parse(struct user_maps *m, const struct run_args *args, struct ctrd_spec *spec)
{
	if (args->uidmaps == NULL || args->gidmaps == NULL)
		return 0;
	if (parse_list(args->uidmaps, &m->uids, &m->uid_count) != 0 ||
			parse_list(args->gidmaps, &m->gids, &m->gid_count) != 0)
		return STATUS_FAILED;
	for (size_t i = 0; i < m->uid_count; i++)
		ctrd_spec_add_uid_mapping(
				spec, m->uids[i].container, m->uids[i].host, m->uids[i].count);
	for (size_t i = 0; i < m->gid_count; i++)
		ctrd_spec_add_gid_mapping(
				spec, m->gids[i].container, m->gids[i].host, m->gids[i].count);
	return 0;
}

/* --- the snapshot ------------------------------------------------------------------------- */

static bool promises(const struct ctrd_plugin *plugin, const char *capability)
{
	const char *have;

	for (size_t i = 0; (have = ctrd_plugin_capability(plugin, i)) != NULL; i++)
		if (str_eq(have, capability))
			return true;
	return false;
}

/* Whether the snapshotter maps ids itself; and whether it can only do that. */
static int ask_snapshotter(
		struct ctrd_client *client, const char *name, bool *ret_maps, bool *ret_only)
{
	AUTO_FREE char *standard = NULL;
	AUTO_FREE char *filter = NULL;
	AUTO(ctrd_plugins_free) struct ctrd_plugins *plugins = NULL;
	struct ctrd_error *error = NULL;
	const char *filters[] = { NULL, NULL };

	if (str_is_empty(name) && ctrd_snapshotter_default(client, &standard, &error) < 0)
		return out_error(error);
	filter = xasprintf("type==io.containerd.snapshotter.v1,id==%s", str_or(name, standard));
	filters[0] = filter;
	if (ctrd_plugins_list(client, filters, &plugins, &error) < 0)
		return out_error(error);
	for (size_t i = 0; i < ctrd_plugins_count(plugins); i++) {
		*ret_maps |= promises(ctrd_plugins_at(plugins, i), "remap-ids");
		*ret_only |= promises(ctrd_plugins_at(plugins, i), "only-remap-ids");
	}
	return 0;
}

static void set_label(struct ctrd_labels *labels, const char *key,
		const struct ctrd_id_range *ranges, size_t count)
{
	AUTO_BUF struct buf text = { .limit = SIZE_MAX };

	for (size_t i = 0; i < count; i++)
		buf_addf(&text, "%s%u:%u:%u", i > 0 ? "," : "", ranges[i].container,
				ranges[i].host, ranges[i].count);
	ctrd_labels_set(labels, key, text.data);
}

int user_maps_apply(const struct user_maps *m, struct ctrd_client *client,
		const struct run_args *args, const char *parent, struct ctrd_labels *labels,
		char **ret_parent)
{
	struct ctrd_error *error = NULL;
	bool maps = false, only = false;

	if (m->uid_count == 0 || m->gid_count == 0)
		return 0;
	if (args->remap_labels) {
		if (ask_snapshotter(client, args->snapshotter, &maps, &only) != 0)
			return STATUS_FAILED;
		set_label(labels, UID_LABEL, m->uids, m->uid_count);
		set_label(labels, GID_LABEL, m->gids, m->gid_count);
	}
	if (maps)
		return 0;
	if (only)
		return out_fail("snapshotter \"%s\" doesn't support idmap mounts on this host, "
				"configure `slow_chown` to allow a slower and expensive "
				"fallback",
				args->snapshotter);
	if (parent == NULL)
		return 0; /* no files that could belong to anybody */
	if (ctrd_snapshot_remap(client, args->snapshotter, parent, m->uids, m->uid_count,
			    m->gids, m->gid_count, ret_parent, &error) < 0)
		return out_error(error);
	return 0;
}
