/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whiteouts: names that say what of the layers below is gone. Opaque markers are linear in the
 * number of files, however often they come (CVE-2026-95838): a directory is searched once for
 * what is not ours; from then on, and if we made it, there is nothing else in it to find.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>

#include "archive/extract_priv.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/str.h"
#include "os/fs.h"
#include "os/mountsys.h"

bool extract_is_whiteout(const struct extract *x, const struct stat *st)
{
	return x->options.is_overlay && S_ISCHR(st->st_mode) && st->st_rdev == makedev(0, 0);
}

int extract_hide_lower(struct extract *x, int dir, struct err *err)
{
	char path[MOUNTSYS_FD_PATH];

	mountsys_fd_path(dir, path);
	if (setxattr(path,
			    x->options.user_xattr ? "user.overlay.opaque"
						  : "trusted.overlay.opaque",
			    "y", 1, 0) < 0)
		return err_sys(err, errno, "make %s opaque", x->place.path);
	return 0;
}

/* Directories still to be searched, as paths one after the other. */
struct search {
	struct extract *x;
	char **todo;
	size_t count;
};

static void search_add(struct search *s, const char *dir, const char *name)
{
	s->todo = xreallocarray(s->todo, s->count + 2, sizeof(*s->todo));
	s->todo[s->count++] = *dir == '\0'    ? xstrdup(name)
			      : *name == '\0' ? xstrdup(dir)
					      : xasprintf("%s/%s", dir, name);
	s->todo[s->count] = NULL;
}

static int search_entry(struct search *s, int dirfd, const char *dir, const struct fs_dirent *e)
{
	struct stat st;

	if (!path_set_has(&s->x->paths, PATH_IS_OURS, dir, e->name))
		return fs_remove_all(dirfd, e->name);
	if (fstatat(dirfd, e->name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return errno == ENOENT ? 0 : -errno;
	if (S_ISDIR(st.st_mode) && !path_set_has(&s->x->paths, PATH_IS_CLEAN, dir, e->name))
		search_add(s, dir, e->name);
	return 0;
}

static int search_dir(struct search *s, const char *dir)
{
	AUTO_CLOSE int fd = fs_open_beneath(
			s->x->root, str_or(dir, "."), O_RDONLY | O_DIRECTORY, 0);
	AUTO_FREE struct fs_dir *d = NULL;
	struct fs_dirent e;
	int rc;

	if (fd < 0)
		return fd;
	d = xmalloc(sizeof(*d));
	d->fd = fd;
	d->at = d->size = 0;
	while ((rc = fs_dir_next(d, &e)) > 0) {
		rc = search_entry(s, fd, dir, &e);
		if (rc < 0)
			return rc;
	}
	path_set_add(&s->x->paths, PATH_IS_CLEAN, dir, "");
	return rc;
}

/* Removes everything below "dir" that this layer did not bring. */
static int remove_foreign(struct extract *x, const char *dir)
{
	struct search s = { .x = x };
	int rc = 0;

	if (path_set_has(&x->paths, PATH_IS_CLEAN, dir, ""))
		return 0;
	search_add(&s, dir, "");
	while (rc == 0 && s.count > 0) {
		AUTO_FREE char *next = s.todo[--s.count];

		s.todo[s.count] = NULL;
		rc = search_dir(&s, next);
	}
	strv_free(s.todo);
	return rc;
}

static int make_opaque(struct extract *x, struct err *err)
{
	AUTO_FREE char *dir = xstrdup(x->place.dir_path);
	int rc;

	if (x->options.is_overlay)
		return extract_hide_lower(x, x->place.dir, err);
	if (!x->is_tracking)
		return 0;
	rc = remove_foreign(x, dir);
	if (rc < 0)
		return err_sys(err, -rc, "empty %s", str_or(dir, "/"));
	return 0;
}

/* The original fails here when the layer itself has made the name before; a plain directory
 * would lose it, so does the overlay. */
static int put_whiteout(struct extract *x, const char *name, struct err *err)
{
	const struct tar_entry *e = x->entry;

	if (mknodat(x->place.dir, name, S_IFCHR, makedev(0, 0)) < 0)
		return err_sys(err, errno, "make whiteout of %s", x->place.path);
	return extract_own(x, -1, name, e->uid, e->gid, err);
}

static int hide(struct extract *x, const char *name, struct err *err)
{
	int rc = fs_remove_all(x->place.dir, name);

	if (rc < 0)
		return err_sys(err, -rc, "remove for %s", x->place.path);
	return x->options.is_overlay ? put_whiteout(x, name, err) : 0;
}

int extract_whiteout(struct extract *x, struct err *err)
{
	const char *name = x->place.name + strlen(WHITEOUT_PREFIX);
	int rc;

	if (!str_starts(x->place.name, WHITEOUT_PREFIX))
		return 0;
	if (str_is_empty(name) || str_eq(name, ".") || str_eq(name, ".."))
		return err_plain(err, ERR_UNKNOWN, "invalid whiteout name: %s: invalid archive",
				x->place.name);
	if (str_eq(x->place.name, WHITEOUT_OPAQUE))
		rc = make_opaque(x, err);
	else
		rc = hide(x, name, err);
	extract_forget_parent(x);
	return rc < 0 ? -1 : 1;
}
