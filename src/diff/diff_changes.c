/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Two sorted walks side by side. A name only below is a whiteout, one only above is new, and
 * of both the upper one is written if it differs. Trees may be hostile: nothing is followed.
 */
#include "diff/diff_changes.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "archive/tar_writer.h"
#include "base/auto.h"
#include "base/clock.h"
#include "base/ctx.h"
#include "base/err.h"
#include "base/io.h"
#include "base/map.h"
#include "base/mem.h"
#include "base/str.h"
#include "diff/diff_out.h"
#include "diff/diff_upper.h"
#include "os/fs.h"
#include "os/mountsys.h"

#define MAX_DEPTH  512
#define CHUNK	   131072
#define CAPABILITY "security.capability"
#define MAX_CAP	   256

/* Names of one inode: the one that was written, or those that wait for one to be. */
struct inode_names {
	char *source;
	char **waiting;
};

static void inode_names_free(void *value)
{
	struct inode_names *n = value;

	free(n->source);
	strv_free(n->waiting);
	free(n);
}

struct changes {
	int upper;
	int64_t epoch_ns;
	struct diff_out *out;
	struct ctx *ctx;
	struct map dirs;   /* written, as parents or for themselves */
	struct map inodes; /* "dev:ino" to struct inode_names */
	char *chunk;
};

/* A directory on both sides; -1 where it is on one only. */
struct pair {
	int lower, upper;
	int changed;	  /* holds the names to look at; -1: all */
	const char *path; /* "" for the top */
	unsigned depth;
};

static char *join(const char *dir, const char *name)
{
	return *dir == '\0' ? xstrdup(name) : xasprintf("%s/%s", dir, name);
}

static int send(struct changes *c, struct buf *b, struct err *err)
{
	int rc = diff_out_write(c->out, b->data, b->size, err);

	buf_clear(b);
	return rc;
}

static ssize_t capability(int dir, const char *name, char *value)
{
	char fd_path[MOUNTSYS_FD_PATH];
	AUTO_FREE char *path = NULL;
	ssize_t n;

	mountsys_fd_path(dir, fd_path);
	path = xasprintf("%s/%s", fd_path, name);
	n = lgetxattr(path, CAPABILITY, value, MAX_CAP);
	return n < 0 ? 0 : n;
}

static bool fill_type(struct tar_entry *e, const struct stat *st)
{
	switch (st->st_mode & S_IFMT) {
	case S_IFREG:
		e->type = TAR_FILE;
		e->size = e->data_size = (uint64_t)st->st_size;
		return true;
	case S_IFDIR:
		e->type = TAR_DIR;
		return true;
	case S_IFLNK:
		e->type = TAR_SYMLINK;
		return true;
	case S_IFIFO:
		e->type = TAR_FIFO;
		return true;
	case S_IFCHR:
	case S_IFBLK:
		e->type = S_ISCHR(st->st_mode) ? TAR_CHAR : TAR_BLOCK_DEVICE;
		e->major = major(st->st_rdev);
		e->minor = minor(st->st_rdev);
		return true;
	default:
		return false; /* sockets are left out */
	}
}

static int64_t clamp_time(const struct changes *c, const struct stat *st)
{
	if (c->epoch_ns != 0 && st->st_mtim.tv_sec > c->epoch_ns / NS_PER_S)
		return c->epoch_ns / NS_PER_S;
	return st->st_mtim.tv_sec;
}

/* Exactly as many bytes as the header says, whatever the file does meanwhile. */
static int write_data(struct changes *c, int dir, const char *name, const char *path,
		uint64_t size, struct err *err)
{
	AUTO_CLOSE int fd = openat(dir, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	struct buf padding AUTO_BUF = { .limit = SIZE_MAX };

	if (fd < 0)
		return err_sys(err, errno, "open %s", path);
	for (uint64_t left = size; left > 0;) {
		ssize_t n = io_read_full(fd, c->chunk, left < CHUNK ? (size_t)left : CHUNK);

		if (n < 0)
			return err_sys(err, (int)-n, "read %s", path);
		if (n == 0)
			return err_plain(err, ERR_UNKNOWN, "read %s: unexpected EOF", path);
		if (ctx_done(c->ctx, err) ||
				diff_out_write(c->out, c->chunk, (size_t)n, err) < 0)
			return -1;
		left -= (uint64_t)n;
	}
	tar_put_padding(&padding, size);
	return padding.size > 0 ? send(c, &padding, err) : 0;
}

/* One entry as it is; link_to names an earlier entry of the same inode. */
static int write_entry(struct changes *c, int dir, const char *name, const char *path,
		const struct stat *st, const char *link_to, struct err *err)
{
	AUTO_FREE char *shown = xasprintf("%s%s", path, S_ISDIR(st->st_mode) ? "/" : "");
	AUTO_FREE char *target = NULL;
	struct buf b AUTO_BUF = { .limit = SIZE_MAX };
	char value[MAX_CAP];
	struct tar_xattr cap = { CAPABILITY, value, 0 };
	struct tar_entry e = { .path = shown,
		.link = "",
		.mode = st->st_mode & 07777,
		.uid = st->st_uid,
		.gid = st->st_gid,
		.mtime.tv_sec = clamp_time(c, st),
		.xattrs = &cap };
	int rc = 0;

	if (!fill_type(&e, st))
		return 0;
	if (link_to != NULL) {
		e.type = TAR_HARDLINK;
		e.link = link_to;
		e.size = e.data_size = 0;
	} else if (S_ISLNK(st->st_mode)) {
		rc = fs_read_link(dir, name, &target);
		if (rc < 0)
			return err_sys(err, -rc, "read link %s", path);
		e.link = target;
	}
	cap.size = (size_t)capability(dir, name, value);
	e.xattr_count = cap.size > 0;
	tar_put_header(&b, &e);
	if (S_ISDIR(st->st_mode))
		(void)map_put(&c->dirs, path, c);
	rc = send(c, &b, err);
	return rc == 0 && e.size > 0 ? write_data(c, dir, name, path, e.size, err) : rc;
}

/* Writes the directories above a path that were not written yet. */
static int write_parents(struct changes *c, const char *path, struct err *err)
{
	for (const char *slash = strchr(path, '/'); slash != NULL;
			slash = strchr(slash + 1, '/')) {
		AUTO_FREE char *dir = xstrndup(path, (size_t)(slash - path));
		AUTO_CLOSE int fd = -1;
		struct stat st;

		if (map_find(&c->dirs, dir) != NULL)
			continue;
		fd = fs_open_beneath(c->upper, dir, O_PATH | O_DIRECTORY, 0);
		if (fd < 0)
			return err_sys(err, -fd, "open %s", dir);
		if (fstat(fd, &st) < 0)
			return err_sys(err, errno, "stat %s", dir);
		if (write_entry(c, fd, ".", dir, &st, NULL, err) < 0)
			return -1;
	}
	return 0;
}

static int write_whiteout(
		struct changes *c, const struct pair *p, const char *name, struct err *err)
{
	AUTO_FREE char *hidden = xasprintf(".wh.%s", name);
	AUTO_FREE char *path = join(p->path, hidden);
	struct buf b AUTO_BUF = { .limit = SIZE_MAX };
	struct tar_entry e = { .type = TAR_FILE, .path = path, .link = "" };

	if (write_parents(c, path, err) < 0)
		return -1;
	tar_put_header(&b, &e);
	return send(c, &b, err);
}

static struct inode_names *names_of(struct changes *c, const struct stat *st)
{
	AUTO_FREE char *key = xasprintf("%llu:%llu", (unsigned long long)st->st_dev,
			(unsigned long long)st->st_ino);
	struct inode_names *n = map_find(&c->inodes, key);

	if (n == NULL) {
		n = xzalloc(sizeof(*n));
		(void)map_put(&c->inodes, key, n);
	}
	return n;
}

/* Unchanged names of an inode that turns out to be in the layer after all. */
static int write_waiting(struct changes *c, struct inode_names *n, const struct stat *st,
		struct err *err)
{
	AUTO_STRV char **waiting = take_ptr(n->waiting);

	for (size_t i = 0; i < strv_len(waiting); i++)
		if (write_parents(c, waiting[i], err) < 0 ||
				write_entry(c, c->upper, waiting[i], waiting[i], st, n->source,
						err) < 0)
			return -1;
	return 0;
}

static int write_change(struct changes *c, const struct pair *p, const char *name,
		const char *path, const struct stat *st, struct err *err)
{
	struct inode_names *n = NULL;

	if (!S_ISDIR(st->st_mode) && st->st_nlink > 1)
		n = names_of(c, st);
	if (S_ISSOCK(st->st_mode))
		return 0;
	if (write_parents(c, path, err) < 0 ||
			write_entry(c, p->upper, name, path, st, n != NULL ? n->source : NULL,
					err) < 0)
		return -1;
	if (n == NULL || n->source != NULL)
		return 0;
	n->source = xstrdup(path);
	return write_waiting(c, n, st, err);
}

static int note_unchanged(struct changes *c, const struct pair *p, const char *name,
		const char *path, const struct stat *st, struct err *err)
{
	struct inode_names *n;

	if (S_ISDIR(st->st_mode) || st->st_nlink < 2)
		return 0;
	n = names_of(c, st);
	if (n->source != NULL)
		return write_change(c, p, name, path, st, err);
	strv_add(&n->waiting, path);
	return 0;
}

static bool same_capability(const struct pair *p, const char *name)
{
	char a[MAX_CAP], b[MAX_CAP];
	ssize_t n = capability(p->lower, name, a);

	return n == capability(p->upper, name, b) && memcmp(a, b, (size_t)n) == 0;
}

static bool same_content(struct changes *c, const struct pair *p, const char *name)
{
	AUTO_CLOSE int a =
			openat(p->lower, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	AUTO_CLOSE int b =
			openat(p->upper, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	ssize_t n, m;

	if (a < 0 || b < 0)
		return false;
	do {
		n = io_read_full(a, c->chunk, CHUNK / 2);
		m = io_read_full(b, c->chunk + CHUNK / 2, CHUNK / 2);
		if (n != m || n < 0 || memcmp(c->chunk, c->chunk + CHUNK / 2, (size_t)n) != 0)
			return false;
	} while (n > 0);
	return true;
}

static bool same_target(const struct pair *p, const char *name)
{
	AUTO_FREE char *a = NULL, *b = NULL;

	return fs_read_link(p->lower, name, &a) == 0 && fs_read_link(p->upper, name, &b) == 0 &&
	       str_eq(a, b);
}

static bool is_same(struct changes *c, const struct pair *p, const char *name,
		const struct stat *a, const struct stat *b)
{
	if (a->st_dev == b->st_dev && a->st_ino == b->st_ino)
		return true;
	if (a->st_mode != b->st_mode || a->st_uid != b->st_uid || a->st_gid != b->st_gid ||
			a->st_rdev != b->st_rdev || !same_capability(p, name))
		return false;
	if (S_ISDIR(a->st_mode))
		return true;
	if (a->st_size != b->st_size || a->st_mtim.tv_sec != b->st_mtim.tv_sec)
		return false;
	if (a->st_mtim.tv_nsec != 0 || b->st_mtim.tv_nsec != 0)
		return a->st_mtim.tv_nsec == b->st_mtim.tv_nsec;
	if (S_ISLNK(a->st_mode))
		return same_target(p, name);
	return !S_ISREG(a->st_mode) || a->st_size == 0 || same_content(c, p, name);
}

static int compare_dirs(struct changes *c, const struct pair *p, struct err *err);

/* The same directory as the overlay keeps it, if that names all that can have changed. */
static int open_changed(const struct pair *p, const char *name)
{
	int fd = p->changed < 0 ? -1 : fs_open_dir(p->changed, name);

	if (fd >= 0 && !diff_upper_names_all(fd))
		close_fd(&fd);
	return fd < 0 ? -1 : fd;
}

/* What is below a directory; without a lower one all of it is new. */
static int go_down(struct changes *c, const struct pair *p, const char *name, const char *path,
		bool in_both, struct err *err)
{
	AUTO_CLOSE int lower = in_both ? fs_open_dir(p->lower, name) : -1;
	AUTO_CLOSE int upper = fs_open_dir(p->upper, name);
	AUTO_CLOSE int changed = in_both ? open_changed(p, name) : -1;
	struct pair below = { lower, upper, changed, path, p->depth + 1 };

	if (below.depth > MAX_DEPTH)
		return err_set(err, ERR_EXHAUSTED, "%.100s…: nested too deep", path);
	if (upper < 0 || (in_both && lower < 0))
		return err_sys(err, upper < 0 ? -upper : -lower, "open %s", path);
	return compare_dirs(c, &below, err);
}

static int compare_name(struct changes *c, const struct pair *p, const char *name, bool below,
		bool above, struct err *err)
{
	AUTO_FREE char *path = join(p->path, name);
	struct stat a = { 0 }, b = { 0 };
	bool changed;

	if (ctx_done(c->ctx, err))
		return -1;
	if (!above)
		return write_whiteout(c, p, name, err);
	if (fstatat(p->upper, name, &b, AT_SYMLINK_NOFOLLOW) < 0 ||
			(below && fstatat(p->lower, name, &a, AT_SYMLINK_NOFOLLOW) < 0))
		return err_sys(err, errno, "stat %s", path);
	changed = !below || !is_same(c, p, name, &a, &b);
	if ((changed ? write_change(c, p, name, path, &b, err)
		     : note_unchanged(c, p, name, path, &b, err)) < 0)
		return -1;
	if (!S_ISDIR(b.st_mode) || (below && a.st_dev == b.st_dev && a.st_ino == b.st_ino))
		return 0;
	return go_down(c, p, name, path, below && S_ISDIR(a.st_mode), err);
}

static bool exists(int dir, const char *name)
{
	struct stat st;

	return fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) == 0;
}

/* The names that the overlay keeps. Whiteouts are among them, and what hides nothing. */
static int compare_changed(struct changes *c, const struct pair *p, struct err *err)
{
	AUTO_STRV char **names = NULL;
	int rc = fs_list(p->changed, ".", &names);

	if (rc < 0)
		return err_sys(err, -rc, "list changes of %s", str_or(p->path, "/"));
	for (size_t i = 0; i < strv_len(names); i++) {
		bool below = exists(p->lower, names[i]);
		bool above = exists(p->upper, names[i]);

		if ((below || above) && compare_name(c, p, names[i], below, above, err) < 0)
			return -1;
	}
	return 0;
}

static int compare_dirs(struct changes *c, const struct pair *p, struct err *err)
{
	AUTO_STRV char **lower = NULL, **upper = NULL;
	size_t i = 0, j = 0, n, m;
	int rc;

	if (p->changed >= 0)
		return compare_changed(c, p, err);
	rc = p->lower < 0 ? 0 : fs_list(p->lower, ".", &lower);
	if (rc == 0)
		rc = fs_list(p->upper, ".", &upper);
	if (rc < 0)
		return err_sys(err, -rc, "list %s", str_or(p->path, "/"));
	n = strv_len(lower);
	m = strv_len(upper);
	while (i < n || j < m) {
		int order = i == n ? 1 : j == m ? -1 : strcmp(lower[i], upper[j]);

		if (compare_name(c, p, order < 0 ? lower[i] : upper[j], order <= 0, order >= 0,
				    err) < 0)
			return -1;
		i += order <= 0;
		j += order >= 0;
	}
	return 0;
}

int diff_changes_write(int lower, int upper, int changed, int64_t epoch_ns,
		struct diff_out *out, struct ctx *ctx, struct err *err)
{
	struct changes c = { .upper = upper, .epoch_ns = epoch_ns, .out = out, .ctx = ctx };
	AUTO_CLOSE int top_changed = open_changed(&(struct pair){ .changed = changed }, ".");
	struct pair top = { lower, upper, top_changed, "", 0 };
	struct buf end AUTO_BUF = { .limit = SIZE_MAX };
	int rc;

	map_init(&c.dirs);
	map_init(&c.inodes);
	c.chunk = xmalloc(CHUNK);
	rc = compare_dirs(&c, &top, err);
	tar_put_end(&end);
	if (rc == 0)
		rc = send(&c, &end, err);
	map_done(&c.dirs, NULL);
	map_done(&c.inodes, inode_names_free);
	free(c.chunk);
	return rc;
}
