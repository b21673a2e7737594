/* SPDX-License-Identifier: Apache-2.0 */
/* Whatever a shim prints: an endpoint or an error, and what we note of it reads back the same.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/auto.h"
#include "base/buf.h"
#include "base/err.h"
#include "runtime/shim_endpoint.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	AUTO_ERR struct err err = { 0 }, err2 = { 0 };
	AUTO_ENDPOINT struct shim_endpoint e = { 0 }, back = { 0 };
	AUTO_BUF struct buf json = { .limit = SIZE_MAX };
	AUTO_FREE char *socket = NULL;

	if (shim_endpoint_parse(data, size, &e, &err) < 0) {
		if (err.kind == ERR_NONE)
			abort();
		return 0;
	}
	if (shim_endpoint_socket(&e, &socket, &err) < 0)
		return 0;
	if (e.version != 2 && e.version != 3)
		return 0; /* refused when the connection is made */
	shim_endpoint_write(&e, &json);
	if (json.size > SHIM_ANSWER_MAX)
		return 0;
	if (shim_endpoint_parse(json.data, json.size, &back, &err2) < 0 ||
			strcmp(back.address, e.address) != 0 || back.version != e.version ||
			back.is_grpc != e.is_grpc)
		abort();
	return 0;
}
