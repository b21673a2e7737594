/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "core/sandbox.h"

#include "api/pb/types.pb-c.h"

struct arena;

/* Views and copies as wire_map.h says. */
struct sandbox wire_sandbox_in(struct arena *a, const Types__Sandbox *pb);
Types__Sandbox *wire_sandbox_out(struct arena *a, const struct sandbox *s);
