/* SPDX-License-Identifier: Apache-2.0 */
/*
 * protoc-c makes a type of its own for the entries of every map. They differ in name only, so
 * they are read and made through their descriptors: field 0 is the key, field 1 the value.
 */
#include "wire/wire_map.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "api/arena.h"
#include "api/fieldmask.h"

char **wire_strv_in(struct arena *a, size_t n, const char **texts)
{
	char **v = arena_calloc(a, n + 1, sizeof(*v));

	for (size_t i = 0; i < n; i++)
		v[i] = (char *)texts[i];
	return v;
}

const char **wire_strv_out(struct arena *a, char *const *v, size_t *ret_n)
{
	const char **texts = NULL;
	size_t n = 0;

	while (v != NULL && v[n] != NULL)
		n++;
	*ret_n = n;
	if (n == 0)
		return NULL;
	texts = arena_calloc(a, n, sizeof(*texts));
	for (size_t i = 0; i < n; i++)
		texts[i] = arena_strdup(a, v[i]);
	return texts;
}

char **wire_mask_in(struct arena *a, const Google__Protobuf__FieldMask *mask)
{
	mask = fieldmask_or_null(mask);
	return mask == NULL ? NULL : wire_strv_in(a, mask->n_paths, (const char **)mask->paths);
}

/* The place of field "i" in an entry. */
static void *slot(const ProtobufCMessage *entry, unsigned i)
{
	const ProtobufCMessageDescriptor *d = entry->descriptor;

	assert(d->n_fields == 2 && d->fields[i].id == i + 1);
	return (char *)entry + d->fields[i].offset;
}

static const char *key_of(const ProtobufCMessage *entry)
{
	return *(const char **)slot(entry, 0);
}

struct place {
	const char *key;
	size_t at; /* in the message: sorting keeps the order of equal keys */
};

static int by_key(const void *a, const void *b)
{
	const struct place *x = a, *y = b;
	int order = strcmp(x->key, y->key);

	return order != 0 ? order : (x->at > y->at) - (x->at < y->at);
}

/* The distinct keys in byte order, each with the place of its last entry. Returns their number.
 */
static size_t sort_entries(struct arena *a, size_t n, const void *entries, struct place **ret)
{
	ProtobufCMessage *const *list = entries;
	struct place *places = arena_calloc(a, n, sizeof(*places));
	size_t kept = 0;

	for (size_t i = 0; i < n; i++)
		places[i] = (struct place){ key_of(list[i]), i };
	qsort(places, n, sizeof(*places), by_key);
	for (size_t i = 0; i < n; i++)
		if (i + 1 == n || strcmp(places[i].key, places[i + 1].key) != 0)
			places[kept++] = places[i];
	*ret = places;
	return kept;
}

struct labels wire_labels_in(struct arena *a, size_t n, const void *entries)
{
	ProtobufCMessage *const *list = entries;
	struct place *places = NULL;
	struct labels labels = { 0 };

	if (n == 0)
		return labels;
	labels.count = sort_entries(a, n, entries, &places);
	labels.items = arena_calloc(a, labels.count, sizeof(*labels.items));
	for (size_t i = 0; i < labels.count; i++) {
		labels.items[i].key = (char *)places[i].key;
		labels.items[i].value = *(char **)slot(list[places[i].at], 1);
	}
	return labels;
}

/* An initialised entry with its key. */
static ProtobufCMessage *new_entry(
		struct arena *a, const ProtobufCMessageDescriptor *type, const char *key)
{
	ProtobufCMessage *entry = arena_alloc(a, type->sizeof_message);

	type->message_init(entry);
	*(const char **)slot(entry, 0) = arena_strdup(a, key);
	return entry;
}

void *wire_labels_out(struct arena *a, const struct labels *labels,
		const ProtobufCMessageDescriptor *entry, size_t *ret_n)
{
	ProtobufCMessage **list = NULL;

	*ret_n = labels->count;
	if (labels->count == 0)
		return NULL;
	list = arena_calloc(a, labels->count, sizeof(*list));
	for (size_t i = 0; i < labels->count; i++) {
		list[i] = new_entry(a, entry, labels->items[i].key);
		*(const char **)slot(list[i], 1) = arena_strdup(a, labels->items[i].value);
	}
	return list;
}

struct any wire_any_in(const Google__Protobuf__Any *pb)
{
	if (pb == NULL)
		return (struct any){ 0 };
	return (struct any){ true, (char *)pb->type_url, pb->value.data, pb->value.len };
}

Google__Protobuf__Any *wire_any_view(struct arena *a, const struct any *any)
{
	Google__Protobuf__Any *pb = NULL;

	if (!any->is_set)
		return NULL;
	pb = ARENA_NEW(a, Google__Protobuf__Any, google__protobuf__any);
	if (any->type_url != NULL)
		pb->type_url = any->type_url;
	if (any->size > 0)
		pb->value = (ProtobufCBinaryData){ any->size, any->value };
	return pb;
}

Google__Protobuf__Any *wire_any_out(struct arena *a, const struct any *any)
{
	Google__Protobuf__Any *pb = wire_any_view(a, any);

	if (pb == NULL)
		return NULL;
	pb->type_url = arena_strdup(a, pb->type_url);
	if (pb->value.len > 0)
		pb->value.data = arena_memdup(a, pb->value.data, pb->value.len);
	return pb;
}

struct anys wire_anys_in(struct arena *a, size_t n, const void *entries)
{
	ProtobufCMessage *const *list = entries;
	struct place *places = NULL;
	struct anys anys = { 0 };

	if (n == 0)
		return anys;
	anys.count = sort_entries(a, n, entries, &places);
	anys.items = arena_calloc(a, anys.count, sizeof(*anys.items));
	for (size_t i = 0; i < anys.count; i++) {
		anys.items[i].key = (char *)places[i].key;
		anys.items[i].any = wire_any_in(
				*(Google__Protobuf__Any **)slot(list[places[i].at], 1));
		anys.items[i].any.is_set = true;
	}
	return anys;
}

void *wire_anys_out(struct arena *a, const struct anys *anys,
		const ProtobufCMessageDescriptor *entry, size_t *ret_n)
{
	ProtobufCMessage **list = NULL;

	*ret_n = anys->count;
	if (anys->count == 0)
		return NULL;
	list = arena_calloc(a, anys->count, sizeof(*list));
	for (size_t i = 0; i < anys->count; i++) {
		list[i] = new_entry(a, entry, anys->items[i].key);
		*(Google__Protobuf__Any **)slot(list[i], 1) =
				wire_any_out(a, &anys->items[i].any);
	}
	return list;
}
