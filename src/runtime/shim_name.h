/* SPDX-License-Identifier: Apache-2.0 */
/* From the name of a runtime to the shim that serves it, and to its socket. */
#pragma once

#include <stddef.h>

#include "base/attr.h"

struct err;

/* "io.containerd.runc.v2" gives "containerd-shim-runc-v2"; owned. An absolute path gives
 * itself. INVALID-looking names are of kind UNKNOWN, as in the original. */
MUST_USE int shim_name_of_runtime(const char *runtime, char **ret_name, struct err *err);

/* The executable: looked for in "path" (as PATH), then beside our own; owned, absolute. */
MAY_BLOCK MUST_USE int shim_find_binary(
		const char *runtime, const char *path, char **ret_binary, struct err *err);

/* Where the runc shims of all ages listen for this group (a task's id, unless annotations of
 * its spec name another): "<socket_dir>/<hash>"; owned. */
MUST_USE char *shim_socket_path(const char *socket_dir, const char *grpc_address,
		const char *ns, const char *group);

/* The group that the OCI spec names, else id; owned. */
MUST_USE char *shim_group_of(const void *spec, size_t size, const char *id);
