/* SPDX-License-Identifier: Apache-2.0 */
#include "core/namespace.h"

#include "base/thread.h"

int namespace_labels(struct namespace_store *s, struct ctx *ctx, const char *name,
		struct labels *ret_labels, struct err *err)
{
	return s->ops->labels(s, ctx, name, ret_labels, err);
}

int namespace_list(struct namespace_store *s, struct ctx *ctx, namespace_each each, void *arg,
		struct err *err)
{
	return s->ops->list(s, ctx, each, arg, err);
}

int namespace_create(struct namespace_store *s, struct ctx *ctx, const char *name,
		const struct labels *labels, struct err *err)
{
	ASSERT_MAY_BLOCK();
	return s->ops->create(s, ctx, name, labels, err);
}

int namespace_update(struct namespace_store *s, struct ctx *ctx, const char *name,
		const struct labels *labels, char *const *fieldpaths, struct err *err)
{
	ASSERT_MAY_BLOCK();
	return s->ops->update(s, ctx, name, labels, fieldpaths, err);
}

int namespace_remove(
		struct namespace_store *s, struct ctx *ctx, const char *name, struct err *err)
{
	ASSERT_MAY_BLOCK();
	return s->ops->remove(s, ctx, name, err);
}
