/* SPDX-License-Identifier: Apache-2.0 */
#include "nri/nri_values.h"

#include <string.h>

void *nri_list_grow(struct arena *a, void *list, size_t count)
{
	void **grown;

	if (count > 0 && (count < 4 || (count & (count - 1)) != 0))
		return list;
	grown = arena_calloc(a, count < 4 ? 4 : count * 2, sizeof(*grown));
	if (count > 0)
		memcpy((void *)grown, list, count * sizeof(*grown));
	return (void *)grown;
}

const char *nri_key(const char *key, bool *ret_marked)
{
	*ret_marked = key[0] == '-';
	return *ret_marked ? key + 1 : key;
}

static size_t position(const struct nri_map *m, const char *key)
{
	size_t i = 0;

	while (i < *m->count && strcmp((*m->entries)[i]->key, key) != 0)
		i++;
	return i;
}

struct nri_pair *nri_map_find(const struct nri_map *m, const char *key)
{
	size_t i = position(m, key);

	return i < *m->count ? (*m->entries)[i] : NULL;
}

void nri_map_put(struct arena *a, const struct nri_map *m, const char *key, const char *value)
{
	struct nri_pair *pair = arena_alloc(a, m->entry->sizeof_message);

	protobuf_c_message_init(m->entry, &pair->base);
	pair->key = key;
	pair->value = value;
	nri_add(a, m->count, m->entries, pair);
}

void nri_map_set(struct arena *a, const struct nri_map *m, const char *key, const char *value)
{
	struct nri_pair *pair = nri_map_find(m, key);

	if (pair == NULL)
		nri_map_put(a, m, key, value);
	else
		pair->value = value;
}

void nri_map_remove(const struct nri_map *m, const char *key)
{
	size_t i = position(m, key);

	if (i == *m->count)
		return;
	--*m->count;
	memmove((void *)(*m->entries + i), (const void *)(*m->entries + i + 1),
			(*m->count - i) * sizeof(**m->entries));
}
