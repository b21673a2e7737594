/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stddef.h>

#include "base/digest.h"

/* The id of a stack of layers: of one, its diff id; else the digest of "<id below> <diff id>".
 * count is at least 1. */
void chain_id(char *const *diff_ids, size_t count, char out[DIGEST_TEXT_SIZE]);
