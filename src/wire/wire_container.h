/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "core/container.h"

#include "api/pb/containers.pb-c.h"

struct arena;
struct pb_sink;

/* Views as wire_map.h says; the message borrows from the container, which must outlive it. */
struct container wire_container_in(struct arena *a, const Containers__Container *pb);
Containers__Container *wire_container_out(struct arena *a, const struct container *c);
/* A pb_put: writes the bytes of that message. */
void wire_container_put(struct pb_sink *s, const void *container);
