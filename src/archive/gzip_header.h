/* SPDX-License-Identifier: Apache-2.0 */
/* The head of a gzip member, byte by byte: ISA-L's own reader takes a head that comes in two
 * pieces for damage, if it has a name, extra fields or a checksum. */
#pragma once

#include <stdint.h>

#include "base/attr.h"

/* Zeroed is ready. */
struct gzip_header {
	int part;
	unsigned count; /* bytes of the part so far */
	unsigned size;	/* of the extra field; the checksum as it stands there */
	unsigned char flags;
	uint32_t crc;
};
/* What Go keeps of a name or a comment. */
#define GZIP_MAX_TEXT 512

/* 1 after the last byte, 0 when there are more, -1 if it is none. */
MUST_USE int gzip_header_take(struct gzip_header *h, unsigned char byte);
