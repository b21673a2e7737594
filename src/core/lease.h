/* SPDX-License-Identifier: Apache-2.0 */
/* Leases keep resources from garbage collection (reference 01 §7.1). */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/labels.h"

struct ctx;
struct err;
struct lease_store;

struct lease {
	char *id;
	int64_t created_ns;
	struct labels labels;
};
void lease_done(struct lease *l);

typedef int (*lease_each)(void *arg, const struct lease *l, struct err *err);
typedef int (*lease_resource_each)(
		void *arg, const char *type, const char *id, struct err *err);

struct lease_store_ops {
	int (*create)(struct lease_store *self, struct ctx *ctx, const char *id,
			const struct labels *labels, struct lease *ret_lease, struct err *err);
	int (*remove)(struct lease_store *self, struct ctx *ctx, const char *id, bool sync,
			struct err *err);
	int (*list)(struct lease_store *self, struct ctx *ctx, char *const *filters,
			lease_each each, void *arg, struct err *err);
	int (*add_resource)(struct lease_store *self, struct ctx *ctx, const char *lease,
			const char *type, const char *id, struct err *err);
	int (*remove_resource)(struct lease_store *self, struct ctx *ctx, const char *lease,
			const char *type, const char *id, struct err *err);
	int (*resources)(struct lease_store *self, struct ctx *ctx, const char *lease,
			lease_resource_each each, void *arg, struct err *err);
};
struct lease_store {
	const struct lease_store_ops *ops;
};

/* id NULL or "": the store makes one. */
MAY_BLOCK MUST_USE int lease_create(struct lease_store *s, struct ctx *ctx, const char *id,
		const struct labels *labels, struct lease *ret_lease, struct err *err);
MAY_BLOCK MUST_USE int lease_remove(struct lease_store *s, struct ctx *ctx, const char *id,
		bool sync, struct err *err);
ANY_THREAD MUST_USE int lease_list(struct lease_store *s, struct ctx *ctx, char *const *filters,
		lease_each each, void *arg, struct err *err);
/* type: "content", "ingests", "images" or "snapshots/<snapshotter>". */
MAY_BLOCK MUST_USE int lease_add_resource(struct lease_store *s, struct ctx *ctx,
		const char *lease, const char *type, const char *id, struct err *err);
MAY_BLOCK MUST_USE int lease_remove_resource(struct lease_store *s, struct ctx *ctx,
		const char *lease, const char *type, const char *id, struct err *err);
ANY_THREAD MUST_USE int lease_resources(struct lease_store *s, struct ctx *ctx,
		const char *lease, lease_resource_each each, void *arg, struct err *err);
