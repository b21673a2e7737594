/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdbool.h>

struct buf;
struct rpc_server;

/* Appends the families grpc_server_* and ttrpc_server_* of a server that measures (reference 03
 * §4.8): every method from the start, each with all status codes. with_times: also histograms
 * of how long calls took. */
void metrics_add_calls(const struct rpc_server *s, bool with_times, struct buf *out);
