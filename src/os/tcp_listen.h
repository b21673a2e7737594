/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "base/attr.h"

/* Listens, non-blocking, on "host:port", "[v6]:port" or ":port" (every address). Host names are
 * looked up. -EINVAL for what is no address, -EADDRNOTAVAIL for a name nobody knows. The
 * descriptor or -errno. */
MAY_BLOCK MUST_USE int tcp_listen(const char *address);
