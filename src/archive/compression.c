/* SPDX-License-Identifier: Apache-2.0 */
#include "archive/compression.h"

#include <stdbool.h>
#include <string.h>

static bool is_zstd(const unsigned char *head, size_t size)
{
	if (size >= 4 && memcmp(head, "\x28\xb5\x2f\xfd", 4) == 0)
		return true;
	/* A frame to be skipped, with its length: */
	return size >= 8 && (head[0] & 0xf0) == 0x50 &&
	       memcmp(head + 1, "\x2a\x4d\x18", 3) == 0;
}

enum compression compression_detect(const void *head, size_t size)
{
	if (size >= 3 && memcmp(head, "\x1f\x8b\x08", 3) == 0)
		return COMPRESSION_GZIP;
	return is_zstd(head, size) ? COMPRESSION_ZSTD : COMPRESSION_NONE;
}
