/* SPDX-License-Identifier: Apache-2.0 */
#include "snapshots/snap_verify.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/ctx.h"
#include "base/err.h"
#include "base/map.h"
#include "base/mem.h"
#include "base/str.h"
#include "base/thread.h"
#include "core/finding.h"
#include "os/fs.h"
#include "snapshots/snap_dirs.h"
#include "snapshots/snap_store.h"

/* All that is kept of a record; the rest is read again when its turn comes. */
struct row {
	uint64_t id;
	enum snapshot_kind kind;
};

struct look {
	const struct snap_verify_options *o;
	struct ctx *ctx;
	const struct finding_sink *sink;
	struct snap_store *store;
	int dirs_fd;		   /* -1: there is none */
	struct map by_name, by_id; /* to struct row, which by_name owns */
};

static int damaged(const struct look *l, const char *name, struct err *err, const char *why)
{
	AUTO_FREE char *full = xasprintf("%s/%s", l->o->name, name);

	return finding_tell(l->sink, FINDING_DAMAGED, "snapshot", full, err, "%s", why);
}

static void id_text(uint64_t id, char out[SNAP_DIR_NAME])
{
	snap_dir_name(id, "", out);
}

static int note_row(void *arg, uint64_t id, const struct snapshot_info *i, struct err *err)
{
	struct look *l = arg;
	struct row *row = xzalloc(sizeof(*row));
	char text[SNAP_DIR_NAME];
	bool is_taken;

	*row = (struct row){ id, i->kind };
	id_text(id, text);
	is_taken = map_find(&l->by_id, text) != NULL;
	(void)map_put(&l->by_name, i->name, row);
	(void)map_put(&l->by_id, text, row);
	return is_taken ? damaged(l, i->name, err, "another has the same directory") : 0;
}

/* --- parents --- */

static int check_parent_ids(const struct look *l, const char *name,
		const struct snap_node *node, struct err *err)
{
	for (size_t i = 0; i < node->parent_count; i++) {
		char text[SNAP_DIR_NAME];
		const struct row *parent;

		id_text(node->parents[i], text);
		parent = map_find(&l->by_id, text);
		if (parent == NULL || parent->kind != SNAPSHOT_COMMITTED) {
			AUTO_FREE char *why = xasprintf("stands on snapshot %s, which is %s",
					text, parent == NULL ? "missing" : "not committed");

			return damaged(l, name, err, why);
		}
	}
	return 0;
}

static int check_parents(const struct look *l, const char *name, const struct snap_node *node,
		const struct snapshot_info *info, struct err *err)
{
	const struct row *parent =
			str_is_empty(info->parent) ? NULL : map_find(&l->by_name, info->parent);
	AUTO_FREE char *why = NULL;

	if (str_is_empty(info->parent) && node->parent_count == 0)
		return 0;
	if (parent != NULL && node->parent_count > 0 && parent->id == node->parents[0])
		return check_parent_ids(l, name, node, err);
	why = xasprintf("its parent %s is %s", str_or(info->parent, "(without a name)"),
			parent == NULL ? "missing" : "another than it was");
	return damaged(l, name, err, why);
}

/* --- directories --- */

static int open_files(const struct look *l, const struct snap_node *node)
{
	char name[SNAP_DIR_NAME];

	snap_dir_name(node->id, l->o->below, name);
	return l->dirs_fd < 0 ? -ENOENT : fs_open_dir(l->dirs_fd, name);
}

/* Its files cannot be compared with anything, but there are as many as there were. */
static int check_count(const struct look *l, const char *name, const struct snap_node *node,
		const struct snapshot_usage *usage, struct err *err)
{
	AUTO_FREE char *why = NULL;
	char dir[SNAP_DIR_NAME];
	struct fs_usage now;
	int rc;

	snap_dir_name(node->id, l->o->below, dir);
	rc = fs_usage(l->dirs_fd, dir, &now);
	if (rc < 0)
		why = xasprintf("read %s/snapshots/%s: %s", l->o->root, dir, errno_text(-rc));
	else if (usage->inodes != 0 && now.inodes != usage->inodes)
		why = xasprintf("has %lld files in %s/snapshots/%s; it had %lld when it was "
				"committed",
				(long long)now.inodes, l->o->root, dir,
				(long long)usage->inodes);
	return why == NULL ? 0 : damaged(l, name, err, why);
}

/* A power cut may take a directory that nobody wrote to; the driver makes it again. */
static bool may_be_missing(const struct look *l, const struct snap_node *node)
{
	if (node->kind == SNAPSHOT_COMMITTED)
		return false;
	return node->kind == SNAPSHOT_VIEW || node->parent_count == 0 || !l->o->copies;
}

static int check_files(const struct look *l, const char *name, const struct snap_node *node,
		const struct snapshot_usage *usage, struct err *err)
{
	AUTO_CLOSE int fd = open_files(l, node);
	AUTO_FREE char *why = NULL;
	char dir[SNAP_DIR_NAME];

	if (fd >= 0)
		return node->kind == SNAPSHOT_COMMITTED ? check_count(l, name, node, usage, err)
							: 0;
	if (fd == -ENOENT && may_be_missing(l, node))
		return 0;
	snap_dir_name(node->id, l->o->below, dir);
	why = xasprintf("directory %s/snapshots/%s: %s", l->o->root, dir, errno_text(-fd));
	return damaged(l, name, err, why);
}

static int check_one(const struct look *l, const char *name, struct err *err)
{
	struct snap_node node AUTO_SNAP_NODE = { 0 };
	struct snapshot_info info = { 0 };
	struct snapshot_usage usage = { 0 };
	int rc;

	if (snap_store_find(l->store, name, &node, &info, &usage, err) < 0)
		return -1;
	rc = check_parents(l, name, &node, &info, err);
	if (rc == 0)
		rc = check_files(l, name, &node, &usage, err);
	snapshot_info_done(&info);
	return rc;
}

static int check_leftovers(const struct look *l, struct err *err)
{
	AUTO_STRV char **names = NULL;
	int rc = l->dirs_fd < 0 ? 0 : fs_list(l->dirs_fd, ".", &names);

	if (rc < 0)
		return err_sys(err, -rc, "list %s/snapshots", l->o->root);
	for (size_t i = 0; i < strv_len(names); i++) {
		AUTO_FREE char *path = NULL;

		if (map_find(&l->by_id, names[i]) != NULL)
			continue;
		path = xasprintf("%s/snapshots/%s", l->o->root, names[i]);
		if (finding_tell(l->sink, FINDING_LEFTOVER, "file", path, err,
				    "no snapshot's directory") < 0)
			return -1;
	}
	return 0;
}

/* --- the whole --- */

static int check_all(struct look *l, struct err *err)
{
	AUTO_STRV char **names = map_sorted_keys(&l->by_name);

	for (size_t i = 0; i < strv_len(names); i++)
		if (ctx_done(l->ctx, err) || check_one(l, names[i], err) < 0)
			return -1;
	return check_leftovers(l, err);
}

/* One record that cannot be read hides which directories belong to whom. */
static int look_through(struct look *l, struct err *err)
{
	AUTO_ERR struct err unread = { 0 };

	if (snap_store_walk(l->store, NULL, note_row, l, &unread) == 0)
		return check_all(l, err);
	if (unread.kind != ERR_DATA_LOSS)
		return err_move(err, &unread);
	return finding_tell(l->sink, FINDING_DAMAGED, "snapshotter", l->o->name, err, "%s",
			err_text(&unread));
}

int snap_verify(const struct snap_verify_options *options, struct ctx *ctx,
		const struct finding_sink *sink, struct err *err)
{
	AUTO(snap_store_free) struct snap_store *store = NULL;
	AUTO_FREE char *dirs = xasprintf("%s/snapshots", options->root);
	AUTO_CLOSE int dirs_fd = -1;
	struct look l = { options, ctx, sink, NULL, -1, { 0 }, { 0 } };
	int rc;

	ASSERT_MAY_BLOCK();
	if (snap_store_kv_open(options->root, false, &store, err) < 0)
		return -1;
	dirs_fd = open(dirs, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dirs_fd < 0 && errno != ENOENT)
		return err_sys(err, errno, "open %s", dirs);
	l.store = store;
	l.dirs_fd = dirs_fd;
	map_init(&l.by_name);
	map_init(&l.by_id);
	rc = look_through(&l, err);
	map_done(&l.by_id, NULL);
	map_done(&l.by_name, free);
	return rc;
}
