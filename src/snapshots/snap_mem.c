/* SPDX-License-Identifier: Apache-2.0 */
#include "snapshots/snap_mem.h"

#include <stdlib.h>

#include "base/err.h"
#include "base/mem.h"
#include "base/str.h"
#include "core/snapshot.h"
#include "snapshots/snap_store.h"

struct snap_mem {
	struct snapshotter base;
	struct snap_store *store;
};

static struct snap_store *store_of(struct snapshotter *self)
{
	return container_of(self, struct snap_mem, base)->store;
}

static void fill_mounts(const struct snap_node *node, struct mounts *ret_mounts)
{
	AUTO_FREE char *source = xasprintf("memory/%llu", (unsigned long long)node->id);
	struct mount_spec *spec;

	*ret_mounts = (struct mounts){ 0 };
	spec = mounts_add(ret_mounts, "bind", source, "");
	strv_add(&spec->options, node->kind == SNAPSHOT_ACTIVE ? "rw" : "ro");
}

static int mem_create(struct snapshotter *self, struct ctx *ctx, enum snapshot_kind kind,
		const char *key, const char *parent, const struct labels *labels,
		struct mounts *ret_mounts, struct err *err)
{
	struct snap_node node AUTO_SNAP_NODE = { 0 };
	uint64_t id;

	if (snap_store_new_id(store_of(self), &id, err) < 0 ||
			snap_store_create(store_of(self), id, kind, key, parent, labels, &node,
					err) < 0)
		return -1;
	fill_mounts(&node, ret_mounts);
	return 0;
}

static int mem_mounts(struct snapshotter *self, struct ctx *ctx, const char *key,
		struct mounts *ret_mounts, struct err *err)
{
	struct snap_node node AUTO_SNAP_NODE = { 0 };

	if (snap_store_find(store_of(self), key, &node, NULL, NULL, err) < 0)
		return -1;
	if (node.kind == SNAPSHOT_COMMITTED)
		return err_set(err, ERR_PRECONDITION,
				"requested snapshot %s not active or view", key);
	fill_mounts(&node, ret_mounts);
	return 0;
}

static int mem_commit(struct snapshotter *self, struct ctx *ctx, const char *name,
		const char *key, const char *parent, const struct labels *labels,
		struct err *err)
{
	struct snapshot_usage usage = { 0 };

	return snap_store_commit(store_of(self), name, key, parent, &usage, labels, err);
}

static int mem_remove(
		struct snapshotter *self, struct ctx *ctx, const char *key, struct err *err)
{
	return snap_store_remove(store_of(self), key, NULL, err);
}

static int mem_stat(struct snapshotter *self, struct ctx *ctx, const char *key,
		struct snapshot_info *ret_info, struct err *err)
{
	return snap_store_find(store_of(self), key, NULL, ret_info, NULL, err);
}

static int mem_update(struct snapshotter *self, struct ctx *ctx,
		const struct snapshot_info *info, char *const *fieldpaths,
		struct snapshot_info *ret_info, struct err *err)
{
	return snap_store_update(store_of(self), info, fieldpaths, ret_info, NULL, err);
}

static int mem_usage(struct snapshotter *self, struct ctx *ctx, const char *key,
		struct snapshot_usage *ret_usage, struct err *err)
{
	return snap_store_find(store_of(self), key, NULL, NULL, ret_usage, err);
}

struct walking {
	snapshot_each each;
	void *arg;
};

static int show(void *arg, uint64_t id, const struct snapshot_info *i, struct err *err)
{
	const struct walking *w = arg;

	return w->each(w->arg, i, err);
}

static int mem_walk(struct snapshotter *self, struct ctx *ctx, char *const *filters,
		snapshot_each each, void *arg, struct err *err)
{
	struct walking w = { each, arg };

	return snap_store_walk(store_of(self), filters, show, &w, err);
}

static void mem_free(struct snapshotter *self)
{
	struct snap_mem *m = container_of(self, struct snap_mem, base);

	snap_store_free(m->store);
	free(m);
}

static const struct snapshotter_ops mem_ops = {
	.name = "memory",
	.create = mem_create,
	.mounts = mem_mounts,
	.commit = mem_commit,
	.remove = mem_remove,
	.stat = mem_stat,
	.update = mem_update,
	.usage = mem_usage,
	.walk = mem_walk,
	.free = mem_free,
};

struct snapshotter *snap_mem_new(void)
{
	struct snap_mem *m = xzalloc(sizeof(*m));

	m->base.ops = &mem_ops;
	m->store = snap_store_mem_new();
	return &m->base;
}
