/* SPDX-License-Identifier: Apache-2.0 */
/* What the two files of the content store share. */
#pragma once

#include "base/mem.h"
#include "core/content.h"

#define CONTENT_SERVICE "containerd.services.content.v1.Content"

struct proxy_content {
	struct content_store base;
	struct proxy_link *link;
};

static inline struct proxy_content *proxy_content_of(struct content_store *self)
{
	return container_of(self, struct proxy_content, base);
}

/* The writer of content_store_ops. */
MAY_BLOCK MUST_USE int proxy_content_writer(struct content_store *self, struct ctx *ctx,
		const char *ref, int64_t total, const char *expected,
		struct content_writer **ret_writer, struct err *err);
