/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Texts with NULs between them, taken as keys and values to set, drop and look up. Whatever
 * comes, the set stays sorted and without doubles, and says of each key what was last said.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/auto.h"
#include "base/err.h"
#include "base/labels.h"
#include "base/mem.h"
#include "base/str.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void need(bool holds)
{
	if (!holds)
		abort();
}

static void check_order(const struct labels *l)
{
	for (size_t i = 1; i < l->count; i++)
		need(strcmp(l->items[i - 1].key, l->items[i].key) < 0);
}

static void check_sizes(const struct labels *l)
{
	AUTO_ERR struct err err = { 0 };
	bool fits = true;

	for (size_t i = 0; i < l->count; i++)
		fits = fits && strlen(l->items[i].key) + strlen(l->items[i].value) <= LABEL_MAX;
	need((labels_check(l, &err) == 0) == fits);
	need(fits || err.kind == ERR_INVALID);
}

static void change(struct labels *l, const char *key, const char *value)
{
	if (*key == '-') {
		labels_remove(l, key + 1);
		need(labels_find(l, key + 1) == NULL);
		return;
	}
	labels_set(l, key, value);
	need(str_eq(labels_find(l, key), value));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	AUTO_FREE char *text = xmemdup(data, size);
	struct labels l AUTO_LABELS = { 0 };
	struct labels copy AUTO_LABELS = { 0 };
	const char *p = text, *end = text + size;

	while (p < end) {
		const char *key = p, *value = p + strlen(p) + 1;

		if (value > end)
			value = "";
		change(&l, key, value);
		check_order(&l);
		p = *value == '\0' ? key + strlen(key) + 2 : value + strlen(value) + 1;
	}
	check_sizes(&l);
	labels_copy(&copy, &l);
	need(labels_equal(&copy, &l));
	labels_drop_empty(&copy);
	check_order(&copy);
	for (size_t i = 0; i < copy.count; i++)
		need(*copy.items[i].value != '\0');
	return 0;
}
