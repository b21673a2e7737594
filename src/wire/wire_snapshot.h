/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "core/snapshot.h"

#include "api/pb/snapshots.pb-c.h"

struct arena;

/* Views and copies as wire_map.h says. Kinds we do not know are COMMITTED, as the original
 * has it. */
struct snapshot_info wire_snapshot_info_in(struct arena *a, const Snapshots__Info *pb);
Snapshots__Info *wire_snapshot_info_out(struct arena *a, const struct snapshot_info *i);
