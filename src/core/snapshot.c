/* SPDX-License-Identifier: Apache-2.0 */
#include "core/snapshot.h"

#include <stdlib.h>

#include "base/err.h"
#include "base/mem.h"
#include "base/str.h"
#include "base/thread.h"

void snapshot_info_done(struct snapshot_info *i)
{
	free(i->name);
	free(i->parent);
	labels_done(&i->labels);
	*i = (struct snapshot_info){ 0 };
}

void snapshot_info_copy(struct snapshot_info *to, const struct snapshot_info *from)
{
	*to = *from;
	to->name = xstrdup(from->name);
	to->parent = xstrdup(from->parent);
	to->labels = (struct labels){ 0 };
	labels_copy(&to->labels, &from->labels);
}

int snapshot_prepare(struct snapshotter *s, struct ctx *ctx, const char *key,
		const char *parent, const struct labels *labels, struct mounts *ret_mounts,
		struct err *err)
{
	ASSERT_MAY_BLOCK();
	return s->ops->create(s, ctx, SNAPSHOT_ACTIVE, key, parent, labels, ret_mounts, err);
}

int snapshot_view(struct snapshotter *s, struct ctx *ctx, const char *key, const char *parent,
		const struct labels *labels, struct mounts *ret_mounts, struct err *err)
{
	ASSERT_MAY_BLOCK();
	return s->ops->create(s, ctx, SNAPSHOT_VIEW, key, parent, labels, ret_mounts, err);
}

int snapshot_mounts(struct snapshotter *s, struct ctx *ctx, const char *key,
		struct mounts *ret_mounts, struct err *err)
{
	return s->ops->mounts(s, ctx, key, ret_mounts, err);
}

int snapshot_commit(struct snapshotter *s, struct ctx *ctx, const char *name, const char *key,
		const char *parent, const struct labels *labels, struct err *err)
{
	ASSERT_MAY_BLOCK();
	return s->ops->commit(s, ctx, name, key, parent, labels, err);
}

int snapshot_remove(struct snapshotter *s, struct ctx *ctx, const char *key, struct err *err)
{
	ASSERT_MAY_BLOCK();
	return s->ops->remove(s, ctx, key, err);
}

int snapshot_stat(struct snapshotter *s, struct ctx *ctx, const char *key,
		struct snapshot_info *ret_info, struct err *err)
{
	return s->ops->stat(s, ctx, key, ret_info, err);
}

int snapshot_update(struct snapshotter *s, struct ctx *ctx, const struct snapshot_info *info,
		char *const *fieldpaths, struct snapshot_info *ret_info, struct err *err)
{
	ASSERT_MAY_BLOCK();
	if (str_is_empty(info->name))
		return err_set(err, ERR_INVALID, "%s", "");
	return s->ops->update(s, ctx, info, fieldpaths, ret_info, err);
}

int snapshot_usage(struct snapshotter *s, struct ctx *ctx, const char *key,
		struct snapshot_usage *ret_usage, struct err *err)
{
	ASSERT_MAY_BLOCK();
	return s->ops->usage(s, ctx, key, ret_usage, err);
}

int snapshot_walk(struct snapshotter *s, struct ctx *ctx, char *const *filters,
		snapshot_each each, void *arg, struct err *err)
{
	return s->ops->walk(s, ctx, filters, each, arg, err);
}

int snapshot_cleanup(struct snapshotter *s, struct ctx *ctx, struct err *err)
{
	ASSERT_MAY_BLOCK();
	if (s->ops->cleanup == NULL)
		return 0;
	return s->ops->cleanup(s, ctx, err);
}

void snapshotter_free(struct snapshotter *s)
{
	if (s != NULL)
		s->ops->free(s);
}
