/* SPDX-License-Identifier: Apache-2.0 */
#include "os/fswalk_priv.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/mem.h"

void names_add(struct names *n, const char *name)
{
	size_t len = strlen(name) + 1;

	if (n->size + len > n->room) {
		n->room = (n->size + len) * 2;
		n->text = xrealloc(n->text, n->room);
	}
	memcpy(n->text + n->size, name, len);
	n->size += len;
}

const char *names_next(struct names *n)
{
	const char *name;

	if (n->at >= n->size)
		return NULL;
	name = n->text + n->at;
	n->at += strlen(name) + 1;
	return name;
}

void names_clear(struct names *n)
{
	n->size = n->at = 0;
}

void walk_done(struct walk *w)
{
	for (size_t i = 0; i < w->depth; i++) {
		free(w->levels[i].below.text);
		free(w->levels[i].name);
	}
	free(w->levels);
	free(w->dir);
	close_fd(&w->fd);
}

struct walk_level *walk_top(struct walk *w)
{
	return &w->levels[w->depth - 1];
}

int walk_down(struct walk *w, const char *name)
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
	w->levels[w->depth++] =
			(struct walk_level){ st.st_dev, st.st_ino, { 0 }, xstrdup(name) };
	close_fd(&w->fd);
	w->fd = take_fd(&next);
	return 0;
}

/* Whether fd is the directory that this level was entered as. */
static bool is_level(int fd, const struct walk_level *l)
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

int walk_up(struct walk *w, char **ret_name)
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

void walk_rewind(struct walk *w)
{
	if (w->dir == NULL)
		w->dir = xmalloc(sizeof(*w->dir));
	w->dir->fd = w->fd;
	w->dir->at = w->dir->size = 0;
}

void inode_set_done(struct inode_set *s)
{
	free(s->slots);
	*s = (struct inode_set){ 0 };
}

static struct inode_slot *find_slot(const struct inode_set *s, dev_t dev, ino_t ino)
{
	uint64_t h = ((uint64_t)ino ^ ((uint64_t)dev << 32)) * UINT64_C(0x9e3779b97f4a7c15);
	size_t at = (size_t)(h >> 20) & (s->room - 1);

	while (s->slots[at].number != 0 && (s->slots[at].ino != ino || s->slots[at].dev != dev))
		at = (at + 1) & (s->room - 1);
	return &s->slots[at];
}

static void grow(struct inode_set *s)
{
	struct inode_set old = *s;

	s->room = old.room == 0 ? 64 : old.room * 2;
	s->slots = xcalloc(s->room, sizeof(*s->slots));
	for (size_t i = 0; i < old.room; i++)
		if (old.slots[i].number != 0)
			*find_slot(s, old.slots[i].dev, old.slots[i].ino) = old.slots[i];
	free(old.slots);
}

uint64_t inode_set_add(struct inode_set *s, dev_t dev, ino_t ino)
{
	struct inode_slot *slot;

	if (s->count * 2 >= s->room)
		grow(s);
	slot = find_slot(s, dev, ino);
	if (slot->number != 0)
		return slot->number;
	*slot = (struct inode_slot){ dev, ino, ++s->count };
	return 0;
}
