/* SPDX-License-Identifier: Apache-2.0 */
#include "snapshots/native/snap_native.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/ctx.h"
#include "base/err.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "base/thread.h"
#include "core/snapshot.h"
#include "os/fs.h"
#include "os/fscopy.h"
#include "snapshots/snap_dirs.h"
#include "snapshots/snap_store.h"

struct snap_native {
	struct snapshotter base;
	struct snap_store *store;
	struct snap_dirs dirs;
	bool no_sync;
};

static struct snap_native *native_of(struct snapshotter *self)
{
	return container_of(self, struct snap_native, base);
}

static void native_mounts(
		struct snap_native *n, const struct snap_node *node, struct mounts *ret_mounts)
{
	bool parents_dir = node->kind == SNAPSHOT_VIEW && node->parent_count > 0;
	AUTO_FREE char *source =
			snap_dirs_path(&n->dirs, parents_dir ? node->parents[0] : node->id, "");
	struct mount_spec *spec;

	*ret_mounts = (struct mounts){ 0 };
	spec = mounts_add(ret_mounts, "bind", source, "");
	strv_add(&spec->options, "rbind");
	strv_add(&spec->options, node->kind == SNAPSHOT_ACTIVE ? "rw" : "ro");
}

static int copy_parent(struct snap_native *n, uint64_t parent, uint64_t id, struct err *err)
{
	char from[SNAP_DIR_NAME], to[SNAP_DIR_NAME];
	int rc;

	snap_dir_name(parent, "", from);
	snap_dir_name(id, "", to);
	rc = fscopy_tree(n->dirs.fd, from, n->dirs.fd, to);
	if (rc < 0)
		return err_sys(err, -rc, "copy %s/snapshots/%s", n->dirs.root, from);
	return 0;
}

/* One barrier for a whole tree. An empty directory is made again if it is lost. */
static int sync_dir(struct snap_native *n, uint64_t id, bool is_copy, bool is_changed,
		struct err *err)
{
	if (n->no_sync)
		return 0;
	if (!is_copy)
		return is_changed ? snap_dirs_sync(&n->dirs, id, err) : 0;
	if (syncfs(n->dirs.fd) < 0)
		return err_sys(err, errno, "sync %s/snapshots", n->dirs.root);
	return 0;
}

static int record(struct snap_native *n, uint64_t id, enum snapshot_kind kind, const char *key,
		const char *parent, const struct snap_node *above, const struct labels *labels,
		bool is_changed, struct mounts *ret_mounts, struct err *err)
{
	bool is_copy = kind == SNAPSHOT_ACTIVE && !str_is_empty(parent);
	struct snap_node node AUTO_SNAP_NODE = { 0 };

	if ((is_copy && copy_parent(n, above->id, id, err) < 0) ||
			sync_dir(n, id, is_copy, is_changed, err) < 0)
		return -1;
	if (snap_store_create(n->store, id, kind, key, parent, labels, &node, err) < 0)
		return -1;
	native_mounts(n, &node, ret_mounts);
	return 0;
}

/* A copy is long: what is going to fail anyway fails before. */
static int check_create(struct snap_native *n, const char *key, const char *parent,
		struct snap_node *ret_parent, struct err *err)
{
	AUTO_ERR struct err none = { 0 };

	if (snap_store_find(n->store, key, NULL, NULL, NULL, &none) == 0)
		return err_set(err, ERR_EXISTS, "snapshot %s", key);
	err_clear(&none);
	if (str_is_empty(parent))
		return 0;
	if (snap_store_find(n->store, parent, ret_parent, NULL, NULL, &none) < 0) {
		if (none.kind != ERR_NOT_FOUND)
			return err_move(err, &none);
		return err_set(err, ERR_NOT_FOUND, "missing parent \"%s\" bucket", parent);
	}
	if (ret_parent->kind != SNAPSHOT_COMMITTED)
		return err_set(err, ERR_INVALID, "parent \"%s\" is not committed snapshot",
				parent);
	return 0;
}

static int native_create(struct snapshotter *self, struct ctx *ctx, enum snapshot_kind kind,
		const char *key, const char *parent, const struct labels *labels,
		struct mounts *ret_mounts, struct err *err)
{
	struct snap_native *n = native_of(self);
	struct snap_node above AUTO_SNAP_NODE = { 0 };
	AUTO_ERR struct err ignored = { 0 };
	bool is_changed = false;
	uint64_t id;
	int rc;

	if (check_create(n, key, parent, &above, err) < 0 ||
			snap_dirs_make(&n->dirs, n->store, 0755, &id, &is_changed, err) < 0)
		return -1;
	rc = record(n, id, kind, key, parent, &above, labels, is_changed, ret_mounts, err);
	if (rc < 0) /* what stays behind is garbage for cleanup */
		IGNORE(snap_dirs_remove(&n->dirs, id, &ignored));
	snap_dirs_settled(&n->dirs, id);
	return rc;
}

/* After a power cut. A copy was synced: where one is missing, something else happened. */
static int restore(void *driver, uint64_t id, const struct snapshot_info *i,
		const struct snap_node *parent, struct err *err)
{
	struct dir_look look = { 0755, geteuid(), getegid() };
	struct snap_native *n = driver;
	char name[SNAP_DIR_NAME];
	bool ignored = false;
	int rc;

	if ((i->kind == SNAPSHOT_ACTIVE && parent != NULL) || snap_dirs_has(&n->dirs, id, ""))
		return 0;
	snap_dir_name(id, "", name);
	rc = snap_dirs_mkdir(&n->dirs, name, &look, &ignored);
	if (rc < 0)
		return err_sys(err, -rc, "make %s/snapshots/%s", n->dirs.root, name);
	return 1;
}

static int native_mounts_of(struct snapshotter *self, struct ctx *ctx, const char *key,
		struct mounts *ret_mounts, struct err *err)
{
	struct snap_native *n = native_of(self);
	struct snap_node node AUTO_SNAP_NODE = { 0 };

	if (snap_store_find(n->store, key, &node, NULL, NULL, err) < 0)
		return -1;
	if (node.kind == SNAPSHOT_COMMITTED)
		return err_set(err, ERR_PRECONDITION,
				"requested snapshot %s not active or view", key);
	native_mounts(n, &node, ret_mounts);
	return 0;
}

static int measure(struct snap_native *n, uint64_t id, struct snapshot_usage *ret_usage,
		struct err *err)
{
	char name[SNAP_DIR_NAME];
	struct fs_usage usage;
	int rc;

	snap_dir_name(id, "", name);
	rc = fs_usage(n->dirs.fd, name, &usage);
	if (rc < 0)
		return err_sys(err, -rc, "usage of %s/snapshots/%s", n->dirs.root, name);
	*ret_usage = (struct snapshot_usage){ usage.size, usage.inodes };
	return 0;
}

static int native_commit(struct snapshotter *self, struct ctx *ctx, const char *name,
		const char *key, const char *parent, const struct labels *labels,
		struct err *err)
{
	struct snap_native *n = native_of(self);
	struct snap_node node AUTO_SNAP_NODE = { 0 };
	struct snapshot_usage usage = { 0 };

	if (snap_store_find(n->store, key, &node, NULL, NULL, err) < 0)
		return err_wrap(err, "failed to get active snapshot \"%s\"", key);
	if (node.kind == SNAPSHOT_ACTIVE && measure(n, node.id, &usage, err) < 0)
		return -1;
	if (!n->no_sync && syncfs(n->dirs.fd) < 0)
		return err_sys(err, errno, "sync %s/snapshots", n->dirs.root);
	return snap_store_commit(n->store, name, key, parent, &usage, labels, err);
}

static int native_remove(
		struct snapshotter *self, struct ctx *ctx, const char *key, struct err *err)
{
	struct snap_native *n = native_of(self);
	struct snap_node node AUTO_SNAP_NODE = { 0 };
	AUTO_ERR struct err failed = { 0 };

	if (snap_store_remove(n->store, key, &node, err) < 0)
		return -1;
	if (snap_dirs_remove(&n->dirs, node.id, &failed) < 0)
		log_warn(ctx, "snapshot %s: %s (ignored)", key, err_text(&failed));
	return 0;
}

static int native_stat(struct snapshotter *self, struct ctx *ctx, const char *key,
		struct snapshot_info *ret_info, struct err *err)
{
	return snap_store_find(native_of(self)->store, key, NULL, ret_info, NULL, err);
}

static int native_update(struct snapshotter *self, struct ctx *ctx,
		const struct snapshot_info *info, char *const *fieldpaths,
		struct snapshot_info *ret_info, struct err *err)
{
	return snap_store_update(native_of(self)->store, info, fieldpaths, ret_info, NULL, err);
}

static int native_usage(struct snapshotter *self, struct ctx *ctx, const char *key,
		struct snapshot_usage *ret_usage, struct err *err)
{
	struct snap_native *n = native_of(self);
	struct snap_node node AUTO_SNAP_NODE = { 0 };
	struct snapshot_usage usage = { 0 };

	if (snap_store_find(n->store, key, &node, NULL, &usage, err) < 0)
		return -1;
	if (node.kind == SNAPSHOT_ACTIVE)
		return measure(n, node.id, ret_usage, err);
	*ret_usage = usage;
	return 0;
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

static int native_walk(struct snapshotter *self, struct ctx *ctx, char *const *filters,
		snapshot_each each, void *arg, struct err *err)
{
	struct walking w = { each, arg };

	return snap_store_walk(native_of(self)->store, filters, show, &w, err);
}

static int native_cleanup(struct snapshotter *self, struct ctx *ctx, struct err *err)
{
	struct snap_native *n = native_of(self);

	return snap_dirs_clean(&n->dirs, n->store, ctx, err);
}

static void native_free(struct snapshotter *self)
{
	struct snap_native *n = native_of(self);

	snap_store_free(n->store);
	snap_dirs_close(&n->dirs);
	free(n);
}

static const struct snapshotter_ops native_ops = {
	.name = "native",
	.create = native_create,
	.mounts = native_mounts_of,
	.commit = native_commit,
	.remove = native_remove,
	.stat = native_stat,
	.update = native_update,
	.usage = native_usage,
	.walk = native_walk,
	.cleanup = native_cleanup,
	.free = native_free,
};

int snap_native_new(const struct snap_native_options *options, struct snap_store *own_store,
		struct snapshotter **ret_snapshotter, struct err *err)
{
	struct snap_native *n;

	ASSERT_MAY_BLOCK();
	n = xzalloc(sizeof(*n));
	n->base.ops = &native_ops;
	n->no_sync = options->no_sync;
	if (snap_dirs_open(&n->dirs, options->root, err) < 0) {
		free(n);
		return -1;
	}
	n->store = own_store;
	snap_dirs_restore_all(n->store, restore, n);
	*ret_snapshotter = &n->base;
	return 0;
}
