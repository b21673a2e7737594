/* SPDX-License-Identifier: Apache-2.0 */
/* The calling side of a gRPC connection. */
#pragma once

#include <stdint.h>

struct channel;

/* Before the first call, for tests: how long a peer may be silent while calls wait, and then
 * take to answer a ping. */
void grpc_client_keepalive(struct channel *c, int64_t silence_ms, int64_t timeout_ms);
