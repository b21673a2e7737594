/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "core/container.h"

#include "api/pb/containers.pb-c.h"

struct arena;

/* Views and copies as wire_map.h says. */
struct container wire_container_in(struct arena *a, const Containers__Container *pb);
Containers__Container *wire_container_out(struct arena *a, const struct container *c);
