/* SPDX-License-Identifier: Apache-2.0 */
/* A content store in memory: the twin of the local one for tests. Nothing survives it. */
#pragma once

#include <stdint.h>

#include "base/attr.h"
#include "base/auto.h"

struct content_store;

MUST_USE struct content_store *content_mem_new(void);
/* lock_wait_ns as of struct content_local_options. */
MUST_USE struct content_store *content_mem_new_waiting(int64_t lock_wait_ns);

/* Writers and readers must be gone. NULL is fine. */
void content_mem_free(struct content_store *store);
DEFINE_AUTO(struct content_store *, content_mem_free)
