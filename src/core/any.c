/* SPDX-License-Identifier: Apache-2.0 */
#include "core/any.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"

void any_done(struct any *a)
{
	int saved = errno;

	free(a->type_url);
	free(a->value);
	*a = (struct any){ 0 };
	errno = saved;
}

void any_set(struct any *a, const char *type_url, const void *value, size_t size)
{
	struct any fresh = { true, xstrdup(str_or(type_url, "")), xmemdup(value, size), size };

	any_done(a);
	*a = fresh;
}

void any_copy(struct any *to, const struct any *from)
{
	*to = (struct any){ 0 };
	if (from->is_set)
		any_set(to, from->type_url, from->value, from->size);
}

void anys_done(struct anys *a)
{
	for (size_t i = 0; i < a->count; i++) {
		free(a->items[i].key);
		any_done(&a->items[i].any);
	}
	free(a->items);
	*a = (struct anys){ 0 };
}

void anys_copy(struct anys *to, const struct anys *from)
{
	*to = (struct anys){ 0 };
	for (size_t i = 0; i < from->count; i++)
		anys_set(to, from->items[i].key, &from->items[i].any);
}

/* First index whose key is not less than "key". */
static size_t place_of(const struct anys *a, const char *key)
{
	size_t i = 0;

	while (i < a->count && strcmp(a->items[i].key, key) < 0)
		i++;
	return i;
}

static bool is_at(const struct anys *a, size_t i, const char *key)
{
	return i < a->count && strcmp(a->items[i].key, key) == 0;
}

const struct any *anys_find(const struct anys *a, const char *key)
{
	size_t i = place_of(a, key);

	return is_at(a, i, key) ? &a->items[i].any : NULL;
}

void anys_set(struct anys *a, const char *key, const struct any *any)
{
	size_t i = place_of(a, key);
	struct any copy;

	any_copy(&copy, any);
	if (is_at(a, i, key)) {
		any_done(&a->items[i].any);
		a->items[i].any = copy;
		return;
	}
	a->items = xreallocarray(a->items, a->count + 1, sizeof(*a->items));
	memmove(&a->items[i + 1], &a->items[i], (a->count - i) * sizeof(*a->items));
	a->items[i] = (struct named_any){ xstrdup(key), copy };
	a->count++;
}

void anys_remove(struct anys *a, const char *key)
{
	size_t i = place_of(a, key);

	if (!is_at(a, i, key))
		return;
	free(a->items[i].key);
	any_done(&a->items[i].any);
	a->count--;
	memmove(&a->items[i], &a->items[i + 1], (a->count - i) * sizeof(*a->items));
}
