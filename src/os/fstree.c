/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Walks over whole trees. A walk holds one descriptor, that of the directory it is in, goes
 * down by name without following links, and comes back by ".." only to the very directory it
 * came from. So neither the depth of a tree nor a rename inside it leads anywhere else.
 */
#include "os/fs.h"

#include "base/auto.h"
#include "base/mem.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Names that wait for their turn, kept in one block. */
struct names {
	char *text;
	size_t size, room, at;
};

static void names_add(struct names *n, const char *name)
{
	size_t len = strlen(name) + 1;

	if (n->size + len > n->room) {
		n->room = (n->size + len) * 2;
		n->text = xrealloc(n->text, n->room);
	}
	memcpy(n->text + n->size, name, len);
	n->size += len;
}

static const char *names_next(struct names *n)
{
	const char *name;

	if (n->at >= n->size)
		return NULL;
	name = n->text + n->at;
	n->at += strlen(name) + 1;
	return name;
}

static void names_clear(struct names *n)
{
	n->size = n->at = 0;
}

struct level {
	dev_t dev;
	ino_t ino;
	struct names below; /* directories to go down to */
	char *name;	    /* its own, in the level above */
};

struct walk {
	int start; /* borrowed: where the first level's name is */
	int fd;	   /* of the last level */
	struct level *levels;
	size_t depth, room;
	struct fs_dir *dir;
};

static void walk_done(struct walk *w)
{
	for (size_t i = 0; i < w->depth; i++) {
		free(w->levels[i].below.text);
		free(w->levels[i].name);
	}
	free(w->levels);
	free(w->dir);
	close_fd(&w->fd);
}

#define AUTO_WALK __attribute__((cleanup(walk_done)))

static struct level *walk_top(struct walk *w)
{
	return &w->levels[w->depth - 1];
}

/* Enters the directory "name" of the current one, or of the walk's start. */
static int walk_down(struct walk *w, const char *name)
{
	AUTO_CLOSE int next = w->depth == 0 ? fs_open_dir(w->start, name)
					    : fs_open_dir_here(w->fd, name);
	struct stat st;

	if (next < 0)
		return next;
	if (fstat(next, &st) < 0)
		return -errno;
	if (w->depth == w->room) {
		w->room = w->room == 0 ? 16 : w->room * 2;
		w->levels = xreallocarray(w->levels, w->room, sizeof(*w->levels));
	}
	w->levels[w->depth++] = (struct level){ st.st_dev, st.st_ino, { 0 }, xstrdup(name) };
	close_fd(&w->fd);
	w->fd = take_fd(&next);
	return 0;
}

/* Whether fd is the directory that this level was entered as. */
static bool is_level(int fd, const struct level *l)
{
	struct stat st;

	return fstat(fd, &st) == 0 && st.st_dev == l->dev && st.st_ino == l->ino;
}

/* For when ".." does not lead back, because something was moved: goes down again from the
 * start, as far as the directories are still the ones of the walk. Returns how many are, or
 * -errno. */
static ssize_t walk_again(struct walk *w, size_t depth)
{
	AUTO_CLOSE int fd = fs_open_dir(w->start, w->levels[0].name);
	size_t n = 1;

	if (fd < 0)
		return fd;
	if (!is_level(fd, &w->levels[0]))
		return -ESTALE;
	for (; n < depth; n++) {
		AUTO_CLOSE int next = fs_open_dir_here(fd, w->levels[n].name);

		if (next < 0 || !is_level(next, &w->levels[n]))
			break;
		close_fd(&fd);
		fd = take_fd(&next);
	}
	close_fd(&w->fd);
	w->fd = take_fd(&fd);
	return (ssize_t)n;
}

/* Leaves the current directory; the caller gets the name, in the directory that is current now,
 * of what was left. */
static int walk_up(struct walk *w, char **ret_name)
{
	AUTO_CLOSE int fd = fs_open_dir(w->fd, "..");
	ssize_t depth = (ssize_t)w->depth - 1;

	if (fd >= 0 && is_level(fd, &w->levels[depth - 1])) {
		close_fd(&w->fd);
		w->fd = take_fd(&fd);
	} else {
		depth = walk_again(w, (size_t)depth);
		if (depth < 0)
			return (int)depth;
	}
	*ret_name = take_ptr(w->levels[depth].name);
	while (w->depth > (size_t)depth) {
		w->depth--;
		free(w->levels[w->depth].name);
		free(w->levels[w->depth].below.text);
	}
	return 0;
}

static void walk_rewind(struct walk *w)
{
	if (w->dir == NULL)
		w->dir = xmalloc(sizeof(*w->dir));
	w->dir->fd = w->fd;
	w->dir->at = w->dir->size = 0;
}

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
	struct level *l = walk_top(w);
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

/* Inodes with several names that were counted already. */
struct seen {
	struct seen_inode {
		dev_t dev;
		ino_t ino;
	} * slots;
	size_t room, count;
};

static size_t seen_slot(const struct seen *s, dev_t dev, ino_t ino)
{
	uint64_t h = ((uint64_t)ino ^ ((uint64_t)dev << 32)) * UINT64_C(0x9e3779b97f4a7c15);
	size_t at = (size_t)(h >> 20) & (s->room - 1);

	while (s->slots[at].ino != 0 && (s->slots[at].ino != ino || s->slots[at].dev != dev))
		at = (at + 1) & (s->room - 1);
	return at;
}

static void seen_grow(struct seen *s)
{
	struct seen old = *s;

	s->room = old.room == 0 ? 64 : old.room * 2;
	s->slots = xcalloc(s->room, sizeof(*s->slots));
	for (size_t i = 0; i < old.room; i++)
		if (old.slots[i].ino != 0)
			s->slots[seen_slot(s, old.slots[i].dev, old.slots[i].ino)] =
					old.slots[i];
	free(old.slots);
}

static bool seen_before(struct seen *s, dev_t dev, ino_t ino)
{
	size_t at;

	if (s->count * 2 >= s->room)
		seen_grow(s);
	at = seen_slot(s, dev, ino);
	if (s->slots[at].ino != 0)
		return true;
	s->slots[at] = (struct seen_inode){ dev, ino };
	s->count++;
	return false;
}

static void usage_add(struct fs_usage *u, struct seen *seen, const struct stat *st)
{
	if (st->st_nlink > 1 && !S_ISDIR(st->st_mode) &&
			seen_before(seen, st->st_dev, st->st_ino))
		return;
	u->size += (int64_t)st->st_blocks * 512;
	u->inodes++;
}

static int usage_level(struct walk *w, struct fs_usage *u, struct seen *seen)
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

static int usage_step(struct walk *w, struct fs_usage *u, struct seen *seen, bool *ret_done)
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

static int usage_tree(int dirfd, const char *name, struct fs_usage *u, struct seen *seen)
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
	struct seen seen = { 0 };
	struct stat st;
	int rc = 0;

	if (fstatat(dirfd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return -errno;
	if (S_ISDIR(st.st_mode))
		rc = usage_tree(dirfd, name, &u, &seen);
	else
		usage_add(&u, &seen, &st);
	free(seen.slots);
	if (rc == 0)
		*ret_usage = u;
	return rc;
}
