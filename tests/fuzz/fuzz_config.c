/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes may be given with --config: they are refused with a reason, or become a complete
 * configuration that prints, and reads back as the same. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/err.h"
#include "config/config.h"
#include "text/toml.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	AUTO_ERR struct err err = { 0 };
	AUTO(config_free) struct config *c = NULL;
	AUTO(config_free) struct config *again = NULL;
	AUTO_BUF struct buf out = { .limit = TOML_MAX_BYTES };
	AUTO_BUF struct buf out_again = { .limit = TOML_MAX_BYTES };

	if (config_load_bytes("fuzz", data, size, &c, &err) < 0 ||
			config_print(c, &out, &err) < 0) {
		if (err.kind == ERR_NONE)
			abort();
		return 0;
	}
	if (config_load_bytes("again", out.data, out.size, &again, &err) < 0 ||
			config_print(again, &out_again, &err) < 0)
		abort();
	if (strcmp(out.data, out_again.data) != 0)
		abort();
	return 0;
}
