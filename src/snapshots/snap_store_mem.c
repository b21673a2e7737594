/* SPDX-License-Identifier: Apache-2.0 */
#include "snapshots/snap_store.h"

#include <stdlib.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/map.h"
#include "base/mem.h"
#include "base/mutex.h"
#include "base/str.h"
#include "core/filter.h"

struct row {
	uint64_t id;
	struct snapshot_info info;
	struct snapshot_usage usage;
};

struct store_mem {
	struct snap_store base;
	struct mutex lock;
	struct map rows; /* key to struct row */
	uint64_t last_id;
};

static void row_free(void *value)
{
	struct row *r = value;

	if (r == NULL)
		return;
	snapshot_info_done(&r->info);
	free(r);
}

static struct store_mem *mem_of(struct snap_store *self)
{
	return container_of(self, struct store_mem, base);
}

static struct row *find_row(struct store_mem *s, const char *key, struct err *err)
{
	struct row *r = map_find(&s->rows, key);

	if (r == NULL)
		(void)err_set(err, ERR_NOT_FOUND, "snapshot %s", key);
	return r;
}

static const struct snapshot_info *find_info(struct store_mem *s, const char *key)
{
	struct row *r = map_find(&s->rows, key);

	return r == NULL ? NULL : &r->info;
}

static void fill_node(struct store_mem *s, const struct row *r, struct snap_node *node)
{
	const char *parent = r->info.parent;

	*node = (struct snap_node){ .id = r->id, .kind = r->info.kind };
	labels_copy(&node->labels, &r->info.labels);
	while (*parent != '\0') {
		struct row *p = map_find(&s->rows, parent);

		node->parents = xreallocarray(
				node->parents, node->parent_count + 1, sizeof(*node->parents));
		node->parents[node->parent_count++] = p->id;
		parent = p->info.parent;
	}
}

static int mem_new_id(struct snap_store *self, uint64_t *ret_id, struct err *err)
{
	struct store_mem *s = mem_of(self);

	LOCKED(&s->lock);
	*ret_id = ++s->last_id;
	return 0;
}

static int mem_create(struct snap_store *self, uint64_t id, enum snapshot_kind kind,
		const char *key, const char *parent, const struct labels *labels,
		struct snap_node *ret_node, struct err *err)
{
	struct store_mem *s = mem_of(self);
	struct row *r;

	LOCKED(&s->lock);
	if (map_find(&s->rows, key) != NULL)
		return err_set(err, ERR_EXISTS, "snapshot %s", key);
	if (!str_is_empty(parent) && snap_check_parent(find_info(s, parent), parent, err) < 0)
		return -1;
	r = xzalloc(sizeof(*r));
	r->id = id;
	r->info.name = xstrdup(key);
	r->info.parent = xstrdup(str_or(parent, ""));
	r->info.kind = kind;
	r->info.created_ns = r->info.updated_ns = clock_wall_ns();
	snap_info_set_labels(&r->info, labels);
	(void)map_put(&s->rows, key, r);
	if (ret_node != NULL)
		fill_node(s, r, ret_node);
	return 0;
}

static int check_rebase(struct store_mem *s, const struct snapshot_info *active,
		const char *parent, struct err *err)
{
	int rc = snap_check_rebase(active, parent, err);

	if (rc > 0 && snap_check_parent(find_info(s, parent), parent, err) < 0)
		return snap_refuse_rebase(parent, err);
	return rc;
}

static int mem_commit(struct snap_store *self, const char *name, const char *key,
		const char *parent, const struct snapshot_usage *usage,
		const struct labels *labels, struct err *err)
{
	struct store_mem *s = mem_of(self);
	struct row *r;

	LOCKED(&s->lock);
	if (map_find(&s->rows, name) != NULL)
		return err_set(err, ERR_EXISTS, "committed snapshot %s", name);
	r = map_find(&s->rows, key);
	if (snap_check_active(find_info(s, key), key, err) < 0 ||
			check_rebase(s, &r->info, parent, err) < 0)
		return -1;
	(void)map_remove(&s->rows, key);
	if (!str_is_empty(parent)) {
		free(r->info.parent);
		r->info.parent = xstrdup(parent);
	}
	free(r->info.name);
	r->info.name = xstrdup(name);
	r->info.kind = SNAPSHOT_COMMITTED;
	r->info.created_ns = r->info.updated_ns = clock_wall_ns();
	r->usage = *usage;
	snap_info_set_labels(&r->info, labels);
	(void)map_put(&s->rows, name, r);
	return 0;
}

static bool has_child(struct store_mem *s, const char *key)
{
	map_for_each (slot, &s->rows) {
		const struct row *r = slot->value;

		if (str_eq(r->info.parent, key))
			return true;
	}
	return false;
}

static int mem_remove(struct snap_store *self, const char *key, struct snap_node *ret_node,
		struct err *err)
{
	struct store_mem *s = mem_of(self);
	struct row *r;

	LOCKED(&s->lock);
	r = find_row(s, key, err);
	if (r == NULL)
		return -1;
	if (has_child(s, key))
		return err_set(err, ERR_PRECONDITION, "cannot remove snapshot with child");
	if (ret_node != NULL)
		fill_node(s, r, ret_node);
	row_free(map_remove(&s->rows, key));
	return 0;
}

static int mem_find(struct snap_store *self, const char *key, struct snap_node *ret_node,
		struct snapshot_info *ret_info, struct snapshot_usage *ret_usage,
		struct err *err)
{
	struct store_mem *s = mem_of(self);
	struct row *r;

	LOCKED(&s->lock);
	r = find_row(s, key, err);
	if (r == NULL)
		return -1;
	if (ret_node != NULL)
		fill_node(s, r, ret_node);
	if (ret_info != NULL)
		snapshot_info_copy(ret_info, &r->info);
	if (ret_usage != NULL)
		*ret_usage = r->usage;
	return 0;
}

static int mem_update(struct snap_store *self, const struct snapshot_info *info,
		char *const *fieldpaths, struct snapshot_info *ret_info, uint64_t *ret_id,
		struct err *err)
{
	struct store_mem *s = mem_of(self);
	struct snapshot_info changed;
	struct row *r;

	LOCKED(&s->lock);
	r = find_row(s, info->name, err);
	if (r == NULL)
		return -1;
	snapshot_info_copy(&changed, &r->info);
	if (snap_info_update(&changed, info, fieldpaths, err) < 0) {
		snapshot_info_done(&changed);
		return -1;
	}
	changed.updated_ns = clock_wall_ns();
	snapshot_info_done(&r->info);
	r->info = changed;
	snapshot_info_copy(ret_info, &r->info);
	if (ret_id != NULL)
		*ret_id = r->id;
	return 0;
}

/* The callback runs without the lock, on a copy: it may ask the store again. */
static int walk_key(struct store_mem *s, const char *key, struct filter *filter,
		snap_store_each each, void *arg, struct err *err)
{
	struct snapshot_info info = { 0 };
	uint64_t id = 0;
	int rc = 0;

	mutex_lock(&s->lock);
	{
		const struct row *r = map_find(&s->rows, key);

		if (r != NULL) {
			snapshot_info_copy(&info, &r->info);
			id = r->id;
		}
	}
	mutex_unlock(&s->lock);
	if (info.name == NULL)
		return 0;
	if (filter_match(filter, snap_info_field, &info, err))
		rc = each(arg, id, &info, err);
	else if (err->kind != ERR_NONE)
		rc = -1;
	snapshot_info_done(&info);
	return rc;
}

static int mem_walk(struct snap_store *self, char *const *filters, snap_store_each each,
		void *arg, struct err *err)
{
	struct store_mem *s = mem_of(self);
	AUTO(filter_free) struct filter *filter = NULL;
	AUTO_STRV char **keys = NULL;

	if (filter_parse(filters, &filter, err) < 0)
		return -1;
	mutex_lock(&s->lock);
	keys = map_sorted_keys(&s->rows);
	mutex_unlock(&s->lock);
	for (size_t i = 0; keys[i] != NULL; i++)
		if (walk_key(s, keys[i], filter, each, arg, err) < 0)
			return -1;
	return 0;
}

static void mem_free(struct snap_store *self)
{
	struct store_mem *s = mem_of(self);

	map_done(&s->rows, row_free);
	mutex_done(&s->lock);
	free(s);
}

static const struct snap_store_ops mem_ops = {
	.new_id = mem_new_id,
	.create = mem_create,
	.commit = mem_commit,
	.remove = mem_remove,
	.find = mem_find,
	.update = mem_update,
	.walk = mem_walk,
	.free = mem_free,
};

struct snap_store *snap_store_mem_new(void)
{
	struct store_mem *s = xzalloc(sizeof(*s));

	s->base.ops = &mem_ops;
	mutex_init(&s->lock, RANK_snapshots);
	map_init(&s->rows);
	return &s->base;
}
