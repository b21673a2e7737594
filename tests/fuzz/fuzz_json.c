/* SPDX-License-Identifier: Apache-2.0 */
/* Documents from images and bundles: what parses can be looked into and patched, and a patched
 * document is still one. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/err.h"
#include "text/json.h"
#include "text/json_span.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char *const path[] = { "process", "args", NULL };
	AUTO_ERR struct err err = { 0 };
	AUTO_ERR struct err set_err = { 0 };
	AUTO_BUF struct buf out = { .limit = 2 * JSON_MAX_BYTES };
	AUTO(json_free) struct json *j = NULL;
	struct json_span span = { 0 };
	int rc = json_span_find(data, size, path, &span, &err);

	if ((rc < 0) != (err.kind != ERR_NONE))
		abort();
	err_clear(&err);
	if (json_parse(data, size, &j, &err) < 0) {
		if (err.kind == ERR_NONE)
			abort();
		return 0;
	}
	if (json_span_set(data, size, path, "[\"sh\"]", &out, &set_err) < 0)
		return 0;
	if (json_span_find(out.data, out.size, path, &span, &err) != 1 || span.size != 6)
		abort();
	return 0;
}
