/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdbool.h>

#include "base/attr.h"

struct container;
struct ctx;
struct restart_options;

/* Looks at the task of "c" and does what its labels ask for; failures are logged. With
 * only_stopped it leaves alone what is not a task that has ended. True if it started one. */
MAY_BLOCK bool restart_apply(const struct restart_options *o, struct ctx *ctx,
		const struct container *c, bool only_stopped);
