/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The details of a status, as a gRPC peer sends them in a trailer and a ttrpc peer in its
 * response: base64 if it is any, else the bytes themselves. What was read must be sent on in a
 * form that reads again, with the same kind and the same details.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/auto.h"
#include "base/base64.h"
#include "base/err_details.h"
#include "base/mem.h"
#include "rpc/grpc/grpc_text_priv.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(int code, const char *details)
{
	AUTO_ERR struct err err = { 0 }, again = { 0 };
	AUTO_FREE char *sent = NULL;

	grpc_status_read(code, "message", details, &err);
	if ((code != 0 && err.kind == ERR_NONE) || err_detail_count(&err) > ERR_DETAILS_MAX)
		abort();
	if (err.kind == ERR_NONE)
		return;
	sent = grpc_details_encode(&err, SIZE_MAX);
	grpc_status_read(err_grpc_status(&err), "message", sent, &again);
	if (err_grpc_status(&again) != err_grpc_status(&err) ||
			err_detail_count(&again) != err_detail_count(&err))
		abort();
	for (size_t i = 0; i < err_detail_count(&err); i++) {
		const struct err_detail *a = err_detail_at(&err, i);
		const struct err_detail *b = err_detail_at(&again, i);

		if (a->size != b->size ||
				(a->size > 0 && memcmp(a->data, b->data, a->size) != 0))
			abort();
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	AUTO_FREE char *text = xstrndup((const char *)data, size);
	AUTO_FREE char *encoded = base64_encode(data, size, BASE64_BARE);

	check(5, text);
	check(size > 1 && data[0] == 8 ? data[1] & 15 : 2, encoded);
	return 0;
}
