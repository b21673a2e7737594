/* SPDX-License-Identifier: Apache-2.0 */
/* A differ that another process has. */
#pragma once

#include "base/attr.h"

struct differ;
struct pool;
struct proxy_link;

/* As proxy_snapshotter_new(). */
MUST_USE struct differ *proxy_differ_new(struct proxy_link *link, struct pool *pool);
