/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An overlay's upper directory names everything that was changed. What is not named there need
 * not be looked at, unless the overlay was told to show other things than what stands there.
 */
#pragma once

#include <stdbool.h>

#include "base/attr.h"

struct mounts;

/* The directory that holds what "upper" has over "lower", if they differ by exactly that one:
 * the upper directory, or of a committed snapshot its topmost lower one. -1 otherwise, and
 * where a change need not leave its name there (index). */
MAY_BLOCK MUST_USE int diff_upper_open(const struct mounts *lower, const struct mounts *upper);

/* False of a directory that hides what is below it or shows what is elsewhere: opaque ones,
 * and those that were renamed. */
MAY_BLOCK bool diff_upper_names_all(int dir);
