/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "core/mount.h"

#include "api/pb/types.pb-c.h"

struct arena;

/* Views and copies as wire_map.h says. */
struct mounts wire_mounts_in(struct arena *a, size_t n, Types__Mount *const *list);
Types__Mount **wire_mounts_out(struct arena *a, const struct mounts *m, size_t *ret_n);
