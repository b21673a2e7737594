/* SPDX-License-Identifier: Apache-2.0 */
/* Messages of the API as values in an arena: lists that grow, maps, marks of removal. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "api/arena.h"
#include "api/pb/nri.pb-c.h"
#include "base/attr.h"

/* Entries of one list that a plugin may send; comparing lists stays cheap. */
#define NRI_ITEMS_MAX 4096

/* Any generated map<string, string> entry. */
struct nri_pair {
	ProtobufCMessage base;
	const char *key, *value;
};

/* An array with room for one more: lists double, so that adding is cheap. */
MUST_USE void *nri_list_grow(struct arena *a, void *list, size_t count);

/* nri_add(arena, &owner->n_mounts, &owner->mounts, mount) */
#define nri_add(arena, n, list, item)                                                          \
	do {                                                                                   \
		*(list) = nri_list_grow((arena), (void *)*(list), *(n));                       \
		(*(list))[(*(n))++] = (item);                                                  \
	} while (0)

/* Key without its mark; *ret_marked tells whether it had one ("-key": remove it). */
const char *nri_key(const char *key, bool *ret_marked);

/* Maps are arrays of pointers to entries (struct nri_pair in all but name). */
struct nri_map {
	size_t *count;
	struct nri_pair ***entries;
	const ProtobufCMessageDescriptor *entry;
};
#define NRI_MAP(owner, field, type)                                                            \
	((struct nri_map){ &(owner)->n_##field, (struct nri_pair ***)&(owner)->field,          \
			&type##__descriptor })
struct nri_pair *nri_map_find(const struct nri_map *m, const char *key);
void nri_map_set(struct arena *a, const struct nri_map *m, const char *key, const char *value);
/* Without looking for the key, of which the caller knows that it is new. */
void nri_map_put(struct arena *a, const struct nri_map *m, const char *key, const char *value);
void nri_map_remove(const struct nri_map *m, const char *key);
