/* SPDX-License-Identifier: Apache-2.0 */
/* Image records: a name for a descriptor (reference 01 §4.3). */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/auto.h"
#include "base/labels.h"

struct ctx;
struct err;

/* Owns its texts. */
struct descriptor {
	char *media_type, *digest;
	int64_t size; /* bytes */
	struct labels annotations;
};

void descriptor_done(struct descriptor *d);
void descriptor_copy(struct descriptor *to, const struct descriptor *from);

struct image {
	char *name;
	struct labels labels;
	struct descriptor target;
	int64_t created_ns, updated_ns; /* wall */
};

/* With nothing but the name, which is copied. */
MUST_USE struct image *image_new(const char *name);
void image_free(struct image *i);
DEFINE_AUTO(struct image *, image_free)
MUST_USE struct image *image_copy(const struct image *i);

struct image_store;
typedef int (*image_each)(void *arg, const struct image *i, struct err *err);

/* source_date_epoch_ns: NULL for none, else the time to record. */
struct image_store_ops {
	int (*get)(struct image_store *self, struct ctx *ctx, const char *name,
			struct image **ret_image, struct err *err);
	int (*list)(struct image_store *self, struct ctx *ctx, char *const *filters,
			image_each each, void *arg, struct err *err);
	int (*create)(struct image_store *self, struct ctx *ctx, const struct image *i,
			const int64_t *source_date_epoch_ns, struct image **ret_image,
			struct err *err);
	int (*update)(struct image_store *self, struct ctx *ctx, const struct image *i,
			char *const *fieldpaths, const int64_t *source_date_epoch_ns,
			struct image **ret_image, struct err *err);
	int (*remove)(struct image_store *self, struct ctx *ctx, const char *name,
			const char *target_digest, bool sync, struct err *err);
};

struct image_store {
	const struct image_store_ops *ops;
};

ANY_THREAD MUST_USE int image_get(struct image_store *s, struct ctx *ctx, const char *name,
		struct image **ret_image, struct err *err);
ANY_THREAD MUST_USE int image_list(struct image_store *s, struct ctx *ctx, char *const *filters,
		image_each each, void *arg, struct err *err);
MAY_BLOCK MUST_USE int image_create(struct image_store *s, struct ctx *ctx,
		const struct image *i, const int64_t *source_date_epoch_ns,
		struct image **ret_image, struct err *err);
MAY_BLOCK MUST_USE int image_update(struct image_store *s, struct ctx *ctx,
		const struct image *i, char *const *fieldpaths,
		const int64_t *source_date_epoch_ns, struct image **ret_image, struct err *err);
/* target_digest NULL: whatever it is. sync: returns after a garbage collection. */
MAY_BLOCK MUST_USE int image_remove(struct image_store *s, struct ctx *ctx, const char *name,
		const char *target_digest, bool sync, struct err *err);
