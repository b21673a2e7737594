/* SPDX-License-Identifier: Apache-2.0 */
#include "mount/mount_made.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/io.h"
#include "base/mem.h"
#include "base/str.h"
#include "core/mount_manager.h"
#include "mount/mount.h"
#include "os/fs.h"
#include "os/loopdev.h"

#define TYPE_LOOP  "loop"
#define TYPE_EROFS "erofs"

bool mount_is_special(const char *type)
{
	return str_eq(type, TYPE_LOOP) || str_eq(type, TYPE_EROFS);
}

/* --- making ------------------------------------------------------------------------------- */

static char *dir_of(const struct mount_place *p)
{
	return xasprintf("%s/%llu", p->base, (unsigned long long)p->serial);
}

static void name_of(const struct mount_place *p, char out[24])
{
	(void)snprintf(out, 24, "%llu", (unsigned long long)p->serial);
}

int mount_place_make(const struct mount_place *p, struct err *err)
{
	char name[24];

	name_of(p, name);
	if (mkdirat(p->base_fd, name, 0700) < 0)
		return err_sys(err, errno, "mkdir %s/%s", p->base, name);
	return 0;
}

/* The "mount point" is a link to a device that has the file until we let it go. */
static int make_loop(const struct mount_spec *spec, const char *path, struct err *err)
{
	struct loopdev_options o = { .read_only = strv_has(spec->options, "ro"),
		.direct_io = strv_has(spec->options, "direct-io"),
		.auto_clear = true };
	AUTO_FREE char *device = NULL;
	AUTO_CLOSE int fd = loopdev_attach(spec->source, &o, &device);
	int rc;

	if (fd < 0)
		return err_sys(err, -fd, "attach %s to a loop device", spec->source);
	if (symlink(device, path) < 0)
		return err_sys(err, errno, "symlink %s", path);
	rc = loopdev_set_auto_clear(fd, false);
	return rc < 0 ? err_sys(err, -rc, "keep %s", device) : 0;
}

static int mount_one(const struct mount_place *p, const struct mount_spec *spec,
		const char *path, struct ctx *ctx, struct err *err)
{
	struct mounts one = { (struct mount_spec *)spec, 1 };

	return mount_all(&one, path, p->temp, ctx, err);
}

/* Kernels that do not read the file by themselves get a disk. */
static int make_erofs(const struct mount_place *p, const struct mount_spec *spec,
		const char *path, struct ctx *ctx, struct err *err)
{
	AUTO_MOUNTS struct mounts looped = { 0 };
	AUTO_ERR struct err first = { 0 };
	struct mount_spec *s;

	if (mount_one(p, spec, path, ctx, &first) == 0)
		return 0;
	if (first.sys != ENOTBLK)
		return err_move(err, &first);
	s = mounts_add(&looped, spec->type, spec->source, spec->target);
	s->options = strv_dup(spec->options);
	strv_add(&s->options, "loop");
	return mount_one(p, s, path, ctx, err);
}

static int make_one(const struct mount_place *p, const struct mount_spec *spec,
		const char *path, struct ctx *ctx, struct err *err)
{
	if (str_eq(spec->type, TYPE_LOOP))
		return make_loop(spec, path, err);
	if (mkdir(path, 0700) < 0)
		return err_sys(err, errno, "mkdir %s", path);
	if (str_eq(spec->type, TYPE_EROFS))
		return make_erofs(p, spec, path, ctx, err);
	return mount_one(p, spec, path, ctx, err);
}

static int digits_of(size_t count)
{
	return count > 100 ? 3 : count > 10 ? 2 : 1;
}

static int write_type(const char *mount_point, const char *type, struct err *err)
{
	AUTO_FREE char *path = xasprintf("%s-type", mount_point);
	AUTO_CLOSE int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	int rc = fd < 0 ? -errno : io_write_all(fd, type, strlen(type));

	return rc < 0 ? err_sys(err, -rc, "write %s", path) : 0;
}

int mount_place_add(const struct mount_place *p, size_t i, size_t count,
		const struct mount_spec *spec, struct activation *made, struct ctx *ctx,
		struct err *err)
{
	AUTO_FREE char *dir = dir_of(p);
	AUTO_FREE char *path = xasprintf("%s/%0*zu", dir, digits_of(count), count - i);

	if (write_type(path, spec->type, err) < 0)
		return -1;
	if (make_one(p, spec, path, ctx, err) < 0)
		return err_wrap(err, "mount failed {%s %s}", spec->type, spec->source);
	activation_add(made, spec, path, clock_wall_ns());
	return 0;
}

/* --- taking away -------------------------------------------------------------------------- */

static int release_loop(int dir, const char *name, const char *path, const char *device,
		struct err *err)
{
	AUTO_CLOSE int fd = open(device, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
	int rc = fd < 0 ? -errno : loopdev_set_auto_clear(fd, true);
	if (rc < 0 && rc != -ENXIO && rc != -ENOENT) /* then it has none any more */
		return err_sys(err, -rc, "release %s", device);
	return unlinkat(dir, name, 0) < 0 ? err_sys(err, errno, "unlink %s", path) : 0;
}

static int clear_one(
		int dir, const char *name, const char *path, struct ctx *ctx, struct err *err)
{
	AUTO_FREE char *device = NULL;

	if (str_ends(name, "-type"))
		return unlinkat(dir, name, 0) < 0 ? err_sys(err, errno, "unlink %s", path) : 0;
	if (fs_read_link(dir, name, &device) == 0)
		return release_loop(dir, name, path, device, err);
	if (mount_undo(path, 0, ctx, err) < 0)
		return -1;
	return unlinkat(dir, name, AT_REMOVEDIR) < 0 ? err_sys(err, errno, "rmdir %s", path)
						     : 0;
}

/* The last one that was mounted first. */
static int by_number(const void *a, const void *b)
{
	unsigned long x = strtoul(*(char *const *)a, NULL, 10);
	unsigned long y = strtoul(*(char *const *)b, NULL, 10);

	return x < y ? -1 : x > y;
}

int mount_place_clear(const struct mount_place *p, struct ctx *ctx, struct err *err)
{
	AUTO_FREE char *path = dir_of(p);
	AUTO_STRV char **names = NULL;
	AUTO_CLOSE int dir = -1;
	char name[24];
	int rc;

	name_of(p, name);
	dir = fs_open_dir_here(p->base_fd, name);
	if (dir == -ENOENT)
		return 0;
	rc = dir < 0 ? dir : fs_list(dir, ".", &names);
	if (rc < 0)
		return err_sys(err, -rc, "read %s", path);
	if (names != NULL)
		qsort(names, strv_len(names), sizeof(*names), by_number);
	for (char **n = names; n != NULL && *n != NULL; n++) {
		AUTO_FREE char *one = xasprintf("%s/%s", path, *n);

		if (clear_one(dir, *n, one, ctx, err) < 0)
			return -1;
	}
	if (unlinkat(p->base_fd, name, AT_REMOVEDIR) < 0)
		return err_sys(err, errno, "rmdir %s", path);
	return 0;
}
