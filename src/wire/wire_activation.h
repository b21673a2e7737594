/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "core/mount_manager.h"

#include "api/pb/types.pb-c.h"

struct arena;

/* Copies as wire_map.h says. */
Types__ActivationInfo *wire_activation_out(struct arena *a, const struct activation *from);
