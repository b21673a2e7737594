/* SPDX-License-Identifier: Apache-2.0 */
#include "nri/nri_frame.h"

#include <string.h>

static uint32_t get_u32(const unsigned char *p)
{
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static void put_u32(unsigned char *p, uint32_t n)
{
	p[0] = (unsigned char)(n >> 24);
	p[1] = (unsigned char)(n >> 16);
	p[2] = (unsigned char)(n >> 8);
	p[3] = (unsigned char)n;
}

static size_t smaller(size_t a, size_t b)
{
	return a < b ? a : b;
}

/* Takes what is missing of a header; how many bytes that was. */
static size_t read_header(struct nri_reader *r, const unsigned char *data, size_t size)
{
	size_t n = smaller(size, NRI_FRAME_HEADER - r->have);

	memcpy(r->header + r->have, data, n);
	r->have += n;
	if (r->have == NRI_FRAME_HEADER) {
		r->conn = get_u32(r->header);
		r->left = get_u32(r->header + 4);
	}
	return n;
}

bool nri_read(struct nri_reader *r, const void *data, size_t size,
		void (*piece)(void *arg, uint32_t conn, const void *data, size_t size),
		void *arg)
{
	const unsigned char *at = data;
	size_t n;

	for (; size > 0; at += n, size -= n) {
		if (r->have < NRI_FRAME_HEADER) {
			n = read_header(r, at, size);
			if (r->have < NRI_FRAME_HEADER)
				continue;
			if (r->left > NRI_FRAME_MAX)
				return false;
		} else {
			n = smaller(size, r->left);
			piece(arg, r->conn, at, n);
			r->left -= (uint32_t)n;
		}
		if (r->left == 0)
			r->have = 0;
	}
	return true;
}

void nri_frame_header(unsigned char out[NRI_FRAME_HEADER], uint32_t conn, uint32_t size)
{
	put_u32(out, conn);
	put_u32(out + 4, size);
}
