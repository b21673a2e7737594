/* SPDX-License-Identifier: Apache-2.0 */
/* What a shim is doing, for whoever asks: on its debug socket, and in its log on SIGUSR1. */
#pragma once

#include "base/attr.h"

struct buf;
struct shim;

/* One line for the shim, one for each container and process. */
void debug_describe(const struct shim *s, struct buf *out);

/* Writes the description to everybody who connects to this listening socket, and closes. */
void debug_serve(struct shim *s, int own_listener);
