/* SPDX-License-Identifier: Apache-2.0 */
/* How bytes are packed, told by how they begin (reference 03 §2.3). */
#pragma once

#include <stddef.h>

enum compression {
	COMPRESSION_NONE,
	COMPRESSION_GZIP,
	COMPRESSION_ZSTD,
};

/* Enough of the beginning to tell; a stream may be shorter. */
#define COMPRESSION_HEAD 10

enum compression compression_detect(const void *head, size_t size);
