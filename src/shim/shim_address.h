/* SPDX-License-Identifier: Apache-2.0 */
/* Where a shim listens: a name that daemon, tests and a second shim of the same group all
 * compute (reference 02 §2.7). */
#pragma once

#include "base/attr.h"

#define SHIM_SOCKET_DIR "/run/containerd/s"

/* Owned path <dir>/<hex>, without "unix://". */
MUST_USE char *shim_socket_path(
		const char *dir, const char *grpc_address, const char *ns, const char *group);
MUST_USE char *shim_debug_socket_path(
		const char *dir, const char *grpc_address, const char *ns, const char *group);

/* Elements joined by '/', then cleaned as Go's filepath does: no empty, "." and ".." elements;
 * empty ones are left out. Owned; "" if there is nothing. Ends with NULL. */
MUST_USE char *shim_join(const char *first, ...) __attribute__((sentinel));
