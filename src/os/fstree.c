/* SPDX-License-Identifier: Apache-2.0 */
/* Removing and measuring trees. */
#include "os/fs.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/auto.h"
#include "os/fswalk_priv.h"

/* -ENOTEMPTY for a directory that has entries. */
static int remove_entry(int dirfd, const struct fs_dirent *e)
{
	if (e->type != DT_DIR) {
		if (unlinkat(dirfd, e->name, 0) == 0 || errno == ENOENT)
			return 0;
		if (e->type != DT_UNKNOWN || (errno != EISDIR && errno != EPERM))
			return -errno;
	}
	if (unlinkat(dirfd, e->name, AT_REMOVEDIR) == 0 || errno == ENOENT)
		return 0;
	return errno == EEXIST ? -ENOTEMPTY : -errno;
}

/* Unlinks every file of the current directory and notes its non-empty directories. ret_left is
 * false once the directory was found empty. */
static int empty_level(struct walk *w, bool *ret_left)
{
	struct walk_level *l = walk_top(w);
	struct fs_dirent e;
	int rc;

	names_clear(&l->below);
	*ret_left = false;
	if (lseek(w->fd, 0, SEEK_SET) < 0)
		return -errno;
	walk_rewind(w);
	while ((rc = fs_dir_next(w->dir, &e)) > 0) {
		*ret_left = true;
		int failed = remove_entry(w->fd, &e);

		if (failed == -ENOTEMPTY)
			names_add(&l->below, e.name);
		else if (failed < 0)
			return failed;
	}
	return rc;
}

/* One step: goes down to the next noted directory, looks again, or goes up. */
static int remove_step(struct walk *w, bool *ret_done)
{
	const char *name = names_next(&walk_top(w)->below);
	AUTO_FREE char *left = NULL;
	bool more;
	int rc;

	if (name != NULL) {
		rc = walk_down(w, name);
		if (rc == -EXDEV)
			return -EBUSY;
		return rc == -ENOENT ? 0 : rc;
	}
	rc = empty_level(w, &more);
	if (rc < 0 || more)
		return rc;
	if (w->depth == 1) {
		*ret_done = true;
		return 0;
	}
	rc = walk_up(w, &left);
	if (rc < 0)
		return rc;
	if (unlinkat(w->fd, left, AT_REMOVEDIR) < 0 && errno != ENOENT && errno != ENOTEMPTY)
		return -errno;
	return 0;
}

static int remove_tree(int dirfd, const char *name)
{
	AUTO_WALK struct walk w = { .start = dirfd, .fd = -1 };
	bool done = false;
	int rc = walk_down(&w, name);

	while (rc == 0 && !done)
		rc = remove_step(&w, &done);
	if (rc < 0)
		return rc == -ENOENT ? 0 : rc;
	if (unlinkat(dirfd, name, AT_REMOVEDIR) < 0 && errno != ENOENT)
		return -errno;
	return 0;
}

int fs_remove_all(int dirfd, const char *name)
{
	struct stat st;

	if (unlinkat(dirfd, name, 0) == 0 || errno == ENOENT)
		return 0;
	/* A directory gives EISDIR, on some filesystems EPERM, which may also mean immutable.
	 */
	if (errno != EISDIR && errno != EPERM)
		return -errno;
	if (fstatat(dirfd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return errno == ENOENT ? 0 : -errno;
	if (!S_ISDIR(st.st_mode))
		return -EPERM;
	return remove_tree(dirfd, name);
}

static void usage_add(struct fs_usage *u, struct inode_set *seen, const struct stat *st)
{
	if (st->st_nlink > 1 && !S_ISDIR(st->st_mode) &&
			inode_set_add(seen, st->st_dev, st->st_ino) != 0)
		return;
	u->size += (int64_t)st->st_blocks * 512;
	u->inodes++;
}

static int usage_level(struct walk *w, struct fs_usage *u, struct inode_set *seen)
{
	struct fs_dirent e;
	struct stat st;
	int rc;

	if (fstat(w->fd, &st) < 0)
		return -errno;
	usage_add(u, seen, &st);
	walk_rewind(w);
	while ((rc = fs_dir_next(w->dir, &e)) > 0) {
		if (e.type != DT_DIR && fstatat(w->fd, e.name, &st, AT_SYMLINK_NOFOLLOW) < 0) {
			if (errno == ENOENT)
				continue;
			return -errno;
		}
		if (e.type == DT_DIR || S_ISDIR(st.st_mode))
			names_add(&walk_top(w)->below, e.name);
		else
			usage_add(u, seen, &st);
	}
	return rc;
}

/* Removed, or replaced by something that is no directory, since its name was read. */
static bool is_gone(int rc)
{
	return rc == -ENOENT || rc == -ENOTDIR || rc == -ELOOP;
}

static int usage_step(
		struct walk *w, struct fs_usage *u, struct inode_set *seen, bool *ret_done)
{
	const char *name = names_next(&walk_top(w)->below);
	AUTO_FREE char *left = NULL;
	int rc;

	if (name != NULL) {
		rc = walk_down(w, name);
		if (rc == 0)
			rc = usage_level(w, u, seen);
		return is_gone(rc) || rc == -EXDEV ? 0 : rc;
	}
	if (w->depth == 1) {
		*ret_done = true;
		return 0;
	}
	return walk_up(w, &left);
}

static int usage_tree(int dirfd, const char *name, struct fs_usage *u, struct inode_set *seen)
{
	AUTO_WALK struct walk w = { .start = dirfd, .fd = -1 };
	bool done = false;
	int rc = walk_down(&w, name);

	if (rc == 0)
		rc = usage_level(&w, u, seen);
	while (rc == 0 && !done)
		rc = usage_step(&w, u, seen, &done);
	return rc;
}

int fs_usage(int dirfd, const char *name, struct fs_usage *ret_usage)
{
	struct fs_usage u = { 0 };
	struct inode_set seen = { 0 };
	struct stat st;
	int rc = 0;

	if (fstatat(dirfd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return -errno;
	if (S_ISDIR(st.st_mode))
		rc = usage_tree(dirfd, name, &u, &seen);
	else
		usage_add(&u, &seen, &st);
	inode_set_done(&seen);
	if (rc == 0)
		*ret_usage = u;
	return rc;
}
