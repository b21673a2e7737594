/* SPDX-License-Identifier: Apache-2.0 */
#include "base/labels.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/mem.h"
#include "base/str.h"

void labels_done(struct labels *l)
{
	int saved = errno;

	for (size_t i = 0; i < l->count; i++) {
		free(l->items[i].key);
		free(l->items[i].value);
	}
	free(l->items);
	*l = (struct labels){ 0 };
	errno = saved;
}

/* Index of the first item whose key is not less than "key". */
static size_t lower_bound(const struct labels *l, const char *key)
{
	size_t low = 0, high = l->count;

	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (strcmp(l->items[mid].key, key) < 0)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

const char *labels_find(const struct labels *l, const char *key)
{
	size_t i = lower_bound(l, key);

	return i < l->count && strcmp(l->items[i].key, key) == 0 ? l->items[i].value : NULL;
}

void labels_set(struct labels *l, const char *key, const char *value)
{
	size_t i = lower_bound(l, key);

	if (i < l->count && strcmp(l->items[i].key, key) == 0) {
		char *copy = xstrdup(value);

		free(l->items[i].value);
		l->items[i].value = copy;
		return;
	}
	l->items = xreallocarray(l->items, l->count + 1, sizeof(*l->items));
	memmove(&l->items[i + 1], &l->items[i], (l->count - i) * sizeof(*l->items));
	l->items[i] = (struct label){ xstrdup(key), xstrdup(value) };
	l->count++;
}

static void remove_at(struct labels *l, size_t i)
{
	free(l->items[i].key);
	free(l->items[i].value);
	l->count--;
	memmove(&l->items[i], &l->items[i + 1], (l->count - i) * sizeof(*l->items));
}

void labels_remove(struct labels *l, const char *key)
{
	size_t i = lower_bound(l, key);

	if (i < l->count && strcmp(l->items[i].key, key) == 0)
		remove_at(l, i);
}

void labels_copy(struct labels *to, const struct labels *from)
{
	to->items = from->count == 0 ? NULL : xcalloc(from->count, sizeof(*to->items));
	to->count = from->count;
	for (size_t i = 0; i < from->count; i++)
		to->items[i] = (struct label){ xstrdup(from->items[i].key),
			xstrdup(from->items[i].value) };
}

void labels_drop_empty(struct labels *l)
{
	for (size_t i = l->count; i-- > 0;)
		if (l->items[i].value[0] == '\0')
			remove_at(l, i);
}

bool labels_equal(const struct labels *a, const struct labels *b)
{
	if (a->count != b->count)
		return false;
	for (size_t i = 0; i < a->count; i++)
		if (strcmp(a->items[i].key, b->items[i].key) != 0 ||
				strcmp(a->items[i].value, b->items[i].value) != 0)
			return false;
	return true;
}

int label_check(const char *key, const char *value, struct err *err)
{
	size_t total = strlen(key) + strlen(value);

	if (total <= LABEL_MAX)
		return 0;
	return err_set(err, ERR_INVALID,
			"label key and value length (%zu bytes) greater than maximum size (%d "
			"bytes), "
			"key: %.64s",
			total, LABEL_MAX, key);
}

int labels_check(const struct labels *l, struct err *err)
{
	for (size_t i = 0; i < l->count; i++)
		if (label_check(l->items[i].key, l->items[i].value, err) < 0)
			return -1;
	return 0;
}
