/* SPDX-License-Identifier: Apache-2.0 */
#include "client/client_priv.h"

#include <stdlib.h>

#include "base/mem.h"

struct ctrd_labels *ctrd_labels_new(void)
{
	return xzalloc(sizeof(struct ctrd_labels));
}

void ctrd_labels_free(struct ctrd_labels *l)
{
	if (l == NULL)
		return;
	labels_done(&l->set);
	free(l);
}

struct ctrd_labels *ctrd_labels_copy(const struct ctrd_labels *l)
{
	struct ctrd_labels *copy = ctrd_labels_new();

	labels_copy(&copy->set, inner_labels(l));
	return copy;
}

void ctrd_labels_set(struct ctrd_labels *l, const char *key, const char *value)
{
	labels_set(&l->set, key, value);
}

void ctrd_labels_remove(struct ctrd_labels *l, const char *key)
{
	labels_remove(&l->set, key);
}

size_t ctrd_labels_count(const struct ctrd_labels *l)
{
	return inner_labels(l)->count;
}

const char *ctrd_labels_key(const struct ctrd_labels *l, size_t i)
{
	return i < ctrd_labels_count(l) ? l->set.items[i].key : NULL;
}

const char *ctrd_labels_value(const struct ctrd_labels *l, size_t i)
{
	return i < ctrd_labels_count(l) ? l->set.items[i].value : NULL;
}

const char *ctrd_labels_get(const struct ctrd_labels *l, const char *key)
{
	return labels_find(inner_labels(l), key);
}
