/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Several connections over one socket: each piece of bytes has a header that says whose it is
 * (id and length, big-endian). Pieces have nothing to do with messages.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"

#define NRI_FRAME_HEADER 8
/* The longest piece that peers send: a whole ttrpc message. */
#define NRI_FRAME_MAX (10 + (4 << 20))
/* The longest that we send: Go's side reads each piece with one read into whatever room is left
 * there, which is never less than the 4096 bytes of its buffered reader. */
#define NRI_FRAME_OURS 4096

/* Connections; 0 is reserved. What comes for others is dropped. */
enum nri_conn {
	NRI_CONN_PLUGIN = 1,  /* the plugin serves */
	NRI_CONN_RUNTIME = 2, /* we do */
};

struct nri_reader { /* zeroed to begin with */
	unsigned char header[NRI_FRAME_HEADER];
	size_t have;   /* of the header */
	uint32_t conn; /* of the piece whose bytes come now */
	uint32_t left;
};

/* Calls "piece" for what of the bytes belongs to one connection, in order. False when a piece
 * is too long: there is no going on then. */
MUST_USE bool nri_read(struct nri_reader *r, const void *data, size_t size,
		void (*piece)(void *arg, uint32_t conn, const void *data, size_t size),
		void *arg);

void nri_frame_header(unsigned char out[NRI_FRAME_HEADER], uint32_t conn, uint32_t size);
