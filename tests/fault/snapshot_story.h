/* SPDX-License-Identifier: Apache-2.0 */
/* The story of a snapshotter with files. A driver's program defines new_driver(). */
#pragma once

#include "fault/check_mounts.h"
#include "fault/fault_run.h"

#include <errno.h>

#include "base/ctx.h"
#include "base/mem.h"
#include "base/str.h"
#include "core/snapshot.h"
#include "snapshots/snap_store.h"

static int new_driver(const char *root, struct snap_store *own_store, struct snapshotter **ret,
		struct err *err);

static struct ctx ctx;

struct told {
	bool base, top, rebased; /* committed */
	bool view_is_gone, rebased_is_gone;
	uint32_t label; /* of top */
};

struct driver {
	struct snapshotter *s;
	char *root;
};

static int open_driver(const char *root, void **ret_store, struct err *err)
{
	AUTO_FREE char *path = xasprintf("%s/state/driver", root);
	AUTO(snap_store_free) struct snap_store *store = NULL;
	struct snapshotter *s = NULL;
	struct driver *d;

	if (snap_store_kv_open(path, false, &store, err) < 0 ||
			new_driver(path, store, &s, err) < 0)
		return -1;
	take_ptr(store);
	d = xzalloc(sizeof(*d));
	*d = (struct driver){ s, take_ptr(path) };
	*ret_store = d;
	return 0;
}

static void close_driver(void *store)
{
	struct driver *d = store;

	snapshotter_free(d->s);
	free(d->root);
	free(d);
}

static bool has(struct driver *d, const char *key)
{
	struct snapshot_info i = { 0 };
	AUTO_ERR struct err err = { 0 };

	if (snapshot_stat(d->s, &ctx, key, &i, &err) < 0) {
		must(err.kind == ERR_NOT_FOUND);
		return false;
	}
	snapshot_info_done(&i);
	return true;
}

/* Makes it, or takes up what is there. */
static int prepare(struct driver *d, enum snapshot_kind kind, const char *key,
		const char *parent, struct mounts *ret_mounts, struct err *err)
{
	int rc = kind == SNAPSHOT_VIEW
				 ? snapshot_view(d->s, &ctx, key, parent, NULL, ret_mounts, err)
				 : snapshot_prepare(d->s, &ctx, key, parent, NULL, ret_mounts,
						   err);

	if (rc == 0 || err->kind != ERR_EXISTS)
		return rc;
	err_clear(err);
	return snapshot_mounts(d->s, &ctx, key, ret_mounts, err);
}

/* Writes through the directory that would be mounted. */
static int fill(const struct mounts *m, const char *text, struct err *err)
{
	AUTO_FREE char *path = xasprintf("%s/file", m->items[0].source);
	AUTO_CLOSE int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	int rc = fd < 0 ? -errno : io_write_all(fd, text, strlen(text));

	return rc < 0 ? err_sys(err, -rc, "fill %s", path) : 0;
}

static int make_base(struct driver *d, struct told *told, struct err *err)
{
	struct mounts m AUTO_MOUNTS = { 0 };

	if (!has(d, "base")) {
		if (prepare(d, SNAPSHOT_ACTIVE, "base-key", NULL, &m, err) < 0 ||
				fill(&m, "base", err) < 0 ||
				snapshot_commit(d->s, &ctx, "base", "base-key", NULL, NULL,
						err) < 0)
			return -1;
	}
	told->base = true;
	return 0;
}

static int make_top(struct driver *d, struct told *told, struct err *err)
{
	struct mounts m AUTO_MOUNTS = { 0 };

	if (!has(d, "top")) {
		if (prepare(d, SNAPSHOT_ACTIVE, "top-key", "base", &m, err) < 0 ||
				snapshot_commit(d->s, &ctx, "top", "top-key", NULL, NULL, err) <
						0)
			return -1;
	}
	told->top = true;
	return 0;
}

static int make_rebased(struct driver *d, struct told *told, struct err *err)
{
	struct mounts m AUTO_MOUNTS = { 0 };

	told->rebased_is_gone = false;
	if (!has(d, "rebased")) {
		if (prepare(d, SNAPSHOT_ACTIVE, "free-key", NULL, &m, err) < 0 ||
				fill(&m, "rebased", err) < 0 ||
				snapshot_commit(d->s, &ctx, "rebased", "free-key", "base", NULL,
						err) < 0)
			return -1;
	}
	told->rebased = true;
	return 0;
}

static int relabel(struct driver *d, struct told *told, struct err *err)
{
	AUTO_FREE char *value = xasprintf("%u", told->label + 1);
	struct snapshot_info change = { .name = (char[]){ "top" } }, now = { 0 };
	int rc;

	labels_set(&change.labels, "n", value);
	rc = snapshot_update(d->s, &ctx, &change, NULL, &now, err);
	labels_done(&change.labels);
	if (rc < 0)
		return -1;
	snapshot_info_done(&now);
	told->label++;
	return 0;
}

static int remove_if_there(struct driver *d, const char *key, struct err *err)
{
	if (snapshot_remove(d->s, &ctx, key, err) == 0)
		return 0;
	if (err->kind != ERR_NOT_FOUND)
		return -1;
	err_clear(err);
	return 0;
}

static int look_and_remove(struct driver *d, struct told *told, struct err *err)
{
	struct mounts m AUTO_MOUNTS = { 0 };

	told->view_is_gone = false;
	if (prepare(d, SNAPSHOT_VIEW, "view", "top", &m, err) < 0 ||
			remove_if_there(d, "view", err) < 0)
		return -1;
	told->view_is_gone = true;
	told->rebased = false; /* from here on it may be gone */
	if (remove_if_there(d, "rebased", err) < 0)
		return -1;
	told->rebased_is_gone = true;
	return snapshot_cleanup(d->s, &ctx, err);
}

static int tell(void *store, void *arg, struct err *err)
{
	if (make_base(store, arg, err) < 0 || make_top(store, arg, err) < 0 ||
			make_rebased(store, arg, err) < 0 || relabel(store, arg, err) < 0)
		return -1;
	return look_and_remove(store, arg, err);
}

/* --- what must hold --- */

struct keys {
	struct driver *d;
	char **committed;
	size_t count;
};

static int check_one(void *arg, const struct snapshot_info *i, struct err *err)
{
	struct mounts m AUTO_MOUNTS = { 0 };
	struct keys *k = arg;

	k->count++;
	if (i->kind == SNAPSHOT_COMMITTED) {
		strv_add(&k->committed, i->name);
		return 0;
	}
	must_ok(snapshot_mounts(k->d->s, &ctx, i->name, &m, err), err);
	check_mounts(&m);
	return 0;
}

static void check_text(const char *source, const char *want)
{
	AUTO_CLOSE int fd = open(source, O_DIRECTORY | O_CLOEXEC);
	AUTO_FREE char *got = fd < 0 ? NULL : get_file(fd, "file");

	must(got != NULL && str_eq(got, want));
}

/* A view of one layer is a bind of its directory. */
static void check_committed(struct driver *d, const char *name)
{
	struct mounts m AUTO_MOUNTS = { 0 };
	AUTO_ERR struct err err = { 0 };

	must_ok(snapshot_view(d->s, &ctx, "check", name, NULL, &m, &err), &err);
	check_mounts(&m);
	if (str_eq(name, "base"))
		check_text(m.items[0].source, "base");
	if (str_eq(name, "rebased") && str_eq(m.items[0].type, "bind"))
		check_text(m.items[0].source, "rebased");
	must_ok(snapshot_remove(d->s, &ctx, "check", &err), &err);
}

/* Garbage goes, and nothing else. */
static void check_dirs(struct driver *d, size_t records)
{
	AUTO_FREE char *path = xasprintf("%s/snapshots", d->root);
	AUTO_STRV char **names = NULL;
	AUTO_ERR struct err err = { 0 };

	must_ok(snapshot_cleanup(d->s, &ctx, &err), &err);
	must(fs_list(AT_FDCWD, path, &names) == 0);
	must(strv_len(names) == records);
}

static void check_label(struct driver *d, uint32_t label)
{
	struct snapshot_info i = { 0 };
	AUTO_ERR struct err err = { 0 };
	uint32_t found = 0;

	must_ok(snapshot_stat(d->s, &ctx, "top", &i, &err), &err);
	must(label == 0 || labels_find(&i.labels, "n") != NULL);
	must(label == 0 || str_u32(labels_find(&i.labels, "n"), &found));
	must(label == 0 || found == label || found == label + 1);
	snapshot_info_done(&i);
}

static void check(void *store, const void *arg)
{
	const struct told *told = arg;
	struct keys k = { store, NULL, 0 };
	AUTO_ERR struct err err = { 0 };

	must_ok(remove_if_there(store, "check", &err), &err);
	must_ok(snapshot_walk(k.d->s, &ctx, NULL, check_one, &k, &err), &err);
	for (size_t i = 0; i < strv_len(k.committed); i++)
		check_committed(store, k.committed[i]);
	strv_free(k.committed);
	check_dirs(store, k.count);
	must(!told->base || has(store, "base"));
	must(!told->top || has(store, "top"));
	must(!told->rebased || has(store, "rebased"));
	must(!told->view_is_gone || !has(store, "view"));
	must(!told->rebased_is_gone || !has(store, "rebased"));
	if (told->top)
		check_label(store, told->label);
}

static const struct story snapshot_story = { open_driver, close_driver, tell, check,
	sizeof(struct told) };

STORY_TESTS(snapshot_story)
