/* SPDX-License-Identifier: Apache-2.0 */
/* What is different in one tree from another, as tar. */
#pragma once

#include <stdint.h>

#include "base/attr.h"

struct ctx;
struct diff_out;
struct err;

/* "changed", if it is not -1, is the upper directory of the overlay that "upper" is, over what
 * "lower" shows; only what it names is looked at. Times later than epoch_ns (0: none) become
 * that. */
MAY_BLOCK MUST_USE int diff_changes_write(int lower, int upper, int changed, int64_t epoch_ns,
		struct diff_out *out, struct ctx *ctx, struct err *err);
