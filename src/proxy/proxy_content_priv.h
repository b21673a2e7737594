/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "core/content.h"

#define CONTENT_SERVICE "containerd.services.content.v1.Content"

struct proxy_content {
	struct content_store base;
	struct proxy_link *link;
};

struct proxy_content *proxy_content_of(struct content_store *self);

/* The writer of content_store_ops. */
MAY_BLOCK MUST_USE int proxy_content_writer(struct content_store *self, struct ctx *ctx,
		const char *ref, int64_t total, const char *expected,
		struct content_writer **ret_writer, struct err *err);
