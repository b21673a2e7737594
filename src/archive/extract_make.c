/* SPDX-License-Identifier: Apache-2.0 */
/* Making what an entry is about. Names are single components of a resolved directory. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "archive/extract_priv.h"
#include "base/err.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "os/fs.h"

int extract_clear_way(struct extract *x, struct err *err)
{
	struct stat st;
	int rc;

	if (fstatat(x->place.dir, x->place.name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return errno == ENOENT ? 0 : err_sys(err, errno, "look at %s", x->place.path);
	/* Whatever was here hid what the layers below have under this name. */
	x->replaced_one = x->options.is_overlay && !S_ISDIR(st.st_mode);
	rc = fs_remove_all(x->place.dir, x->place.name);
	if (rc < 0)
		return err_sys(err, -rc, "replace %s", x->place.path);
	return 0;
}

/* Links and names that were resolved before may lead elsewhere once something is gone; the
 * directory that the current entry goes into is not touched by that. */
static int make_file(struct extract *x)
{
	int fd = openat(x->place.dir, x->place.name,
			O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);

	if (fd < 0)
		return -errno;
	x->file = fd;
	return 0;
}

static int make_dir(struct extract *x)
{
	struct stat st;

	if (mkdirat(x->place.dir, x->place.name, 0700) == 0) {
		if (x->is_tracking)
			path_set_add(&x->paths, PATH_IS_CLEAN, x->place.dir_path,
					x->place.name);
		return 0;
	}
	if (errno != EEXIST)
		return -errno;
	if (fstatat(x->place.dir, x->place.name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return -errno;
	return S_ISDIR(st.st_mode) ? 0 : -EEXIST;
}

static int make_node(struct extract *x, mode_t format)
{
	const struct tar_entry *e = x->entry;
	dev_t device = format == S_IFIFO ? 0 : makedev(e->major, e->minor);

	if (mknodat(x->place.dir, x->place.name, format | (e->mode & 0777), device) < 0)
		return -errno;
	return 0;
}

static int make_symlink(struct extract *x)
{
	if (symlinkat(x->entry->link, x->place.dir, x->place.name) < 0)
		return -errno;
	return 0;
}

/* The directory part of the target is resolved inside the root; its last name is linked as it
 * is, even if that is a link. */
static int make_hardlink(struct extract *x)
{
	const char *slash = strrchr(x->entry->link, '/');
	const char *name = slash != NULL ? slash + 1 : x->entry->link;
	AUTO_FREE char *dir = xstrndup(
			x->entry->link, slash != NULL ? (size_t)(slash - x->entry->link) : 0);
	AUTO_CLOSE int fd = fs_open_in(x->root, str_or(dir, "."), O_PATH | O_DIRECTORY, 0);

	if (fd < 0)
		return fd;
	if (str_is_empty(name) || str_eq(name, ".") || str_eq(name, ".."))
		return -EPERM; /* a directory */
	if (linkat(fd, name, x->place.dir, x->place.name, 0) < 0)
		return -errno;
	return 0;
}

static int make_once(struct extract *x)
{
	switch (x->entry->type) {
	case TAR_FILE:
		return make_file(x);
	case TAR_DIR:
		return make_dir(x);
	case TAR_HARDLINK:
		return make_hardlink(x);
	case TAR_SYMLINK:
		return make_symlink(x);
	case TAR_CHAR:
		return make_node(x, S_IFCHR);
	case TAR_BLOCK_DEVICE:
		return make_node(x, S_IFBLK);
	case TAR_FIFO:
		return make_node(x, S_IFIFO);
	default:
		return -EOPNOTSUPP;
	}
}

static const char *verb(int type)
{
	switch (type) {
	case TAR_FILE:
		return "open";
	case TAR_DIR:
		return "mkdir";
	case TAR_HARDLINK:
		return "link";
	case TAR_SYMLINK:
		return "symlink";
	default:
		return "mknod";
	}
}

int extract_make(struct extract *x, struct err *err)
{
	int rc = make_once(x);

	x->replaced_one = false;
	if (rc == -EEXIST) {
		if (extract_clear_way(x, err) < 0)
			return -1;
		x->has_removed = true;
		rc = make_once(x);
	}
	if (rc < 0 && x->entry->type == TAR_HARDLINK)
		return err_sys(err, -rc, "link %s %s", x->entry->link, x->place.path);
	if (rc < 0)
		return err_sys(err, -rc, "%s %s", verb(x->entry->type), x->place.path);
	return 0;
}
