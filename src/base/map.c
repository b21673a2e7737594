/* SPDX-License-Identifier: Apache-2.0 */
/* Open addressing with linear probing and backward-shift deletion. */
#include "base/map.h"

#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "base/mem.h"

void map_init(struct map *m)
{
	*m = (struct map){ 0 };
	if (getrandom(&m->seed, sizeof(m->seed), GRND_NONBLOCK) != sizeof(m->seed))
		m->seed = (uint64_t)(uintptr_t)m;
}

void map_done(struct map *m, void (*free_value)(void *value))
{
	for (size_t i = 0; i < m->room; i++) {
		if (m->slots[i].key == NULL)
			continue;
		free(m->slots[i].key);
		if (free_value != NULL)
			free_value(m->slots[i].value);
	}
	free(m->slots);
	*m = (struct map){ .seed = m->seed };
}

static uint64_t hash_text(const struct map *m, const char *key)
{
	uint64_t h = m->seed ^ 0xcbf29ce484222325u;

	for (; *key != '\0'; key++) {
		h ^= (unsigned char)*key;
		h *= 0x9e3779b97f4a7c15u;
		h ^= h >> 29;
	}
	return h;
}

/* The slot that holds the key, or the free one where it would go. Needs room > count. */
static size_t probe(const struct map *m, const char *key, uint64_t hash)
{
	size_t i = hash & (m->room - 1);

	while (m->slots[i].key != NULL &&
			(m->slots[i].hash != hash || strcmp(m->slots[i].key, key) != 0))
		i = (i + 1) & (m->room - 1);
	return i;
}

static void grow(struct map *m)
{
	struct map old = *m;

	m->room = old.room == 0 ? 8 : old.room * 2;
	m->slots = xcalloc(m->room, sizeof(*m->slots));
	for (size_t i = 0; i < old.room; i++)
		if (old.slots[i].key != NULL)
			m->slots[probe(m, old.slots[i].key, old.slots[i].hash)] = old.slots[i];
	free(old.slots);
}

void *map_find(const struct map *m, const char *key)
{
	return m->room == 0 ? NULL : m->slots[probe(m, key, hash_text(m, key))].value;
}

void *map_put(struct map *m, const char *key, void *value)
{
	uint64_t hash = hash_text(m, key);
	struct map_slot *slot;
	void *old;

	if ((m->count + 1) * 4 > m->room * 3)
		grow(m);
	slot = &m->slots[probe(m, key, hash)];
	old = slot->value;
	if (slot->key == NULL) {
		*slot = (struct map_slot){ xstrdup(key), NULL, hash };
		m->count++;
	}
	slot->value = value;
	return old;
}

void *map_remove(struct map *m, const char *key)
{
	size_t mask = m->room - 1, hole, i;
	void *value;

	if (m->room == 0)
		return NULL;
	hole = probe(m, key, hash_text(m, key));
	if (m->slots[hole].key == NULL)
		return NULL;
	value = m->slots[hole].value;
	free(m->slots[hole].key);
	for (i = (hole + 1) & mask; m->slots[i].key != NULL; i = (i + 1) & mask) {
		size_t home = m->slots[i].hash & mask;

		/* Move it back unless its home lies behind the hole. */
		if (((i - home) & mask) < ((i - hole) & mask))
			continue;
		m->slots[hole] = m->slots[i];
		hole = i;
	}
	m->slots[hole] = (struct map_slot){ 0 };
	m->count--;
	return value;
}

struct map_slot *map_next(const struct map *m, size_t *at)
{
	while (*at < m->room)
		if (m->slots[(*at)++].key != NULL)
			return &m->slots[*at - 1];
	return NULL;
}

static int by_text(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

char **map_sorted_keys(const struct map *m)
{
	char **keys = xcalloc(m->count + 1, sizeof(*keys));
	size_t n = 0;

	map_for_each (slot, m)
		keys[n++] = xstrdup(slot->key);
	qsort(keys, n, sizeof(*keys), by_text);
	return keys;
}
