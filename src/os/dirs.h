/* SPDX-License-Identifier: Apache-2.0 */
/* The daemon's own directories. */
#pragma once

#include <sys/types.h>

#include "base/attr.h"

/* Makes "path" and what is missing above it. The directory ends up ours, and with no permission
 * that "mode" does not have, whoever made it before (an older version, say). A link in the path
 * is followed: administrators move these directories. 0 or -errno. */
MAY_BLOCK MUST_USE int dir_make_own(const char *path, mode_t mode);

/* Takes the directory for this process alone, for as long as the descriptor is open: it, or
 * -EWOULDBLOCK while another process has it. A killed owner leaves nothing behind. */
MAY_BLOCK MUST_USE int dir_lock(const char *path);
