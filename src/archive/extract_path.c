/* SPDX-License-Identifier: Apache-2.0 */
/* From the names in an archive to directories below the root. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "archive/extract_priv.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/str.h"
#include "os/fs.h"
#include "os/mountsys.h"

#define MAX_LINKS 255
#define MAX_REST  65536 /* what is left of a path after links were put in */

int extract_clean(const char *name, unsigned max_depth, char **ret_path, struct err *err)
{
	AUTO_FREE char *path = xmalloc(strlen(name) + 1);
	size_t size = 0;
	unsigned depth = 0;

	while (*name != '\0') {
		size_t n = strcspn(name, "/");

		if (n == 2 && memcmp(name, "..", 2) == 0) {
			while (size > 0 && path[--size] != '/')
				;
			depth -= depth > 0;
		} else if (n > 0 && !(n == 1 && *name == '.')) {
			if (size > 0)
				path[size++] = '/';
			memcpy(path + size, name, n);
			size += n;
			depth++;
		}
		name += n + (name[n] == '/');
	}
	path[size] = '\0';
	if (depth > max_depth)
		return err_set(err, ERR_EXHAUSTED, "entry nested too deep");
	*ret_path = take_ptr(path);
	return 0;
}

void extract_forget_parent(struct extract *x)
{
	free(x->parent.path);
	free(x->parent.resolved);
	close_fd(&x->parent.fd);
	x->parent = (struct extract_parent){ .fd = -1 };
}

/* A walk below the root by single names, following links by hand. */
struct way {
	struct extract *x;
	int fd;		     /* where it has come to */
	struct buf resolved; /* how that is called */
	char *rest;	     /* what is still to go; owned */
	unsigned links;
};

static void way_done(struct way *w)
{
	close_fd(&w->fd);
	buf_done(&w->resolved);
	free(w->rest);
}

static int open_dir_handle(int dir, const char *name)
{
	int fd = openat(dir, name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	return fd < 0 ? -errno : fd;
}

/* Goes back to what "resolved" names. There are no links in it. */
static int way_reopen(struct way *w)
{
	const char *path = w->resolved.size == 0 ? "." : w->resolved.data;
	int fd = fs_open_beneath(w->x->root, path, O_PATH | O_DIRECTORY, 0);

	if (fd < 0)
		return fd;
	close_fd(&w->fd);
	w->fd = fd;
	return 0;
}

static int way_up(struct way *w)
{
	while (w->resolved.size > 0 && w->resolved.data[w->resolved.size - 1] != '/')
		w->resolved.size--;
	if (w->resolved.size > 0)
		w->resolved.size--;
	if (w->resolved.data != NULL)
		w->resolved.data[w->resolved.size] = '\0';
	return way_reopen(w);
}

static int way_follow(struct way *w, const char *name)
{
	AUTO_FREE char *target = NULL;
	char *rest;
	int rc = fs_read_link(w->fd, name, &target);

	if (rc < 0)
		return rc;
	if (++w->links > MAX_LINKS)
		return -ELOOP;
	if (strlen(target) + strlen(w->rest) > MAX_REST)
		return -ENAMETOOLONG;
	rest = xasprintf("%s/%s", target, w->rest);
	free(w->rest);
	w->rest = rest;
	if (target[0] != '/')
		return 0;
	buf_clear(&w->resolved);
	if (w->resolved.data != NULL)
		w->resolved.data[0] = '\0';
	return way_reopen(w);
}

static int copy_xattrs(int from, int to)
{
	char from_path[MOUNTSYS_FD_PATH], to_path[MOUNTSYS_FD_PATH];
	AUTO_FREE char *names = xmalloc(TAR_MAX_XATTR_VALUE);
	AUTO_FREE char *value = xmalloc(TAR_MAX_XATTR_VALUE);
	ssize_t size;

	mountsys_fd_path(from, from_path);
	mountsys_fd_path(to, to_path);
	size = listxattr(from_path, names, TAR_MAX_XATTR_VALUE);
	if (size < 0)
		return errno == ENOTSUP ? 0 : -errno;
	for (const char *n = names; n < names + size; n += strlen(n) + 1) {
		ssize_t got;

		if (str_starts(n, "trusted."))
			continue;
		got = getxattr(from_path, n, value, TAR_MAX_XATTR_VALUE);
		if (got < 0 || setxattr(to_path, n, value, (size_t)got, 0) < 0)
			return -errno;
	}
	return 0;
}

static int copy_looks(int from, const struct stat *st, int to)
{
	const struct timespec times[2] = { st->st_atim, st->st_mtim };
	char to_path[MOUNTSYS_FD_PATH];
	int rc;

	mountsys_fd_path(to, to_path);
	if (fchownat(to, "", st->st_uid, st->st_gid, AT_EMPTY_PATH) < 0 ||
			chmod(to_path, st->st_mode & 07777) < 0)
		return -errno;
	rc = copy_xattrs(from, to);
	if (rc < 0)
		return rc;
	return utimensat(AT_FDCWD, to_path, times, 0) < 0 ? -errno : 0;
}

/* A directory that overlay would have copied up looks like the one below. */
static int look_like_lower(struct way *w)
{
	for (size_t i = 0; i < w->x->options.lower_count; i++) {
		AUTO_CLOSE int fd = fs_open_in(
				w->x->options.lowers[i], w->resolved.data, O_PATH, 0);
		struct stat st;

		if (fd < 0 && (fd == -ENOENT || fd == -ENOTDIR))
			continue;
		if (fd < 0)
			return fd;
		if (fstat(fd, &st) < 0)
			return -errno;
		return S_ISDIR(st.st_mode) ? copy_looks(fd, &st, w->fd) : 0;
	}
	return 0;
}

static void way_enter(struct way *w, int own_fd, const char *name)
{
	close_fd(&w->fd);
	w->fd = own_fd;
	if (w->resolved.size > 0)
		buf_add_byte(&w->resolved, '/');
	buf_add_str(&w->resolved, name);
}

/* By its descriptor: the name may be a link by now, and a change of mode follows those. */
static int way_make(struct way *w, const char *name)
{
	AUTO_CLOSE int fd = -1;
	char path[MOUNTSYS_FD_PATH];

	if (mkdirat(w->fd, name, 0755) < 0)
		return -errno;
	fd = open_dir_handle(w->fd, name);
	if (fd < 0)
		return fd;
	mountsys_fd_path(fd, path);
	if (chmod(path, 0755) < 0)
		return -errno;
	way_enter(w, take_fd(&fd), name);
	if (w->x->is_tracking) {
		path_set_add(&w->x->paths, PATH_IS_OURS, w->resolved.data, "");
		path_set_add(&w->x->paths, PATH_IS_CLEAN, w->resolved.data, "");
	}
	return look_like_lower(w);
}

/* The layer hid what is below and now puts something of its own there. */
static int way_replace_whiteout(struct way *w, const char *name)
{
	AUTO_ERR struct err ignored = { 0 };
	int rc;

	if (unlinkat(w->fd, name, 0) < 0)
		return -errno;
	rc = way_make(w, name);
	if (rc == 0 && extract_hide_lower(w->x, w->fd, &ignored) < 0)
		rc = -ignored.sys;
	return rc;
}

static int way_step(struct way *w, const char *name)
{
	struct stat st;
	int fd;

	if (str_eq(name, "") || str_eq(name, "."))
		return 0;
	if (str_eq(name, ".."))
		return way_up(w);
	if (fstatat(w->fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return errno == ENOENT ? way_make(w, name) : -errno;
	if (S_ISLNK(st.st_mode))
		return way_follow(w, name);
	if (extract_is_whiteout(w->x, &st))
		return way_replace_whiteout(w, name);
	if (!S_ISDIR(st.st_mode))
		return -ENOTDIR;
	fd = open_dir_handle(w->fd, name);
	if (fd < 0)
		return fd;
	way_enter(w, fd, name);
	return 0;
}

static int way_go(struct way *w, const char *path)
{
	int rc = way_reopen(w);

	w->rest = xstrdup(path);
	while (rc == 0 && *w->rest != '\0') {
		size_t n = strcspn(w->rest, "/");
		AUTO_FREE char *name = xstrndup(w->rest, n);
		size_t skip = n + (w->rest[n] == '/');

		memmove(w->rest, w->rest + skip, strlen(w->rest + skip) + 1);
		rc = way_step(w, name);
	}
	return w->resolved.overflowed ? -ENAMETOOLONG : rc;
}

static int find_parent(struct extract *x, const char *path, struct err *err)
{
	__attribute__((cleanup(way_done))) struct way w = { .x = x, .fd = -1 };
	int rc = fs_open_beneath(x->root, str_or(path, "."), O_PATH | O_DIRECTORY, 0);

	extract_forget_parent(x);
	w.resolved.limit = MAX_REST;
	if (rc >= 0) {
		x->parent = (struct extract_parent){ xstrdup(path), xstrdup(path), rc };
		return 0;
	}
	rc = way_go(&w, path);
	if (rc < 0)
		return err_sys(err, -rc, "parent directory of %s", x->place.path);
	x->parent = (struct extract_parent){ xstrdup(path), buf_take_str(&w.resolved),
		take_fd(&w.fd) };
	return 0;
}

int extract_find_place(struct extract *x, struct err *err)
{
	const char *slash = strrchr(x->place.path, '/');
	AUTO_FREE char *dir = xstrndup(
			x->place.path, slash != NULL ? (size_t)(slash - x->place.path) : 0);

	if (!str_eq(dir, x->parent.path) && find_parent(x, dir, err) < 0)
		return -1;
	x->place.dir = x->parent.fd;
	x->place.dir_path = x->parent.resolved;
	x->place.name = slash != NULL ? slash + 1 : x->place.path;
	return 0;
}
