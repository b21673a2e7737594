/* SPDX-License-Identifier: Apache-2.0 */
/* Telling the service manager how we are: sd_notify(3) without its library. */
#pragma once

#include "base/attr.h"

/* Sends e.g. "READY=1" to $NOTIFY_SOCKET without waiting: 1 if it was sent, 0 if nobody wants
 * to know, or -errno. */
MUST_USE int notify_send(const char *state);
