/* SPDX-License-Identifier: Apache-2.0 */
#include "core/container.h"

#include <stdlib.h>

#include "base/err.h"
#include "base/mem.h"
#include "base/str.h"
#include "base/thread.h"

struct container *container_new(const char *id)
{
	struct container *c = xzalloc(sizeof(*c));

	c->id = xstrdup(id);
	return c;
}

void container_free(struct container *c)
{
	if (c == NULL)
		return;
	free(c->id);
	free(c->image);
	free(c->snapshotter);
	free(c->snapshot_key);
	free(c->sandbox);
	free(c->runtime_name);
	any_done(&c->runtime_options);
	any_done(&c->spec);
	labels_done(&c->labels);
	anys_done(&c->extensions);
	free(c);
}

struct container *container_copy(const struct container *c)
{
	struct container *copy = container_new(c->id);

	copy->image = xstrdup(c->image);
	copy->snapshotter = xstrdup(c->snapshotter);
	copy->snapshot_key = xstrdup(c->snapshot_key);
	copy->sandbox = xstrdup(c->sandbox);
	copy->runtime_name = xstrdup(c->runtime_name);
	any_copy(&copy->runtime_options, &c->runtime_options);
	any_copy(&copy->spec, &c->spec);
	labels_copy(&copy->labels, &c->labels);
	anys_copy(&copy->extensions, &c->extensions);
	copy->created_ns = c->created_ns;
	copy->updated_ns = c->updated_ns;
	return copy;
}

int container_get(struct container_store *s, struct ctx *ctx, const char *id,
		struct container **ret_container, struct err *err)
{
	return s->ops->get(s, ctx, id, ret_container, err);
}

int container_list(struct container_store *s, struct ctx *ctx, char *const *filters,
		container_each each, void *arg, struct err *err)
{
	return s->ops->list(s, ctx, filters, each, arg, err);
}

int container_create(struct container_store *s, struct ctx *ctx, const struct container *c,
		struct container **ret_container, struct err *err)
{
	ASSERT_MAY_BLOCK();
	return s->ops->create(s, ctx, c, ret_container, err);
}

int container_update(struct container_store *s, struct ctx *ctx, const struct container *c,
		char *const *fieldpaths, struct container **ret_container, struct err *err)
{
	ASSERT_MAY_BLOCK();
	if (str_is_empty(c->id))
		return err_plain(err, ERR_INVALID, "Container.ID required");
	return s->ops->update(s, ctx, c, fieldpaths, ret_container, err);
}

int container_remove(
		struct container_store *s, struct ctx *ctx, const char *id, struct err *err)
{
	ASSERT_MAY_BLOCK();
	return s->ops->remove(s, ctx, id, err);
}
