/* SPDX-License-Identifier: Apache-2.0 */
#include "core/sandbox.h"

#include <stdlib.h>

#include "base/mem.h"
#include "base/thread.h"

struct sandbox *sandbox_new(const char *id)
{
	struct sandbox *s = xzalloc(sizeof(*s));

	s->id = xstrdup(id);
	return s;
}

void sandbox_free(struct sandbox *s)
{
	if (s == NULL)
		return;
	free(s->id);
	free(s->sandboxer);
	free(s->runtime_name);
	any_done(&s->runtime_options);
	any_done(&s->spec);
	labels_done(&s->labels);
	anys_done(&s->extensions);
	free(s);
}

struct sandbox *sandbox_copy(const struct sandbox *s)
{
	struct sandbox *copy = sandbox_new(s->id);

	copy->sandboxer = xstrdup(s->sandboxer);
	copy->runtime_name = xstrdup(s->runtime_name);
	any_copy(&copy->runtime_options, &s->runtime_options);
	any_copy(&copy->spec, &s->spec);
	labels_copy(&copy->labels, &s->labels);
	anys_copy(&copy->extensions, &s->extensions);
	copy->created_ns = s->created_ns;
	copy->updated_ns = s->updated_ns;
	return copy;
}

int sandbox_get(struct sandbox_store *st, struct ctx *ctx, const char *id,
		struct sandbox **ret_sandbox, struct err *err)
{
	return st->ops->get(st, ctx, id, ret_sandbox, err);
}

int sandbox_list(struct sandbox_store *st, struct ctx *ctx, char *const *filters,
		sandbox_each each, void *arg, struct err *err)
{
	return st->ops->list(st, ctx, filters, each, arg, err);
}

int sandbox_create(struct sandbox_store *st, struct ctx *ctx, const struct sandbox *s,
		struct sandbox **ret_sandbox, struct err *err)
{
	ASSERT_MAY_BLOCK();
	return st->ops->create(st, ctx, s, ret_sandbox, err);
}

int sandbox_update(struct sandbox_store *st, struct ctx *ctx, const struct sandbox *s,
		char *const *fieldpaths, struct sandbox **ret_sandbox, struct err *err)
{
	ASSERT_MAY_BLOCK();
	return st->ops->update(st, ctx, s, fieldpaths, ret_sandbox, err);
}

int sandbox_remove(struct sandbox_store *st, struct ctx *ctx, const char *id, struct err *err)
{
	ASSERT_MAY_BLOCK();
	return st->ops->remove(st, ctx, id, err);
}
