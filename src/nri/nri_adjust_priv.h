/* SPDX-License-Identifier: Apache-2.0 */
/* Between nri_adjust.c and nri_adjust_linux.c. */
#pragma once

#include <stddef.h>

#include "nri/nri_adjust.h"

struct jnode;

MUST_USE struct jnode *nri_texts(const char *const *texts, size_t n);

/* The part of an adjustment that is below "linux" and "process". */
MAY_BLOCK MUST_USE int nri_adjust_linux(struct jnode *spec,
		const Nri__LinuxContainerAdjustment *a,
		const struct nri_adjust_options *options, struct err *err);
