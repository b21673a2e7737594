/* SPDX-License-Identifier: Apache-2.0 */
#include "os/fscopy.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/mem.h"
#include "base/str.h"
#include "os/fs.h"
#include "os/fswalk_priv.h"

/*
 * Files with several names are linked into a directory beside the copy first, by number, and
 * from there to each of their places: so a link needs no path through the tree, which may be
 * deeper than a path can be long.
 */
struct copy {
	struct walk from, to;
	struct inode_set linked;
	int links_fd;
};

static bool is_optional(const char *name, int errnum)
{
	return errnum == ENOTSUP || str_starts(name, "security.");
}

static int copy_xattr(int from_fd, int to_fd, const char *name)
{
	ssize_t size = fgetxattr(from_fd, name, NULL, 0);
	AUTO_FREE void *value = NULL;

	if (size < 0)
		return errno == ENODATA ? 0 : -errno;
	value = xmalloc((size_t)size + 1); /* the kernel bounds it: XATTR_SIZE_MAX */
	size = fgetxattr(from_fd, name, value, (size_t)size);
	if (size < 0)
		return errno == ENODATA ? 0 : -errno;
	if (fsetxattr(to_fd, name, value, (size_t)size, 0) < 0 && !is_optional(name, errno))
		return -errno;
	return 0;
}

int fscopy_xattrs(int from_fd, int to_fd)
{
	ssize_t size = flistxattr(from_fd, NULL, 0);
	AUTO_FREE char *names = NULL;
	int rc = 0;

	if (size <= 0)
		return size < 0 && errno != ENOTSUP ? -errno : 0;
	names = xzalloc((size_t)size + 1);
	size = flistxattr(from_fd, names, (size_t)size);
	if (size < 0)
		return -errno;
	for (char *n = names; rc == 0 && n < names + size; n += strlen(n) + 1)
		rc = copy_xattr(from_fd, to_fd, n);
	return rc;
}

/* Owner first: changing it takes set-id bits and capabilities away. */
static int copy_attributes(int from_fd, int to_fd, const struct stat *st)
{
	const struct timespec times[2] = { st->st_atim, st->st_mtim };
	int rc;

	if (fchown(to_fd, st->st_uid, st->st_gid) < 0)
		return -errno;
	rc = fscopy_xattrs(from_fd, to_fd);
	if (rc < 0)
		return rc;
	if (fchmod(to_fd, st->st_mode & 07777) < 0 || futimens(to_fd, times) < 0)
		return -errno;
	return 0;
}

static int copy_range(int from_fd, int to_fd, off_t start, off_t end)
{
	while (start < end) {
		off_t in = start, out = start;
		ssize_t n = copy_file_range(
				from_fd, &in, to_fd, &out, (size_t)(end - start), 0);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n < 0 ? -errno : -EIO;
		start += n;
	}
	return 0;
}

/* Holes stay holes. */
static int copy_data(int from_fd, int to_fd, off_t size)
{
	off_t at = 0;

	if (ioctl(to_fd, FICLONE, from_fd) == 0)
		return 0;
	if (ftruncate(to_fd, size) < 0)
		return -errno;
	while (at < size) {
		off_t start = lseek(from_fd, at, SEEK_DATA), end;
		int rc;

		if (start < 0)
			return errno == ENXIO ? 0 : -errno;
		end = lseek(from_fd, start, SEEK_HOLE);
		if (end < 0)
			return -errno;
		if (end > size)
			end = size;
		rc = copy_range(from_fd, to_fd, start, end);
		if (rc < 0)
			return rc;
		at = end;
	}
	return 0;
}

static int copy_file(int from_dirfd, const char *name, int to_dirfd, const char *to_name)
{
	AUTO_CLOSE int from = openat(
			from_dirfd, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	AUTO_CLOSE int to = -1;
	struct stat st;
	int rc;

	if (from < 0 || fstat(from, &st) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode))
		return -ESTALE;
	to = openat(to_dirfd, to_name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
			0600);
	if (to < 0)
		return -errno;
	rc = copy_data(from, to, st.st_size);
	return rc < 0 ? rc : copy_attributes(from, to, &st);
}

static int set_attributes_at(int dirfd, const char *name, const struct stat *st)
{
	const struct timespec times[2] = { st->st_atim, st->st_mtim };

	if (fchownat(dirfd, name, st->st_uid, st->st_gid, AT_SYMLINK_NOFOLLOW) < 0)
		return -errno;
	if (!S_ISLNK(st->st_mode) && fchmodat(dirfd, name, st->st_mode & 07777, 0) < 0)
		return -errno;
	return utimensat(dirfd, name, times, AT_SYMLINK_NOFOLLOW) < 0 ? -errno : 0;
}

static int copy_symlink(int from_dirfd, const char *name, int to_dirfd, const char *to_name,
		const struct stat *st)
{
	AUTO_FREE char *target = NULL;
	int rc = fs_read_link(from_dirfd, name, &target);

	if (rc < 0)
		return rc;
	if (symlinkat(target, to_dirfd, to_name) < 0)
		return -errno;
	return set_attributes_at(to_dirfd, to_name, st);
}

static int copy_one(int from_dirfd, const char *name, int to_dirfd, const char *to_name,
		const struct stat *st)
{
	if (S_ISREG(st->st_mode))
		return copy_file(from_dirfd, name, to_dirfd, to_name);
	if (S_ISLNK(st->st_mode))
		return copy_symlink(from_dirfd, name, to_dirfd, to_name, st);
	if (mknodat(to_dirfd, to_name, st->st_mode, st->st_rdev) < 0)
		return -errno;
	return set_attributes_at(to_dirfd, to_name, st);
}

static int copy_linked(struct copy *c, const char *name, const struct stat *st)
{
	uint64_t number = inode_set_add(&c->linked, st->st_dev, st->st_ino);
	bool is_first = number == 0;
	char shelf[24];
	int rc;

	(void)snprintf(shelf, sizeof(shelf), "%llu",
			(unsigned long long)(is_first ? c->linked.count : number));
	if (is_first) {
		rc = copy_one(c->from.fd, name, c->links_fd, shelf, st);
		if (rc < 0)
			return rc;
	}
	return linkat(c->links_fd, shelf, c->to.fd, name, 0) < 0 ? -errno : 0;
}

static int copy_entry(struct copy *c, const char *name)
{
	struct stat st;

	if (fstatat(c->from.fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return -errno;
	if (S_ISDIR(st.st_mode)) {
		names_add(&walk_top(&c->from)->below, name);
		return mkdirat(c->to.fd, name, 0700) < 0 ? -errno : 0;
	}
	if (st.st_nlink > 1)
		return copy_linked(c, name, &st);
	return copy_one(c->from.fd, name, c->to.fd, name, &st);
}

static int copy_level(struct copy *c)
{
	struct fs_dirent e;
	int rc;

	walk_rewind(&c->from);
	while ((rc = fs_dir_next(c->from.dir, &e)) > 0) {
		rc = copy_entry(c, e.name);
		if (rc < 0)
			return rc;
	}
	return rc;
}

static int enter(struct copy *c, const char *from, const char *to)
{
	int rc = walk_down(&c->from, from);

	if (rc == 0)
		rc = walk_down(&c->to, to);
	return rc == 0 ? copy_level(c) : rc;
}

/* A directory's times and modes come last: filling it changes them. */
static int leave(struct copy *c, bool *ret_done)
{
	AUTO_FREE char *from = NULL, *to = NULL;
	struct stat st;
	int rc;

	if (fstat(c->from.fd, &st) < 0)
		return -errno;
	rc = copy_attributes(c->from.fd, c->to.fd, &st);
	if (rc < 0 || c->from.depth == 1) {
		*ret_done = rc == 0;
		return rc;
	}
	rc = walk_up(&c->from, &from);
	if (rc == 0)
		rc = walk_up(&c->to, &to);
	if (rc == 0 && c->from.depth != c->to.depth)
		rc = -ESTALE;
	return rc;
}

static int copy_all(struct copy *c, const char *from, const char *to)
{
	bool done = false;
	int rc = enter(c, from, to);

	while (rc == 0 && !done) {
		const char *name = names_next(&walk_top(&c->from)->below);

		rc = name != NULL ? enter(c, name, name) : leave(c, &done);
	}
	return rc;
}

int fscopy_tree(int from_dirfd, const char *from, int to_dirfd, const char *to)
{
	AUTO_FREE char *links = xasprintf("%s" FSCOPY_LINKS, to);
	struct copy c = { .from = { .start = from_dirfd, .fd = -1 },
		.to = { .start = to_dirfd, .fd = -1 } };
	int rc, removed;

	if (mkdirat(to_dirfd, to, 0700) < 0 && errno != EEXIST)
		return -errno;
	if (mkdirat(to_dirfd, links, 0700) < 0)
		return -errno;
	c.links_fd = fs_open_dir(to_dirfd, links);
	rc = c.links_fd < 0 ? c.links_fd : copy_all(&c, from, to);
	close_fd(&c.links_fd);
	walk_done(&c.from);
	walk_done(&c.to);
	inode_set_done(&c.linked);
	removed = fs_remove_all(to_dirfd, links);
	return rc < 0 ? rc : removed;
}
