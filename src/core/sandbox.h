/* SPDX-License-Identifier: Apache-2.0 */
/* Sandbox records and the store that keeps them (reference 01 §4.8). */
#pragma once

#include <stdint.h>

#include "base/attr.h"
#include "base/auto.h"
#include "base/labels.h"
#include "core/any.h"

struct ctx;
struct err;

struct sandbox {
	char *id, *sandboxer; /* NULL or text */
	char *runtime_name;   /* may be empty */
	struct any runtime_options, spec;
	struct labels labels;
	struct anys extensions;
	int64_t created_ns, updated_ns; /* wall */
};

MUST_USE struct sandbox *sandbox_new(const char *id);
void sandbox_free(struct sandbox *s);
DEFINE_AUTO(struct sandbox *, sandbox_free)
MUST_USE struct sandbox *sandbox_copy(const struct sandbox *s);

struct sandbox_store;

/* Runs inside a read transaction: must not block, nor call the store. Negative stops the walk.
 */
typedef int (*sandbox_each)(void *arg, const struct sandbox *s, struct err *err);

struct sandbox_store_ops {
	int (*get)(struct sandbox_store *self, struct ctx *ctx, const char *id,
			struct sandbox **ret_sandbox, struct err *err);
	int (*list)(struct sandbox_store *self, struct ctx *ctx, char *const *filters,
			sandbox_each each, void *arg, struct err *err);
	int (*create)(struct sandbox_store *self, struct ctx *ctx, const struct sandbox *s,
			struct sandbox **ret_sandbox, struct err *err);
	int (*update)(struct sandbox_store *self, struct ctx *ctx, const struct sandbox *s,
			char *const *fieldpaths, struct sandbox **ret_sandbox, struct err *err);
	int (*remove)(struct sandbox_store *self, struct ctx *ctx, const char *id,
			struct err *err);
};

struct sandbox_store {
	const struct sandbox_store_ops *ops;
};

ANY_THREAD MUST_USE int sandbox_get(struct sandbox_store *st, struct ctx *ctx, const char *id,
		struct sandbox **ret_sandbox, struct err *err);
ANY_THREAD MUST_USE int sandbox_list(struct sandbox_store *st, struct ctx *ctx,
		char *const *filters, sandbox_each each, void *arg, struct err *err);
/* EXISTS, INVALID. The stored object comes back. */
MAY_BLOCK MUST_USE int sandbox_create(struct sandbox_store *st, struct ctx *ctx,
		const struct sandbox *s, struct sandbox **ret_sandbox, struct err *err);
/* fieldpaths NULL or empty: replace everything that may change. */
MAY_BLOCK MUST_USE int sandbox_update(struct sandbox_store *st, struct ctx *ctx,
		const struct sandbox *s, char *const *fieldpaths, struct sandbox **ret_sandbox,
		struct err *err);
MAY_BLOCK MUST_USE int sandbox_remove(
		struct sandbox_store *st, struct ctx *ctx, const char *id, struct err *err);
