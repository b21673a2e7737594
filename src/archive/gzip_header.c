/* SPDX-License-Identifier: Apache-2.0 */
#include "archive/gzip_header.h"

#include <isa-l/crc.h>

enum { FIXED, EXTRA_SIZE, EXTRA, NAME, COMMENT, CHECKSUM, END };

#define FIXED_SIZE 10
#define DEFLATE	   8

/* The flag that says that a part is there. */
static const unsigned char flag_of[END] = {
	[EXTRA_SIZE] = 4, [EXTRA] = 4, [NAME] = 8, [COMMENT] = 16, [CHECKSUM] = 2
};

static int next_part(struct gzip_header *h)
{
	do
		h->part++;
	while (h->part < END && ((h->flags & flag_of[h->part]) == 0 ||
						(h->part == EXTRA && h->size == 0)));
	h->count = 0;
	if (h->part == CHECKSUM)
		h->size = 0;
	return h->part == END;
}

static int take_fixed(struct gzip_header *h, unsigned char byte)
{
	static const unsigned char magic[] = { 0x1f, 0x8b, DEFLATE };

	if (h->count <= sizeof(magic) && byte != magic[h->count - 1])
		return -1;
	if (h->count == sizeof(magic) + 1)
		h->flags = byte;
	return h->count == FIXED_SIZE ? next_part(h) : 0;
}

static int take_text(struct gzip_header *h, unsigned char byte)
{
	if (h->count > GZIP_MAX_TEXT)
		return -1;
	return byte == 0 ? next_part(h) : 0;
}

static int take_checksum(struct gzip_header *h, unsigned char byte)
{
	h->size |= (unsigned)byte << 8 * (h->count - 1);
	if (h->count < 2)
		return 0;
	return h->size == (h->crc & 0xffff) ? next_part(h) : -1;
}

int gzip_header_take(struct gzip_header *h, unsigned char byte)
{
	h->count++;
	if (h->part != CHECKSUM)
		h->crc = crc32_gzip_refl(h->crc, &byte, 1);
	switch (h->part) {
	case FIXED:
		return take_fixed(h, byte);
	case EXTRA_SIZE:
		h->size |= (unsigned)byte << 8 * (h->count - 1);
		return h->count == 2 ? next_part(h) : 0;
	case EXTRA:
		return h->count == h->size ? next_part(h) : 0;
	case NAME:
	case COMMENT:
		return take_text(h, byte);
	default:
		return take_checksum(h, byte);
	}
}
