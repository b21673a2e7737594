/* SPDX-License-Identifier: Apache-2.0 */
#include "core/lease.h"

#include <stdlib.h>

#include "base/thread.h"

void lease_done(struct lease *l)
{
	free(l->id);
	labels_done(&l->labels);
	*l = (struct lease){ 0 };
}

int lease_create(struct lease_store *s, struct ctx *ctx, const char *id,
		const struct labels *labels, struct lease *ret_lease, struct err *err)
{
	ASSERT_MAY_BLOCK();
	return s->ops->create(s, ctx, id, labels, ret_lease, err);
}

int lease_remove(struct lease_store *s, struct ctx *ctx, const char *id, bool sync,
		struct err *err)
{
	ASSERT_MAY_BLOCK();
	return s->ops->remove(s, ctx, id, sync, err);
}

int lease_list(struct lease_store *s, struct ctx *ctx, char *const *filters, lease_each each,
		void *arg, struct err *err)
{
	return s->ops->list(s, ctx, filters, each, arg, err);
}

int lease_add_resource(struct lease_store *s, struct ctx *ctx, const char *lease,
		const char *type, const char *id, struct err *err)
{
	ASSERT_MAY_BLOCK();
	return s->ops->add_resource(s, ctx, lease, type, id, err);
}

int lease_remove_resource(struct lease_store *s, struct ctx *ctx, const char *lease,
		const char *type, const char *id, struct err *err)
{
	ASSERT_MAY_BLOCK();
	return s->ops->remove_resource(s, ctx, lease, type, id, err);
}

int lease_resources(struct lease_store *s, struct ctx *ctx, const char *lease,
		lease_resource_each each, void *arg, struct err *err)
{
	return s->ops->resources(s, ctx, lease, each, arg, err);
}
