/* SPDX-License-Identifier: Apache-2.0 */
/* Namespaces and their labels (reference 01 §4.4). */
#pragma once

#include "base/attr.h"
#include "base/labels.h"

struct ctx;
struct err;
struct namespace_store;

typedef int (*namespace_each)(
		void *arg, const char *name, const struct labels *labels, struct err *err);

struct namespace_store_ops {
	int (*labels)(struct namespace_store *self, struct ctx *ctx, const char *name,
			struct labels *ret_labels, struct err *err);
	int (*list)(struct namespace_store *self, struct ctx *ctx, namespace_each each,
			void *arg, struct err *err);
	int (*create)(struct namespace_store *self, struct ctx *ctx, const char *name,
			const struct labels *labels, struct err *err);
	int (*update)(struct namespace_store *self, struct ctx *ctx, const char *name,
			const struct labels *labels, char *const *fieldpaths, struct err *err);
	int (*remove)(struct namespace_store *self, struct ctx *ctx, const char *name,
			struct err *err);
};

struct namespace_store {
	const struct namespace_store_ops *ops;
};

/* Labels of any name; unknown ones have none. */
ANY_THREAD MUST_USE int namespace_labels(struct namespace_store *s, struct ctx *ctx,
		const char *name, struct labels *ret_labels, struct err *err);
ANY_THREAD MUST_USE int namespace_list(struct namespace_store *s, struct ctx *ctx,
		namespace_each each, void *arg, struct err *err);
MAY_BLOCK MUST_USE int namespace_create(struct namespace_store *s, struct ctx *ctx,
		const char *name, const struct labels *labels, struct err *err);
MAY_BLOCK MUST_USE int namespace_update(struct namespace_store *s, struct ctx *ctx,
		const char *name, const struct labels *labels, char *const *fieldpaths,
		struct err *err);
/* NOT_FOUND; PRECONDITION while it holds images, blobs, containers or snapshots. */
MAY_BLOCK MUST_USE int namespace_remove(
		struct namespace_store *s, struct ctx *ctx, const char *name, struct err *err);
