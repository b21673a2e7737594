/* SPDX-License-Identifier: Apache-2.0 */
/* A snapshotter with bookkeeping and no files: the twin of the real ones for tests. */
#pragma once

#include "base/attr.h"

struct snapshotter;

MUST_USE struct snapshotter *snap_mem_new(void);
