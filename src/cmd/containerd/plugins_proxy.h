/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "base/attr.h"

struct config;
struct err;
struct loop;
struct plugin_set;
struct proxies;

/* Adds a plugin for each table of [proxy_plugins]. INVALID for a type that is not known, EXISTS
 * for a name that is taken. ret_proxies is set in any case, and outlives the set. */
MUST_USE int proxies_add(struct plugin_set *set, struct loop *loop, const struct config *config,
		struct proxies **ret_proxies, struct err *err);
/* Before the loop goes. NULL is fine. */
void proxies_free(struct proxies *p);
