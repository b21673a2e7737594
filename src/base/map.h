/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Text keys to pointers. Iteration follows no order; whoever needs one sorts. Keys are copied,
 * values belong to the caller. Hashing is seeded, so that peers cannot choose collisions.
 * Threads: none of its own; the owner locks.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"

struct map_slot {
	char *key;
	void *value;
	uint64_t hash;
};

struct map {
	struct map_slot *slots; /* private */
	size_t room;
	size_t count;
	uint64_t seed;
};

void map_init(struct map *m);
/* Frees keys and slots; values too if free_value is not NULL. */
void map_done(struct map *m, void (*free_value)(void *value));
void *map_find(const struct map *m, const char *key); /* NULL if absent */
/* Replaces; returns the value that was there before, or NULL. */
void *map_put(struct map *m, const char *key, void *value);
/* Returns the value taken out, or NULL. */
void *map_remove(struct map *m, const char *key);

/* Next filled slot at or after *at; advances *at. NULL at the end. */
struct map_slot *map_next(const struct map *m, size_t *at);
#define map_for_each(slot, m)                                                                  \
	for (size_t slot##_at = 0, slot##_go = 1; slot##_go; slot##_go = 0)                    \
		for (struct map_slot * slot; (slot = map_next((m), &slot##_at)) != NULL;)

/* Owned, NULL-terminated vector of the keys in byte order. */
MUST_USE char **map_sorted_keys(const struct map *m);
