/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Walks over whole trees. A walk holds one descriptor, that of the directory it is in, goes
 * down by name without following links, and comes back by ".." only to the very directory it
 * came from. So neither the depth of a tree nor a rename inside it leads anywhere else.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/attr.h"
#include "os/fs.h"

/* Names that wait for their turn, kept in one block. */
struct names {
	char *text;
	size_t size, room, at;
};
void names_add(struct names *n, const char *name);
const char *names_next(struct names *n); /* NULL at the end */
void names_clear(struct names *n);

struct walk_level {
	dev_t dev;
	ino_t ino;
	struct names below; /* directories to go down to */
	char *name;	    /* its own, in the level above */
};

struct walk {
	int start; /* borrowed: where the first level's name is */
	int fd;	   /* of the last level; -1 before the first */
	struct walk_level *levels;
	size_t depth, room;
	struct fs_dir *dir;
};
#define AUTO_WALK __attribute__((cleanup(walk_done)))

void walk_done(struct walk *w);
struct walk_level *walk_top(struct walk *w);
/* Enters the directory "name" of the current one, or of the walk's start. */
MUST_USE int walk_down(struct walk *w, const char *name);
/* Leaves the current directory; the caller gets the name, in the directory that is current now,
 * of what was left. Drops more than one level if directories were moved away meanwhile. */
MUST_USE int walk_up(struct walk *w, char **ret_name);
/* Makes w->dir read the current directory from its start. */
void walk_rewind(struct walk *w);

/* Inodes, each with a number. */
struct inode_set {
	struct inode_slot {
		dev_t dev;
		ino_t ino;
		uint64_t number;
	} * slots;
	size_t room, count;
};
void inode_set_done(struct inode_set *s);
/* The number of an inode that is in already, else 0 and it gets the next one, from 1 on. */
uint64_t inode_set_add(struct inode_set *s, dev_t dev, ino_t ino);
