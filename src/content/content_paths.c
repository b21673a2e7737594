/* SPDX-License-Identifier: Apache-2.0 */
#include "content/content_priv.h"

#include <stdio.h>
#include <string.h>

#include "base/digest.h"
#include "base/mem.h"

void ingest_path(const char *ref, char out[INGEST_PATH_SIZE])
{
	char digest[DIGEST_TEXT_SIZE];

	digest_bytes(DIGEST_SHA256, ref, strlen(ref), digest);
	(void)snprintf(out, INGEST_PATH_SIZE, "ingest/%.64s", digest_hex(digest));
}

char *blob_path(const char *digest)
{
	char *path = xasprintf("blobs/%s", digest);

	*strchr(path, ':') = '/';
	return path;
}
