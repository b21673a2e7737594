/* SPDX-License-Identifier: Apache-2.0 */
#include "oci/chain.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "base/auto.h"
#include "base/mem.h"

void chain_id(char *const *diff_ids, size_t count, char out[DIGEST_TEXT_SIZE])
{
	assert(count > 0);
	snprintf(out, DIGEST_TEXT_SIZE, "%s", diff_ids[0]);
	for (size_t i = 1; i < count; i++) {
		AUTO_FREE char *both = xasprintf("%s %s", out, diff_ids[i]);

		digest_bytes(DIGEST_SHA256, both, strlen(both), out);
	}
}
