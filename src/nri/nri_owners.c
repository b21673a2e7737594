/* SPDX-License-Identifier: Apache-2.0 */
#include "nri/nri_owners.h"

#include <string.h>

#include "api/arena.h"
#include "base/auto.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/str.h"
#include "nri/nri_values.h"

struct nri_owned { /* in the arena */
	struct nri_owned *next;
	const char *id, *key; /* key NULL: one value */
	Nri__Field field;
	const char *plugin; /* "-plugin": it was cleared by that one */
};

void nri_owners_init(struct nri_owners *o, struct arena *arena)
{
	o->arena = arena;
	map_init(&o->by_what);
	o->first = NULL;
	o->last = &o->first;
}

void nri_owners_done(struct nri_owners *o)
{
	map_done(&o->by_what, NULL);
}

/* Ids are a plugin's to choose, so their length is part of the key. */
static char *name_of(const char *id, Nri__Field field, const char *key)
{
	return xasprintf("%d %zu %s%s%s", (int)field, strlen(id), id, key == NULL ? "" : " ",
			key == NULL ? "" : key);
}

static struct nri_owned *find(
		const struct nri_owners *o, const char *id, Nri__Field field, const char *key)
{
	AUTO_FREE char *name = name_of(id, field, key);

	return map_find(&o->by_what, name);
}

static void set(struct nri_owners *o, const char *id, Nri__Field field, const char *key,
		const char *plugin)
{
	struct nri_owned *owned = find(o, id, field, key);
	AUTO_FREE char *name = NULL;

	if (owned != NULL) {
		owned->plugin = plugin;
		return;
	}
	owned = arena_alloc(o->arena, sizeof(*owned));
	*owned = (struct nri_owned){ NULL, arena_strdup(o->arena, id),
		arena_strdup(o->arena, key), field, plugin };
	*o->last = owned;
	o->last = &owned->next;
	name = name_of(id, field, key);
	(void)map_put(&o->by_what, name, owned);
}

static const char *field_name(Nri__Field field)
{
	const ProtobufCEnumValue *v =
			protobuf_c_enum_descriptor_get_value(&nri__field__descriptor, field);

	return v == NULL ? "" : v->name;
}

int nri_claim(struct nri_owners *o, const char *id, Nri__Field field, const char *key,
		const char *plugin, struct err *err)
{
	const struct nri_owned *owned = find(o, id, field, key);
	bool was_cleared = false;
	const char *other;

	if (owned != NULL) {
		other = nri_key(owned->plugin, &was_cleared);
		if (!was_cleared || !str_eq(other, plugin))
			return err_plain(err, ERR_UNKNOWN,
					"plugins \"%s\" and \"%s\" both tried to set %s %s",
					plugin, other, field_name(field),
					key == NULL ? "" : key);
	}
	set(o, id, field, key, arena_strdup(o->arena, plugin));
	return 0;
}

void nri_unclaim(struct nri_owners *o, const char *id, Nri__Field field, const char *key,
		const char *plugin)
{
	set(o, id, field, key, arena_printf(o->arena, "-%s", plugin));
}

void nri_claim_also(struct nri_owners *o, const char *id, Nri__Field field, const char *plugin)
{
	const struct nri_owned *owned = find(o, id, field, NULL);

	set(o, id, field, NULL,
			owned == NULL ? arena_strdup(o->arena, plugin)
				      : arena_printf(o->arena, "%s,%s", owned->plugin, plugin));
}

const char *nri_owner(
		const struct nri_owners *o, const char *id, Nri__Field field, const char *key)
{
	const struct nri_owned *owned = find(o, id, field, key);

	return owned == NULL ? NULL : owned->plugin;
}

void nri_owners_each(const struct nri_owners *o, const char *id, Nri__Field field,
		void (*each)(void *arg, const char *key, const char *plugin), void *arg)
{
	for (const struct nri_owned *w = o->first; w != NULL; w = w->next)
		if (w->field == field && w->key != NULL && str_eq(w->id, id))
			each(arg, w->key, w->plugin);
}

/* --- as a message ------------------------------------------------------------------------- */

static Nri__FieldOwners *owners_of(struct arena *a, Nri__OwningPlugins *all, const char *id)
{
	Nri__OwningPlugins__OwnersEntry *entry;

	for (size_t i = 0; i < all->n_owners; i++)
		if (str_eq(all->owners[i]->key, id))
			return all->owners[i]->value;
	entry = ARENA_NEW(
			a, Nri__OwningPlugins__OwnersEntry, nri__owning_plugins__owners_entry);
	entry->key = id;
	entry->value = ARENA_NEW(a, Nri__FieldOwners, nri__field_owners);
	nri_add(a, &all->n_owners, &all->owners, entry);
	return entry->value;
}

static Nri__CompoundFieldOwners *compound_of(
		struct arena *a, Nri__FieldOwners *owners, int32_t field)
{
	Nri__FieldOwners__CompoundEntry *entry;

	for (size_t i = 0; i < owners->n_compound; i++)
		if (owners->compound[i]->key == field)
			return owners->compound[i]->value;
	entry = ARENA_NEW(
			a, Nri__FieldOwners__CompoundEntry, nri__field_owners__compound_entry);
	entry->key = field;
	entry->value = ARENA_NEW(a, Nri__CompoundFieldOwners, nri__compound_field_owners);
	nri_add(a, &owners->n_compound, &owners->compound, entry);
	return entry->value;
}

static void put(struct arena *a, Nri__FieldOwners *owners, const struct nri_owned *w)
{
	Nri__FieldOwners__SimpleEntry *simple;
	Nri__CompoundFieldOwners__OwnersEntry *entry;
	Nri__CompoundFieldOwners *compound;

	if (w->key == NULL) {
		simple = ARENA_NEW(a, Nri__FieldOwners__SimpleEntry,
				nri__field_owners__simple_entry);
		simple->key = w->field;
		simple->value = w->plugin;
		nri_add(a, &owners->n_simple, &owners->simple, simple);
		return;
	}
	compound = compound_of(a, owners, w->field);
	entry = ARENA_NEW(a, Nri__CompoundFieldOwners__OwnersEntry,
			nri__compound_field_owners__owners_entry);
	entry->key = w->key;
	entry->value = w->plugin;
	nri_add(a, &compound->n_owners, &compound->owners, entry);
}

Nri__OwningPlugins *nri_owners_message(const struct nri_owners *o)
{
	Nri__OwningPlugins *all = ARENA_NEW(o->arena, Nri__OwningPlugins, nri__owning_plugins);

	for (const struct nri_owned *w = o->first; w != NULL; w = w->next)
		put(o->arena, owners_of(o->arena, all, w->id), w);
	return all;
}
