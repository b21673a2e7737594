/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Messages of Content.Write: the decoder that leaves the data where it is must take exactly the
 * bytes that the ordinary one takes, and find the same data in them.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "api/arena.h"
#include "api/pb.h"
#include "base/err.h"
#include "services/content_write_priv.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	AUTO_ARENA struct arena a = { 0 };
	AUTO_ERR struct err err = { 0 }, err2 = { 0 };
	struct write_request r;
	ProtobufCMessage *m = NULL;
	int rc, rc2;

	arena_init(&a, SIZE_MAX);
	rc = write_request_decode(data, size, &a, &r, &err);
	rc2 = pb_decode(&content__write_content_request__descriptor, data, size, &a, NULL, &m,
			&err2);
	if (rc2 == 0) {
		const Content__WriteContentRequest *w = (const Content__WriteContentRequest *)m;

		if (rc < 0 || r.size != w->data.len ||
				memcmp(r.data,
						w->data.data == NULL ? (const void *)""
								     : w->data.data,
						r.size) != 0 ||
				strcmp(r.message->ref, w->ref) != 0 ||
				r.message->offset != w->offset)
			abort();
	}
	return 0;
}
