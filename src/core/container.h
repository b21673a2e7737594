/* SPDX-License-Identifier: Apache-2.0 */
/* Container records and the store that keeps them (reference 01 §4.2). */
#pragma once

#include <stdint.h>

#include "base/attr.h"
#include "base/auto.h"
#include "base/labels.h"
#include "core/any.h"

struct ctx;
struct err;

struct container {
	char *id, *image, *snapshotter, *snapshot_key, *sandbox; /* NULL or text */
	char *runtime_name;
	struct any runtime_options;
	struct any spec;
	struct labels labels;
	struct anys extensions;
	int64_t created_ns, updated_ns; /* wall */
};

MUST_USE struct container *container_new(const char *id);
void container_free(struct container *c);
DEFINE_AUTO(struct container *, container_free)
MUST_USE struct container *container_copy(const struct container *c);

struct container_store;

/* Runs inside a read transaction: must not block, nor call the store. Negative stops the walk.
 */
typedef int (*container_each)(void *arg, const struct container *c, struct err *err);

struct container_store_ops {
	int (*get)(struct container_store *self, struct ctx *ctx, const char *id,
			struct container **ret_container, struct err *err);
	int (*list)(struct container_store *self, struct ctx *ctx, char *const *filters,
			container_each each, void *arg, struct err *err);
	int (*create)(struct container_store *self, struct ctx *ctx, const struct container *c,
			struct container **ret_container, struct err *err);
	int (*update)(struct container_store *self, struct ctx *ctx, const struct container *c,
			char *const *fieldpaths, struct container **ret_container,
			struct err *err);
	int (*remove)(struct container_store *self, struct ctx *ctx, const char *id,
			struct err *err);
};

struct container_store {
	const struct container_store_ops *ops;
};

/* get and list never block (mapped metadata); the others commit to disk. All want a namespace.
 */
ANY_THREAD MUST_USE int container_get(struct container_store *s, struct ctx *ctx,
		const char *id, struct container **ret_container, struct err *err);
ANY_THREAD MUST_USE int container_list(struct container_store *s, struct ctx *ctx,
		char *const *filters, container_each each, void *arg, struct err *err);
/* EXISTS, INVALID. The stored object comes back. */
MAY_BLOCK MUST_USE int container_create(struct container_store *s, struct ctx *ctx,
		const struct container *c, struct container **ret_container, struct err *err);
/* fieldpaths NULL or empty: replace everything that may change. */
MAY_BLOCK MUST_USE int container_update(struct container_store *s, struct ctx *ctx,
		const struct container *c, char *const *fieldpaths,
		struct container **ret_container, struct err *err);
MAY_BLOCK MUST_USE int container_remove(
		struct container_store *s, struct ctx *ctx, const char *id, struct err *err);
