/* SPDX-License-Identifier: Apache-2.0 */
#include "mount/mount_temp.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/ctx.h"
#include "base/err.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "mount/mount.h"
#include "os/fs.h"

#define NAME_START "containerd-mount"

struct temp_mount {
	char *path;
	struct mounts mounts;
};

static const char *value_of(const char *option, const char *key)
{
	size_t n = strlen(key);

	return strncmp(option, key, n) == 0 && option[n] == '=' ? option + n + 1 : NULL;
}

/* What a read-only overlay does without: it shows the upper directory as its first lower one.
 */
static bool needs_writing(const char *option)
{
	return value_of(option, "upperdir") != NULL || value_of(option, "workdir") != NULL ||
	       value_of(option, "uidmap") != NULL || value_of(option, "gidmap") != NULL;
}

static const char *find_value(char *const *options, const char *key)
{
	for (size_t i = 0; i < strv_len(options); i++)
		if (value_of(options[i], key) != NULL)
			return value_of(options[i], key);
	return NULL;
}

static void copy_overlay(const struct mount_spec *from, bool read_only, struct mount_spec *to)
{
	const char *upper = find_value(from->options, "upperdir");

	for (size_t i = 0; i < strv_len(from->options); i++) {
		const char *o = from->options[i];
		const char *lower = value_of(o, "lowerdir");

		if (str_eq(o, "volatile") || str_eq(o, "fsync=volatile"))
			continue;
		if (read_only && upper != NULL && lower != NULL)
			strv_addf(&to->options, "lowerdir=%s:%s", upper, lower);
		else if (!read_only || !needs_writing(o))
			strv_add(&to->options, o);
	}
}

static void copy_other(const struct mount_spec *from, bool read_only, struct mount_spec *to)
{
	for (size_t i = 0; i < strv_len(from->options); i++) {
		const char *o = from->options[i];

		if (!read_only || (!str_eq(o, "rw") && !str_eq(o, "ro")))
			strv_add(&to->options, o);
	}
	if (read_only)
		strv_add(&to->options, "ro");
}

void temp_mount_specs(const struct mounts *from, bool read_only, struct mounts *to)
{
	for (size_t i = 0; i < from->count; i++) {
		const struct mount_spec *f = &from->items[i];
		struct mount_spec *t = mounts_add(to, f->type, f->source, f->target);

		if (str_eq(f->type, "overlay"))
			copy_overlay(f, read_only, t);
		else
			copy_other(f, read_only, t);
	}
}

static void temp_mount_free(struct temp_mount *t)
{
	mounts_done(&t->mounts);
	free(t->path);
	free(t);
}

static int remove_dir(const char *path, struct err *err)
{
	if (rmdir(path) < 0 && errno != ENOENT)
		return err_sys(err, errno, "remove temporary mount point %s", path);
	return 0;
}

int temp_mount_open(const char *root, const struct mounts *m, bool read_only, struct ctx *ctx,
		struct temp_mount **ret_mount, struct err *err)
{
	struct temp_mount *t;
	int rc = fs_make_dirs(AT_FDCWD, root, 0700);

	if (rc < 0)
		return err_sys(err, -rc, "make %s", root);
	t = xzalloc(sizeof(*t));
	t->path = xasprintf("%s/" NAME_START "XXXXXX", root);
	temp_mount_specs(m, read_only, &t->mounts);
	if (mkdtemp(t->path) == NULL) {
		(void)err_sys(err, errno, "make %s", t->path);
		temp_mount_free(t);
		return -1;
	}
	if (mount_all(&t->mounts, t->path, root, ctx, err) < 0) {
		(void)rmdir(t->path);
		temp_mount_free(t);
		return -1;
	}
	*ret_mount = t;
	return 0;
}

const char *temp_mount_path(const struct temp_mount *t)
{
	return t->path;
}

static int unmount_all(struct temp_mount *t, struct ctx *ctx, struct err *err)
{
	AUTO_ERR struct err again = { 0 };

	if (mount_undo_all(&t->mounts, t->path, 0, ctx, err) == 0)
		return 0;
	/* Better out of sight now and gone soon than in everyone's way. */
	IGNORE(mount_undo_tree(t->path, MNT_DETACH, ctx, &again));
	return -1;
}

int temp_mount_close(struct temp_mount *own_mount, struct ctx *ctx, struct err *err)
{
	/* Unmounting is not cut short: it is what a cancelled call has to do last. */
	struct ctx patient = { .ns = ctx->ns, .what = ctx->what };
	int rc = unmount_all(own_mount, &patient, err);

	if (rc == 0)
		rc = remove_dir(own_mount->path, err);
	else
		(void)rmdir(own_mount->path);
	temp_mount_free(own_mount);
	return rc;
}

void temp_mount_drop(struct temp_mount *t)
{
	AUTO_ERR struct err err = { 0 };
	struct ctx ctx = { .what = "temp mount" };

	if (t != NULL && temp_mount_close(t, &ctx, &err) < 0)
		log_warn(NULL, "%s (ignored)", err_text(&err));
}

void temp_mounts_clean(const char *root, struct ctx *ctx)
{
	AUTO_ERR struct err err = { 0 };
	AUTO_STRV char **names = NULL;
	int rc = fs_list(AT_FDCWD, root, &names);

	if (rc == -ENOENT)
		return;
	if (rc < 0) {
		log_warn(ctx, "cleanup temp mount: %s: %s (ignored)", root, errno_text(-rc));
		return;
	}
	if (mount_undo_tree(root, 0, ctx, &err) < 0)
		log_warn(ctx, "cleanup temp mount: %s (ignored)", err_text(&err));
	for (size_t i = 0; i < strv_len(names); i++) {
		AUTO_FREE char *path = xasprintf("%s/%s", root, names[i]);

		if (rmdir(path) < 0)
			log_warn(ctx, "cleanup temp mount: %s: %s (ignored)", path,
					errno_text(errno));
	}
}
