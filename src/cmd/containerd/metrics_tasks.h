/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "base/attr.h"

struct buf;
struct namespace_store;
struct task_service;

/* Asks the shims of all tasks for figures and appends them as families container_* (reference
 * 02 §8.3). Tasks that do not answer in time are left out. */
MAY_BLOCK void metrics_add_tasks(struct namespace_store *namespaces, struct task_service *tasks,
		struct buf *out);
