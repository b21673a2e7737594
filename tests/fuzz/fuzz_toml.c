/* SPDX-License-Identifier: Apache-2.0 */
/* Any file may be named as configuration; what is read can be printed and read again. */
#include <stdint.h>
#include <stdlib.h>

#include "base/buf.h"
#include "base/err.h"
#include "text/toml.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	AUTO_ERR struct err err = { 0 };
	AUTO(toml_free) struct toml_value *t = NULL;
	AUTO(toml_free) struct toml_value *again = NULL;
	AUTO_BUF struct buf out = { .limit = TOML_MAX_BYTES };

	if (toml_parse("fuzz", data, size, &t, &err) < 0) {
		if (err.kind == ERR_NONE)
			abort();
		return 0;
	}
	toml_print(t, &out);
	if (out.overflowed)
		return 0;
	if (toml_parse("again", out.size > 0 ? out.data : "", out.size, &again, &err) < 0)
		abort();
	if (!toml_equal(t, again))
		abort();
	return 0;
}
