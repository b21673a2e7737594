/* SPDX-License-Identifier: Apache-2.0 */
#include "snapshots/snap_store.h"

#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/str.h"
#include "base/thread.h"
#include "core/filter.h"

void snap_node_done(struct snap_node *n)
{
	free(n->parents);
	labels_done(&n->labels);
	*n = (struct snap_node){ 0 };
}

int snap_store_new_id(struct snap_store *s, uint64_t *ret_id, struct err *err)
{
	ASSERT_MAY_BLOCK();
	return s->ops->new_id(s, ret_id, err);
}

int snap_store_create(struct snap_store *s, uint64_t id, enum snapshot_kind kind,
		const char *key, const char *parent, const struct labels *labels,
		struct snap_node *ret_node, struct err *err)
{
	ASSERT_MAY_BLOCK();
	return s->ops->create(s, id, kind, key, parent, labels, ret_node, err);
}

int snap_store_commit(struct snap_store *s, const char *name, const char *key,
		const char *parent, const struct snapshot_usage *usage,
		const struct labels *labels, struct err *err)
{
	ASSERT_MAY_BLOCK();
	return s->ops->commit(s, name, key, parent, usage, labels, err);
}

int snap_store_remove(struct snap_store *s, const char *key, struct snap_node *ret_node,
		struct err *err)
{
	ASSERT_MAY_BLOCK();
	return s->ops->remove(s, key, ret_node, err);
}

int snap_store_find(struct snap_store *s, const char *key, struct snap_node *ret_node,
		struct snapshot_info *ret_info, struct snapshot_usage *ret_usage,
		struct err *err)
{
	return s->ops->find(s, key, ret_node, ret_info, ret_usage, err);
}

int snap_store_update(struct snap_store *s, const struct snapshot_info *info,
		char *const *fieldpaths, struct snapshot_info *ret_info, uint64_t *ret_id,
		struct err *err)
{
	ASSERT_MAY_BLOCK();
	return s->ops->update(s, info, fieldpaths, ret_info, ret_id, err);
}

int snap_store_walk(struct snap_store *s, char *const *filters, snap_store_each each, void *arg,
		struct err *err)
{
	return s->ops->walk(s, filters, each, arg, err);
}

void snap_store_free(struct snap_store *s)
{
	if (s != NULL)
		s->ops->free(s);
}

static const char *kind_text(enum snapshot_kind kind)
{
	switch (kind) {
	case SNAPSHOT_VIEW:
		return "view";
	case SNAPSHOT_ACTIVE:
		return "active";
	case SNAPSHOT_COMMITTED:
		return "committed";
	case SNAPSHOT_UNKNOWN:
		break;
	}
	return "unknown";
}

bool snap_info_field(void *info, char *const *path, size_t n, const char **ret_value)
{
	const struct snapshot_info *i = info;

	if (n > 1 && str_eq(path[0], "labels"))
		return filter_label(&i->labels, path, n, ret_value);
	if (str_eq(path[0], "kind"))
		*ret_value = kind_text(i->kind);
	else if (str_eq(path[0], "name"))
		*ret_value = i->name;
	else if (str_eq(path[0], "parent"))
		*ret_value = i->parent;
	else
		return false;
	return **ret_value != '\0';
}

static void replace_label(struct labels *labels, const struct labels *with, const char *key)
{
	const char *value = labels_find(with, key);

	if (str_is_empty(value))
		labels_remove(labels, key);
	else
		labels_set(labels, key, value);
}

static void replace_labels(struct snapshot_info *info, const struct snapshot_info *change)
{
	labels_done(&info->labels);
	labels_copy(&info->labels, &change->labels);
	labels_drop_empty(&info->labels);
}

int snap_info_update(struct snapshot_info *info, const struct snapshot_info *change,
		char *const *fieldpaths, struct err *err)
{
	if (strv_len(fieldpaths) == 0)
		replace_labels(info, change);
	for (size_t i = 0; i < strv_len(fieldpaths); i++) {
		const char *path = fieldpaths[i];

		if (str_eq(path, "labels"))
			replace_labels(info, change);
		else if (str_starts(path, "labels."))
			replace_label(&info->labels, &change->labels, path + strlen("labels."));
		else
			return err_set(err, ERR_INVALID,
					"cannot update \"%s\" field on snapshot \"%s\"", path,
					info->name);
	}
	return 0;
}

int snap_check_parent(const struct snapshot_info *found, const char *parent, struct err *err)
{
	if (found == NULL)
		return err_set(err, ERR_NOT_FOUND, "missing parent \"%s\" bucket", parent);
	if (found->kind != SNAPSHOT_COMMITTED)
		return err_set(err, ERR_INVALID, "parent \"%s\" is not committed snapshot",
				parent);
	return 0;
}

int snap_check_active(const struct snapshot_info *found, const char *key, struct err *err)
{
	if (found == NULL)
		return err_set(err, ERR_NOT_FOUND, "failed to get active snapshot \"%s\"", key);
	if (found->kind != SNAPSHOT_ACTIVE)
		return err_set(err, ERR_PRECONDITION, "snapshot \"%s\" is not active", key);
	return 0;
}

int snap_check_rebase(const struct snapshot_info *active, const char *parent, struct err *err)
{
	if (str_is_empty(parent) || str_eq(parent, active->parent))
		return 0;
	if (*active->parent != '\0')
		return err_set(err, ERR_INVALID,
				"snapshot \"%s\" has parent \"%s\", not \"%s\"", active->name,
				active->parent, parent);
	return 1;
}

int snap_refuse_rebase(const char *parent, struct err *err)
{
	if (err->kind != ERR_INVALID)
		return -1;
	err_clear(err);
	return err_set(err, ERR_PRECONDITION, "parent \"%s\" is not committed", parent);
}

void snap_info_set_labels(struct snapshot_info *info, const struct labels *labels)
{
	labels_done(&info->labels);
	if (labels != NULL)
		labels_copy(&info->labels, labels);
	labels_drop_empty(&info->labels);
}
