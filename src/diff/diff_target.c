/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where the entries of a layer go. An overlay's upper directory and the source of a bind are
 * written to directly; nothing has to be mounted, and no file is copied up.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/err.h"
#include "base/mem.h"
#include "base/str.h"
#include "diff/diff_priv.h"
#include "mount/mount_temp.h"
#include "os/process.h"

const char *diff_option(const struct mount_spec *m, const char *key)
{
	size_t n = strlen(key);

	for (size_t i = 0; i < strv_len(m->options); i++)
		if (str_starts(m->options[i], key) && m->options[i][n] == '=')
			return m->options[i] + n + 1;
	return NULL;
}

static int open_dir(const char *path, int flags, struct err *err)
{
	int fd = open(path, flags | O_DIRECTORY | O_CLOEXEC);

	return fd < 0 ? err_sys(err, errno, "open %s", path) : fd;
}

static int open_lowers(struct diff_target *t, const char *lowerdir, struct err *err)
{
	AUTO_STRV char **paths = strv_split(str_or(lowerdir, ""), ':');
	size_t n = strv_len(paths);

	t->lowers = xcalloc(n + 1, sizeof(*t->lowers));
	for (size_t i = 0; i < n; i++) {
		int fd;

		if (str_is_empty(paths[i]))
			continue;
		fd = open_dir(paths[i], O_PATH, err);
		if (fd < 0)
			return -1;
		t->lowers[t->lower_count++] = fd;
	}
	return 0;
}

static int open_overlay(struct diff_target *t, const struct mount_spec *m, struct err *err)
{
	t->is_overlay = true;
	t->user_xattr = strv_has(m->options, "userxattr");
	t->root = open_dir(diff_option(m, "upperdir"), O_RDONLY, err);
	if (t->root < 0)
		return -1;
	return open_lowers(t, diff_option(m, "lowerdir"), err);
}

static int open_temp(struct diff_target *t, const struct mounts *mounts, const char *temp_root,
		struct ctx *ctx, struct err *err)
{
	if (temp_mount_open(temp_root, mounts, false, ctx, &t->temp, err) < 0)
		return -1;
	t->root = open_dir(temp_mount_path(t->temp), O_RDONLY, err);
	return t->root < 0 ? -1 : 0;
}

static bool is_writable_overlay(const struct mount_spec *m)
{
	return str_eq(m->type, "overlay") && diff_option(m, "upperdir") != NULL &&
	       str_is_empty(m->target) && !process_in_userns();
}

static bool is_writable_bind(const struct mount_spec *m)
{
	return str_eq(m->type, "bind") && str_is_empty(m->target) &&
	       !strv_has(m->options, "ro") && diff_option(m, "uidmap") == NULL;
}

int diff_target_open(struct diff_target *t, const struct mounts *mounts, const char *temp_root,
		struct ctx *ctx, struct err *err)
{
	const struct mount_spec *only = mounts->count == 1 ? &mounts->items[0] : NULL;

	if (only != NULL && is_writable_overlay(only))
		return open_overlay(t, only, err);
	if (only != NULL && is_writable_bind(only)) {
		t->root = open_dir(only->source, O_RDONLY, err);
		return t->root < 0 ? -1 : 0;
	}
	return open_temp(t, mounts, temp_root, ctx, err);
}

static void close_all(struct diff_target *t)
{
	close_fd(&t->root);
	for (size_t i = 0; i < t->lower_count; i++)
		close_fd(&t->lowers[i]);
	free(take_ptr(t->lowers));
	t->lower_count = 0;
}

int diff_target_close(struct diff_target *t, struct ctx *ctx, struct err *err)
{
	close_all(t);
	if (t->temp == NULL)
		return 0;
	return temp_mount_close(take_ptr(t->temp), ctx, err);
}

void diff_target_drop(struct diff_target *t)
{
	close_all(t);
	temp_mount_drop(take_ptr(t->temp));
}
