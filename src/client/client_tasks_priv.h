/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "client/client_priv.h"

DEFINE_AUTO(struct ctrd_process *, ctrd_process_free)

MUST_USE int client_process_get(struct ctrd_client *c, const char *container,
		const char *exec_id, struct ctrd_process **ret_process, struct err *err);
