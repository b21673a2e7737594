/* SPDX-License-Identifier: Apache-2.0 */
/* A content store that another process has. */
#pragma once

#include "base/attr.h"
#include "base/auto.h"

struct content_store;
struct pool;
struct proxy_link;

/* As proxy_snapshotter_new(). */
MUST_USE struct content_store *proxy_content_new(struct proxy_link *link, struct pool *pool);
/* Writers and readers must be gone. NULL is fine. */
void proxy_content_free(struct content_store *store);
DEFINE_AUTO(struct content_store *, proxy_content_free)
