/* SPDX-License-Identifier: Apache-2.0 */
/* A snapshotter that another process has. */
#pragma once

#include "base/attr.h"

struct pool;
struct proxy_link;
struct snapshotter;

/* "name": what the process calls it. The link is shared; the pool, where calls of clients wait
 * for it, is borrowed (NULL: they wait on the pool of the server). */
MUST_USE struct snapshotter *proxy_snapshotter_new(
		struct proxy_link *link, const char *name, struct pool *pool);
