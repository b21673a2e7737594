/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "client/client_priv.h"
#include "core/container.h"

struct ctrd_container {
	struct container v; /* a view into the owner's arena */
	struct ctrd_containers *owner;
};
DEFINE_AUTO(struct ctrd_container *, ctrd_container_free)

MUST_USE int client_container_get(struct ctrd_client *c, const char *id,
		struct ctrd_container **ret_container, struct err *err);
/* True if the container's task can be loaded. */
bool client_task_exists(struct ctrd_client *c, const char *id);
