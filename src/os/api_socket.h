/* SPDX-License-Identifier: Apache-2.0 */
/* The sockets that clients and shims know by name. */
#pragma once

#include <sys/types.h>

#include "base/attr.h"

/* What the original allows: a byte may be missing on some systems. */
#define API_SOCKET_PATH_MAX 104

/* Listens, non-blocking, at "path": makes its directory (0770, owned by uid and gid) if it is
 * missing, takes the place of a socket that nobody serves any more, and leaves the new one with
 * mode 0660 and this owner. -ENAMETOOLONG; -EADDRINUSE when somebody serves there, or when what
 * stands there is no socket. The descriptor or -errno. */
MAY_BLOCK MUST_USE int api_socket_listen(const char *path, uid_t uid, gid_t gid);
