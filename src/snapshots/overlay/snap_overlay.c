/* SPDX-License-Identifier: Apache-2.0 */
#include "snapshots/overlay/snap_overlay.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "base/ctx.h"
#include "base/err.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "base/thread.h"
#include "core/snapshot.h"
#include "os/fs.h"
#include "os/process.h"
#include "snapshots/overlay/overlay_mounts.h"
#include "snapshots/snap_dirs.h"
#include "snapshots/snap_store.h"

#define UPPERDIR_LABEL "containerd.io/snapshot/overlay.upperdir"

struct snap_overlay {
	struct snapshotter base;
	struct snap_store *store;
	struct snap_dirs dirs;
	char **mount_options;
	struct overlay_config config;
	bool upperdir_label, sync_remove, slow_chown, no_sync, in_userns;
};

static struct snap_overlay *overlay_of(struct snapshotter *self)
{
	return container_of(self, struct snap_overlay, base);
}

struct owner {
	uint32_t uid, gid;
};

/* The labels decide, else the parent. */
static int find_owner(struct snap_overlay *o, const struct snap_node *parent,
		const struct labels *labels, struct owner *ret_owner, struct err *err)
{
	char name[SNAP_DIR_NAME];
	struct stat st;
	bool mapped;

	if (overlay_mapped_root(labels, &mapped, &ret_owner->uid, &ret_owner->gid, err) < 0)
		return -1;
	if (mapped)
		return 0;
	*ret_owner = (struct owner){ geteuid(), getegid() };
	if (parent == NULL)
		return 0;
	snap_dir_name(parent->id, "fs", name);
	if (fstatat(o->dirs.fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return err_sys(err, errno, "stat %s/snapshots/%s", o->dirs.root, name);
	*ret_owner = (struct owner){ st.st_uid, st.st_gid };
	return 0;
}

/* "fs" becomes "/" in the container. What is there stays. */
static int make_below(struct snap_overlay *o, uint64_t id, enum snapshot_kind kind,
		const struct owner *owner, bool *is_changed, struct err *err)
{
	struct dir_look fs_look = { 0755, owner->uid, owner->gid };
	struct dir_look work_look = { 0711, geteuid(), getegid() };
	char fs[SNAP_DIR_NAME], work[SNAP_DIR_NAME];
	int rc;

	snap_dir_name(id, "fs", fs);
	snap_dir_name(id, "work", work);
	rc = snap_dirs_mkdir(&o->dirs, fs, &fs_look, is_changed);
	if (rc == 0 && kind == SNAPSHOT_ACTIVE)
		rc = snap_dirs_mkdir(&o->dirs, work, &work_look, is_changed);
	if (rc < 0)
		return err_sys(err, -rc, "make snapshot directory %s/snapshots/%s",
				o->dirs.root, fs);
	return 0;
}

/* Fails early what is going to fail anyway; the store checks again when it matters. */
static int find_parent(struct snap_overlay *o, const char *key, const char *parent,
		struct snap_node *ret_parent, struct err *err)
{
	AUTO_ERR struct err none = { 0 };

	if (snap_store_find(o->store, key, NULL, NULL, NULL, &none) == 0)
		return err_set(err, ERR_EXISTS, "snapshot %s", key);
	err_clear(&none);
	if (str_is_empty(parent) ||
			snap_store_find(o->store, parent, ret_parent, NULL, NULL, &none) == 0)
		return 0;
	if (none.kind != ERR_NOT_FOUND)
		return err_move(err, &none);
	return err_set(err, ERR_NOT_FOUND, "missing parent \"%s\" bucket", parent);
}

static int record(struct snap_overlay *o, uint64_t id, enum snapshot_kind kind, const char *key,
		const char *parent, const struct labels *labels, const struct owner *owner,
		bool is_changed, struct mounts *ret_mounts, struct err *err)
{
	struct snap_node node AUTO_SNAP_NODE = { 0 };

	if (make_below(o, id, kind, owner, &is_changed, err) < 0)
		return -1;
	/* Else a power cut leaves it as it is, or takes it as a whole. */
	if (is_changed && !o->no_sync && snap_dirs_sync(&o->dirs, id, err) < 0)
		return -1;
	if (snap_store_create(o->store, id, kind, key, parent, labels, &node, err) < 0)
		return -1;
	overlay_mounts(&o->config, &node, ret_mounts);
	return 0;
}

static int overlay_create(struct snapshotter *self, struct ctx *ctx, enum snapshot_kind kind,
		const char *key, const char *parent, const struct labels *labels,
		struct mounts *ret_mounts, struct err *err)
{
	struct snap_overlay *o = overlay_of(self);
	struct snap_node above AUTO_SNAP_NODE = { 0 };
	AUTO_ERR struct err ignored = { 0 };
	struct owner owner;
	bool is_changed = false;
	uint64_t id;
	int rc;

	if (find_parent(o, key, parent, &above, err) < 0 ||
			find_owner(o, str_is_empty(parent) ? NULL : &above, labels, &owner,
					err) < 0 ||
			snap_dirs_make(&o->dirs, o->store, 0700, &id, &is_changed, err) < 0)
		return -1;
	rc = record(o, id, kind, key, parent, labels, &owner, is_changed, ret_mounts, err);
	if (rc < 0) /* what stays behind is garbage for cleanup */
		IGNORE(snap_dirs_remove(&o->dirs, id, &ignored));
	snap_dirs_settled(&o->dirs, id);
	return rc;
}

/* After a power cut (docs/design/030-snapshot-records.md). */
static int restore(void *driver, uint64_t id, const struct snapshot_info *i,
		const struct snap_node *parent, struct err *err)
{
	struct dir_look look = { 0700, geteuid(), getegid() };
	struct snap_overlay *o = driver;
	char name[SNAP_DIR_NAME];
	bool ignored = false;
	struct owner owner;
	int rc;

	if (snap_dirs_has(&o->dirs, id, "fs") &&
			(i->kind == SNAPSHOT_VIEW || snap_dirs_has(&o->dirs, id, "work")))
		return 0;
	if (find_owner(o, parent, &i->labels, &owner, err) < 0)
		return -1;
	snap_dir_name(id, "", name);
	rc = snap_dirs_mkdir(&o->dirs, name, &look, &ignored);
	if (rc < 0)
		return err_sys(err, -rc, "make %s/snapshots/%s", o->dirs.root, name);
	return make_below(o, id, i->kind, &owner, &ignored, err) < 0 ? -1 : 1;
}

static int overlay_mounts_of(struct snapshotter *self, struct ctx *ctx, const char *key,
		struct mounts *ret_mounts, struct err *err)
{
	struct snap_overlay *o = overlay_of(self);
	struct snap_node node AUTO_SNAP_NODE = { 0 };

	if (snap_store_find(o->store, key, &node, NULL, NULL, err) < 0)
		return -1;
	if (node.kind == SNAPSHOT_COMMITTED)
		return err_set(err, ERR_PRECONDITION,
				"requested snapshot %s not active or view", key);
	overlay_mounts(&o->config, &node, ret_mounts);
	return 0;
}

static int measure(struct snap_overlay *o, uint64_t id, struct snapshot_usage *ret_usage,
		struct err *err)
{
	char name[SNAP_DIR_NAME];
	struct fs_usage usage;
	int rc;

	snap_dir_name(id, "fs", name);
	rc = fs_usage(o->dirs.fd, name, &usage);
	if (rc < 0)
		return err_sys(err, -rc, "usage of %s/snapshots/%s", o->dirs.root, name);
	*ret_usage = (struct snapshot_usage){ usage.size, usage.inodes };
	return 0;
}

/* One barrier for all files of the snapshot. */
static int sync_files(struct snap_overlay *o, uint64_t id, struct err *err)
{
	AUTO_CLOSE int fd = -1;
	char name[SNAP_DIR_NAME];

	if (o->no_sync)
		return 0;
	snap_dir_name(id, "fs", name);
	fd = fs_open_dir(o->dirs.fd, name);
	if (fd < 0)
		return err_sys(err, -fd, "open %s/snapshots/%s", o->dirs.root, name);
	if (syncfs(fd) < 0)
		return err_sys(err, errno, "sync %s/snapshots/%s", o->dirs.root, name);
	return 0;
}

static int overlay_commit(struct snapshotter *self, struct ctx *ctx, const char *name,
		const char *key, const char *parent, const struct labels *labels,
		struct err *err)
{
	struct snap_overlay *o = overlay_of(self);
	struct snap_node node AUTO_SNAP_NODE = { 0 };
	struct snapshot_usage usage = { 0 };

	if (snap_store_find(o->store, key, &node, NULL, NULL, err) < 0)
		return err_wrap(err, "failed to get active snapshot \"%s\"", key);
	/* Anything but active is refused by the store: no need to measure it. */
	if (node.kind == SNAPSHOT_ACTIVE && (measure(o, node.id, &usage, err) < 0 ||
							    sync_files(o, node.id, err) < 0))
		return -1;
	return snap_store_commit(o->store, name, key, parent, &usage, labels, err);
}

static int overlay_remove(
		struct snapshotter *self, struct ctx *ctx, const char *key, struct err *err)
{
	struct snap_overlay *o = overlay_of(self);
	struct snap_node node AUTO_SNAP_NODE = { 0 };
	AUTO_ERR struct err failed = { 0 };

	if (snap_store_remove(o->store, key, &node, err) < 0)
		return -1;
	if (o->sync_remove && snap_dirs_remove(&o->dirs, node.id, &failed) < 0)
		log_warn(ctx, "snapshot %s: %s (ignored)", key, err_text(&failed));
	return 0;
}

static void add_upperdir_label(struct snap_overlay *o, uint64_t id, struct snapshot_info *info)
{
	AUTO_FREE char *path = NULL;

	if (!o->upperdir_label)
		return;
	path = snap_dirs_path(&o->dirs, id, "fs");
	labels_set(&info->labels, UPPERDIR_LABEL, path);
}

static int overlay_stat(struct snapshotter *self, struct ctx *ctx, const char *key,
		struct snapshot_info *ret_info, struct err *err)
{
	struct snap_overlay *o = overlay_of(self);
	struct snap_node node AUTO_SNAP_NODE = { 0 };

	if (snap_store_find(o->store, key, &node, ret_info, NULL, err) < 0)
		return -1;
	add_upperdir_label(o, node.id, ret_info);
	return 0;
}

static int overlay_update(struct snapshotter *self, struct ctx *ctx,
		const struct snapshot_info *info, char *const *fieldpaths,
		struct snapshot_info *ret_info, struct err *err)
{
	struct snap_overlay *o = overlay_of(self);
	uint64_t id;

	if (snap_store_update(o->store, info, fieldpaths, ret_info, &id, err) < 0)
		return -1;
	add_upperdir_label(o, id, ret_info);
	return 0;
}

static int overlay_usage(struct snapshotter *self, struct ctx *ctx, const char *key,
		struct snapshot_usage *ret_usage, struct err *err)
{
	struct snap_overlay *o = overlay_of(self);
	struct snap_node node AUTO_SNAP_NODE = { 0 };
	struct snapshot_usage usage = { 0 };

	if (snap_store_find(o->store, key, &node, NULL, &usage, err) < 0)
		return -1;
	if (node.kind == SNAPSHOT_ACTIVE)
		return measure(o, node.id, ret_usage, err);
	*ret_usage = usage;
	return 0;
}

struct walking {
	struct snap_overlay *o;
	snapshot_each each;
	void *arg;
};

static int show(void *arg, uint64_t id, const struct snapshot_info *i, struct err *err)
{
	const struct walking *w = arg;
	struct snapshot_info copy;
	int rc;

	if (!w->o->upperdir_label)
		return w->each(w->arg, i, err);
	snapshot_info_copy(&copy, i);
	add_upperdir_label(w->o, id, &copy);
	rc = w->each(w->arg, &copy, err);
	snapshot_info_done(&copy);
	return rc;
}

static int overlay_walk(struct snapshotter *self, struct ctx *ctx, char *const *filters,
		snapshot_each each, void *arg, struct err *err)
{
	struct walking w = { overlay_of(self), each, arg };

	return snap_store_walk(w.o->store, filters, show, &w, err);
}

static int overlay_cleanup(struct snapshotter *self, struct ctx *ctx, struct err *err)
{
	struct snap_overlay *o = overlay_of(self);

	return snap_dirs_clean(&o->dirs, o->store, ctx, err);
}

static void overlay_free(struct snapshotter *self)
{
	struct snap_overlay *o = overlay_of(self);

	snap_store_free(o->store);
	snap_dirs_close(&o->dirs);
	strv_free(o->mount_options);
	free(o);
}

static const struct snapshotter_ops overlay_ops = {
	.name = "overlayfs",
	.create = overlay_create,
	.mounts = overlay_mounts_of,
	.commit = overlay_commit,
	.remove = overlay_remove,
	.stat = overlay_stat,
	.update = overlay_update,
	.usage = overlay_usage,
	.walk = overlay_walk,
	.cleanup = overlay_cleanup,
	.free = overlay_free,
};

static bool kernel_is_at_least(unsigned int major, unsigned int minor)
{
	struct utsname u;
	unsigned int a, b;

	return uname(&u) == 0 && sscanf(u.release, "%u.%u", &a, &b) == 2 &&
	       (a > major || (a == major && b >= minor));
}

static bool is_on_tmpfs(int fd)
{
	struct statfs st;

	return fstatfs(fd, &st) == 0 && st.f_type == TMPFS_MAGIC;
}

/* Overlay needs directories that tell what their entries are. */
static int check_dtype(struct snap_overlay *o, struct err *err)
{
	static const char name[] = ".d-type";
	AUTO_FREE struct fs_dir *d = xmalloc(sizeof(*d));
	struct fs_dirent e;
	bool typed = false;
	int fd = openat(o->dirs.fd, name, O_CREAT | O_WRONLY | O_CLOEXEC | O_NOFOLLOW, 0600);

	if (fd < 0)
		return err_sys(err, errno, "make %s/snapshots/%s", o->dirs.root, name);
	close_fd(&fd);
	d->fd = fs_open_dir(o->dirs.fd, ".");
	d->at = d->size = 0;
	while (d->fd >= 0 && fs_dir_next(d, &e) > 0)
		typed = typed || (str_eq(e.name, name) && e.type == DT_REG);
	close_fd(&d->fd);
	(void)unlinkat(o->dirs.fd, name, 0);
	if (!typed)
		return err_set(err, ERR_PRECONDITION,
				"%s does not support d_type. If the backing filesystem is xfs, "
				"please reformat with ftype=1 to enable d_type support",
				o->dirs.root);
	return 0;
}

static void configure(struct snap_overlay *o, const struct snap_overlay_options *options)
{
	o->upperdir_label = options->upperdir_label;
	o->sync_remove = options->sync_remove;
	o->slow_chown = options->slow_chown;
	o->no_sync = options->no_sync;
	o->in_userns = process_in_userns();
	o->mount_options = strv_dup(options->mount_options);
	o->config = (struct overlay_config){
		.root = o->dirs.root,
		.mount_options = o->mount_options,
		.remap = kernel_is_at_least(5, 19),
		.userxattr = !strv_has(o->mount_options, "userxattr") && o->in_userns &&
			     !is_on_tmpfs(o->dirs.fd) && kernel_is_at_least(5, 11),
		.index_off = !strv_has(o->mount_options, "index") &&
			     access("/sys/module/overlay/parameters/index", F_OK) == 0,
	};
}

int snap_overlay_new(const struct snap_overlay_options *options, struct snap_store *own_store,
		struct snapshotter **ret_snapshotter, struct err *err)
{
	struct snap_overlay *o;

	ASSERT_MAY_BLOCK();
	o = xzalloc(sizeof(*o));
	o->base.ops = &overlay_ops;
	if (snap_dirs_open(&o->dirs, options->root, err) < 0) {
		free(o);
		return -1;
	}
	configure(o, options);
	if (check_dtype(o, err) < 0) {
		overlay_free(&o->base);
		return -1;
	}
	o->store = own_store;
	snap_dirs_restore_all(o->store, restore, o);
	*ret_snapshotter = &o->base;
	return 0;
}

char **snap_overlay_capabilities(const struct snapshotter *s)
{
	const struct snap_overlay *o = container_of(s, const struct snap_overlay, base);
	char **capabilities = NULL;

	if (o->config.remap) {
		strv_add(&capabilities, "remap-ids");
		if (!o->slow_chown)
			strv_add(&capabilities, "only-remap-ids");
	}
	if (!o->in_userns)
		strv_add(&capabilities, "rebase");
	return capabilities;
}
