/* SPDX-License-Identifier: Apache-2.0 */
/* What "ps --format json" of a runtime printed. Pure. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"

struct err;

/* An array of numbers, or null; warnings of the runtime may stand before it. Owned. */
MUST_USE int runc_parse_pids(const char *text, size_t size, uint32_t **ret_pids,
		size_t *ret_count, struct err *err);
