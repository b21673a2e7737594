/* SPDX-License-Identifier: Apache-2.0 */
/* What a CDI file changes in a runtime spec (reference 02 §8.6). NULL edits change nothing. */
#pragma once

#include "base/attr.h"

struct err;
struct jnode;

MUST_USE int cdi_edits_check(const struct jnode *edits, struct err *err);
MAY_BLOCK MUST_USE int cdi_edits_apply(
		const struct jnode *edits, struct jnode *spec, struct err *err);
/* After all edits: mounts stand in the order of the depth of their paths. */
void cdi_edits_finish(struct jnode *spec);
