/* SPDX-License-Identifier: Apache-2.0 */
/* Our own environment, which children inherit. */
#pragma once

#include "base/attr.h"

/* Sets a variable. At start only, from one thread; unlike setenv(), readers in other threads
 * are not disturbed: they see the old table, which stays. */
void environment_set(const char *name, const char *value);

/* As environment_set(). */
void environment_remove(const char *name);

/* Unless it is there already, puts "dir" in front of a list separated by colons, such as PATH.
 */
void environment_prepend(const char *name, const char *dir);
