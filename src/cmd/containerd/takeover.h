/* SPDX-License-Identifier: Apache-2.0 */
/* The side of the daemon that is replaced (docs/design/041-hot-restart.md). */
#pragma once

#include <stdbool.h>

#include "base/attr.h"

struct daemon;
struct takeover;

/* Lets another process take over: the one that waits in the state directory, or our own
 * program, started anew. Returns at once; if it comes to nothing, we go on and the log says
 * why. */
ON_LOOP void takeover_begin(struct daemon *d);

/* The daemon is to stop. False when that must wait: daemon_stop() comes again. */
ON_LOOP MUST_USE bool takeover_give_way(struct daemon *d);

/* The loop has ended. */
MAY_BLOCK void takeover_free(struct takeover *t);
