/* SPDX-License-Identifier: Apache-2.0 */
/* The little that the shim wants to know of a container's config.json. Bytes in, answers out;
 * nothing is ever written back but the one member of an exec's process that the request
 * decides. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/attr.h"

struct buf;
struct err;

/* Owned value of the annotation that puts containers into one shim; NULL if it has none. -1 for
 * a document that is malformed. */
MUST_USE int runc_spec_group(const void *data, size_t size, char **ret_group, struct err *err);

/* True only if the container has a pid namespace of its own: then its processes end with its
 * init. */
bool runc_spec_has_own_pids(const void *data, size_t size);

/* Owned path of the container's control group; NULL if it names none by path. */
MUST_USE char *runc_spec_cgroup(const void *data, size_t size);

/* A process with "terminal" as asked, and nothing else changed. */
MUST_USE int runc_spec_set_terminal(
		const void *data, size_t size, bool terminal, struct buf *out, struct err *err);
