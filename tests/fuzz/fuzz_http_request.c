/* SPDX-License-Identifier: Apache-2.0 */
/* The head of a request is understood, refused with a known status, or needs more bytes; more
 * bytes behind a decision never change it. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/auto.h"
#include "base/mem.h"
#include "metrics/http_request.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct http_request r = { 0 }, again = { 0 };
	AUTO_FREE char *more = xzalloc(size + 1);
	int status = http_request_parse((const char *)data, size, &r);

	if (size > 0)
		memcpy(more, data, size);
	if (status == 200 && (r.path[0] != '/' || memchr(r.path, '\0', sizeof(r.path)) == NULL))
		abort();
	if (status != 0 && strcmp(http_reason(status), "Error") == 0)
		abort();
	if (status != 0 && http_request_parse(more, size + 1, &again) != status)
		abort();
	return 0;
}
