/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/shim_table.h"

#include <stdlib.h>
#include <string.h>

#include "base/auto.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/str.h"
#include "runtime/shim.h"

void shim_table_init(struct shim_table *t)
{
	mutex_init(&t->lock, RANK_shim_table);
	map_init(&t->shims);
}

static void drop(void *shim)
{
	shim_unref(shim);
}

void shim_table_done(struct shim_table *t)
{
	map_done(&t->shims, drop);
	mutex_done(&t->lock);
}

/* A namespace has no slash. */
static char *key_of(const char *ns, const char *id)
{
	return xasprintf("%s/%s", ns, id);
}

int shim_table_reserve(struct shim_table *t, struct shim *s, struct err *err)
{
	AUTO_FREE char *key = key_of(s->ns, s->id);

	LOCKED(&t->lock);
	if (map_find(&t->shims, key) != NULL)
		return err_set(err, ERR_EXISTS, "task %s", s->id);
	(void)map_put(&t->shims, key, shim_ref(s));
	return 0;
}

void shim_table_show(struct shim_table *t, struct shim *s)
{
	LOCKED(&t->lock);
	s->is_ready = true;
}

bool shim_table_remove(struct shim_table *t, struct shim *s)
{
	AUTO_FREE char *key = key_of(s->ns, s->id);

	{
		LOCKED(&t->lock);
		if (map_find(&t->shims, key) != s)
			return false;
		(void)map_remove(&t->shims, key);
	}
	shim_unref(s);
	return true;
}

struct shim *shim_table_find(struct shim_table *t, const char *ns, const char *id)
{
	AUTO_FREE char *key = key_of(ns, id);
	struct shim *s;

	LOCKED(&t->lock);
	s = map_find(&t->shims, key);
	return s != NULL && s->is_ready ? shim_ref(s) : NULL;
}

bool shim_table_has(struct shim_table *t, const char *ns, const char *id)
{
	AUTO_FREE char *key = key_of(ns, id);

	LOCKED(&t->lock);
	return map_find(&t->shims, key) != NULL;
}

static int by_id(const void *a, const void *b)
{
	return strcmp((*(struct shim *const *)a)->id, (*(struct shim *const *)b)->id);
}

struct shim **shim_table_list(struct shim_table *t, const char *ns, size_t *ret_count)
{
	struct shim **list;
	size_t n = 0;

	{
		LOCKED(&t->lock);
		list = xcalloc(t->shims.count + 1, sizeof(struct shim *));
		map_for_each (slot, &t->shims) {
			struct shim *s = slot->value;

			if (s->is_ready && (ns == NULL || (str_eq(s->ns, ns) && !s->is_pod)))
				list[n++] = shim_ref(s);
		}
	}
	qsort(list, n, sizeof(struct shim *), by_id);
	*ret_count = n;
	return list;
}

void shim_list_free(struct shim **list, size_t count)
{
	for (size_t i = 0; i < count; i++)
		shim_unref(list[i]);
	free(list);
}

bool shim_table_is_shared(struct shim_table *t, const struct shim *s)
{
	LOCKED(&t->lock);
	map_for_each (slot, &t->shims) {
		const struct shim *other = slot->value;

		if (other != s && other->is_ready &&
				str_eq(other->endpoint.address, s->endpoint.address))
			return true;
	}
	return false;
}
