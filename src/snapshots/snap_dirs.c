/* SPDX-License-Identifier: Apache-2.0 */
#include "snapshots/snap_dirs.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/ctx.h"
#include "base/err.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "os/fs.h"
#include "os/fscopy.h"
#include "snapshots/snap_store.h"

/* Directories of ids that a crash took back may be in the way. */
#define MAX_ID_TRIES 1000

void snap_dir_name(uint64_t id, const char *below, char out[SNAP_DIR_NAME])
{
	(void)snprintf(out, SNAP_DIR_NAME, "%llu%s%s", (unsigned long long)id,
			*below == '\0' ? "" : "/", below);
}

char *snap_dirs_path(const struct snap_dirs *d, uint64_t id, const char *below)
{
	char name[SNAP_DIR_NAME];

	snap_dir_name(id, below, name);
	return xasprintf("%s/snapshots/%s", d->root, name);
}

int snap_dirs_open(struct snap_dirs *d, const char *root, struct err *err)
{
	AUTO_FREE char *dir = xasprintf("%s/snapshots", root);
	int rc = fs_make_dirs_durable(dir, 0700);
	int fd;

	if (rc < 0)
		return err_sys(err, -rc, "make %s", dir);
	fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return err_sys(err, errno, "open %s", dir);
	/* Nobody but us looks into layers (CVE-2024-25621): also where an older one was laxer.
	 */
	if (chmod(root, 0700) < 0 || fchmod(fd, 0700) < 0) {
		rc = err_sys(err, errno, "restrict %s", root);
		close_fd(&fd);
		return rc;
	}
	*d = (struct snap_dirs){ .root = xstrdup(root), .fd = fd };
	mutex_init(&d->lock, RANK_snapshots);
	return 0;
}

void snap_dirs_close(struct snap_dirs *d)
{
	close_fd(&d->fd);
	free(d->root);
	free(d->pending);
	mutex_done(&d->lock);
}

static void add_pending(struct snap_dirs *d, uint64_t id)
{
	LOCKED(&d->lock);
	d->pending = xreallocarray(d->pending, d->pending_count + 1, sizeof(*d->pending));
	d->pending[d->pending_count++] = id;
}

void snap_dirs_settled(struct snap_dirs *d, uint64_t id)
{
	LOCKED(&d->lock);
	for (size_t i = 0; i < d->pending_count; i++)
		if (d->pending[i] == id) {
			d->pending[i] = d->pending[--d->pending_count];
			return;
		}
}

int snap_dirs_mkdir(const struct snap_dirs *d, const char *name, const struct dir_look *look,
		bool *is_changed)
{
	struct stat st;

	if (mkdirat(d->fd, name, look->mode) < 0)
		return errno == EEXIST ? 0 : -errno;
	if (fstatat(d->fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return -errno;
	if ((st.st_mode & 07777) != look->mode) {
		*is_changed = true;
		if (fchmodat(d->fd, name, look->mode, 0) < 0)
			return -errno;
	}
	if (st.st_uid == look->uid && st.st_gid == look->gid)
		return 0;
	*is_changed = true;
	return fchownat(d->fd, name, look->uid, look->gid, AT_SYMLINK_NOFOLLOW) < 0 ? -errno
										    : 0;
}

bool snap_dirs_has(const struct snap_dirs *d, uint64_t id, const char *below)
{
	char name[SNAP_DIR_NAME];
	struct stat st;

	snap_dir_name(id, below, name);
	return fstatat(d->fd, name, &st, AT_SYMLINK_NOFOLLOW) == 0;
}

static int try_make(struct snap_dirs *d, uint64_t id, mode_t mode, bool *is_changed)
{
	struct dir_look look = { mode, geteuid(), getegid() };
	char name[SNAP_DIR_NAME];

	if (snap_dirs_has(d, id, ""))
		return -EEXIST;
	snap_dir_name(id, "", name);
	return snap_dirs_mkdir(d, name, &look, is_changed);
}

int snap_dirs_make(struct snap_dirs *d, struct snap_store *store, mode_t mode, uint64_t *ret_id,
		bool *is_changed, struct err *err)
{
	uint64_t id;
	int rc;

	for (int i = 0; i < MAX_ID_TRIES; i++) {
		if (snap_store_new_id(store, &id, err) < 0)
			return -1;
		add_pending(d, id);
		rc = try_make(d, id, mode, is_changed);
		if (rc == 0) {
			*ret_id = id;
			return 0;
		}
		snap_dirs_settled(d, id);
		if (rc != -EEXIST)
			return err_sys(err, -rc, "make directory of snapshot in %s", d->root);
	}
	return err_set(err, ERR_INTERNAL, "no free snapshot id in %s", d->root);
}

struct restoring {
	struct snap_store *store;
	snap_dirs_restore restore;
	void *driver;
	struct ctx ctx;
};

static int restore_row(const struct restoring *r, uint64_t id, const struct snapshot_info *i,
		struct err *err)
{
	struct snap_node parent AUTO_SNAP_NODE = { 0 };
	bool has_parent = !str_is_empty(i->parent);

	if (has_parent && snap_store_find(r->store, i->parent, &parent, NULL, NULL, err) < 0)
		return -1;
	return r->restore(r->driver, id, i, has_parent ? &parent : NULL, err);
}

static int restore_one(void *arg, uint64_t id, const struct snapshot_info *i, struct err *err)
{
	const struct restoring *r = arg;
	AUTO_ERR struct err why = { 0 };
	int rc;

	if (i->kind == SNAPSHOT_COMMITTED)
		return 0;
	rc = restore_row(r, id, i, &why);
	if (rc < 0)
		log_warn(&r->ctx, "snapshot %s: restore its directory: %s (ignored)", i->name,
				err_text(&why));
	else if (rc > 0)
		log_warn(&r->ctx,
				"snapshot %s: its directory was not on disk yet when the "
				"machine stopped: made anew, empty",
				i->name);
	return 0;
}

void snap_dirs_restore_all(struct snap_store *store, snap_dirs_restore restore, void *driver)
{
	struct restoring r = { store, restore, driver, { 0 } };
	AUTO_ERR struct err err = { 0 };

	if (snap_store_walk(store, NULL, restore_one, &r, &err) < 0)
		log_warn(&r.ctx, "restore directories of snapshots: %s (ignored)",
				err_text(&err));
}

int snap_dirs_sync(struct snap_dirs *d, uint64_t id, struct err *err)
{
	char name[SNAP_DIR_NAME];
	int rc;

	snap_dir_name(id, "", name);
	rc = fs_sync_dir(d->fd, name);
	if (rc == 0 && fsync(d->fd) < 0)
		rc = -errno;
	if (rc < 0)
		return err_sys(err, -rc, "sync snapshot directory %s", name);
	return 0;
}

int snap_dirs_remove(struct snap_dirs *d, uint64_t id, struct err *err)
{
	char name[SNAP_DIR_NAME];
	int rc;

	snap_dir_name(id, "", name);
	rc = fs_remove_all(d->fd, name);
	if (rc < 0)
		return err_sys(err, -rc, "remove %s/snapshots/%s", d->root, name);
	return 0;
}

/* Ids, to be sorted for bsearch(). */
struct ids {
	uint64_t *items;
	size_t count, room;
};

/* Whose directories are in use, and which of them are still being filled. */
struct known {
	struct ids recorded, pending;
};

static void know(struct ids *ids, uint64_t id)
{
	if (ids->count == ids->room) {
		ids->room = ids->room == 0 ? 64 : ids->room * 2;
		ids->items = xreallocarray(ids->items, ids->room, sizeof(*ids->items));
	}
	ids->items[ids->count++] = id;
}

static int know_row(void *arg, uint64_t id, const struct snapshot_info *i, struct err *err)
{
	know(arg, id);
	return 0;
}

static int compare_ids(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

static void sort_ids(struct ids *ids)
{
	if (ids->count > 0)
		qsort(ids->items, ids->count, sizeof(*ids->items), compare_ids);
}

/* Pending ids first: one that is settled after this is in the store before we ask it. */
static int collect_known(
		struct snap_dirs *d, struct snap_store *store, struct known *k, struct err *err)
{
	mutex_lock(&d->lock);
	for (size_t i = 0; i < d->pending_count; i++)
		know(&k->pending, d->pending[i]);
	mutex_unlock(&d->lock);
	if (snap_store_walk(store, NULL, know_row, &k->recorded, err) < 0)
		return -1;
	sort_ids(&k->pending);
	sort_ids(&k->recorded);
	return 0;
}

static bool has_id(const struct ids *ids, uint64_t id)
{
	return ids->count > 0 &&
	       bsearch(&id, ids->items, ids->count, sizeof(id), compare_ids) != NULL;
}

/* "<id>", and while it is filled with a copy also the copier's "<id>.links". */
static bool is_known(const struct known *k, const char *name)
{
	size_t n = strlen(name) - (str_ends(name, FSCOPY_LINKS) ? strlen(FSCOPY_LINKS) : 0);
	AUTO_FREE char *number = xstrndup(name, n);
	uint64_t id;

	if (!str_u64(number, &id))
		return false;
	return has_id(&k->pending, id) || (name[n] == '\0' && has_id(&k->recorded, id));
}

static int remove_unknown(struct snap_dirs *d, char *const *names, const struct known *k,
		struct ctx *ctx, struct err *err)
{
	for (size_t i = 0; names[i] != NULL; i++) {
		int rc;

		if (is_known(k, names[i]))
			continue;
		if (err->kind == ERR_NONE && ctx_done(ctx, err))
			return -1;
		rc = fs_remove_all(d->fd, names[i]);
		if (rc < 0 && err->kind == ERR_NONE)
			(void)err_sys(err, -rc, "remove %s/snapshots/%s", d->root, names[i]);
	}
	return err->kind == ERR_NONE ? 0 : -1;
}

int snap_dirs_clean(
		struct snap_dirs *d, struct snap_store *store, struct ctx *ctx, struct err *err)
{
	AUTO_STRV char **names = NULL;
	struct known known = { 0 };
	/* The directories first: one that is made after this is not looked at. */
	int rc = fs_list(d->fd, ".", &names);

	if (rc < 0)
		return err_sys(err, -rc, "list %s/snapshots", d->root);
	rc = collect_known(d, store, &known, err);
	if (rc == 0)
		rc = remove_unknown(d, names, &known, ctx, err);
	free(known.pending.items);
	free(known.recorded.items);
	return rc;
}
