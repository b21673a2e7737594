/* SPDX-License-Identifier: Apache-2.0 */
/* A sandbox controller that another process has. */
#pragma once

#include "base/attr.h"

struct pool;
struct proxy_link;
struct sandbox_controller;

/* Takes a reference to the link. "name" is what the other process knows it by. Calls are made
 * on the pool, which must outlive it. */
MUST_USE struct sandbox_controller *proxy_sandbox_new(
		struct proxy_link *link, const char *name, struct pool *pool);
