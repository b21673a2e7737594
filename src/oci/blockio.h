/* SPDX-License-Identifier: Apache-2.0 */
/* Classes of block I/O: a name, and in a YAML file what it means on this host (reference 02
 * §8.7). */
#pragma once

#include <stddef.h>

#include "base/attr.h"

struct err;
struct jnode;

/* Sets linux.resources.blockIO to what the class of the file asks for; devices are looked up
 * below /dev. INVALID for a file that makes no sense, NOT_FOUND without such a class. */
MAY_BLOCK MUST_USE int blockio_apply(struct jnode *spec, const void *file, size_t size,
		const char *class_name, struct err *err);
