/* SPDX-License-Identifier: Apache-2.0 */
/* What the daemon and a layer helper share apart from records: descriptors, and one number. */
#pragma once

#include <stdatomic.h>
#include <stdint.h>

/* The helper's descriptors. */
enum {
	LAYER_FD_RECORDS = 1, /* a pipe to the daemon */
	LAYER_FD_RING = 3,    /* memory with the bytes */
	LAYER_FD_CONTROL = 4, /* memory with a struct layer_told, for the daemon to write */
	LAYER_FD_TOLD = 5,    /* an eventfd: told again */
	LAYER_FD_INPUT = 6,   /* bytes to unpack or pack: a regular file, or a pipe */
	LAYER_FD_WINDOW = 7,  /* a file for a decoder's large window; need not be there */
	LAYER_FD_COUNT,
};

/* Position up to which the ring holds bytes (for who reads it) or is free again (for who writes
 * it). No queue: the last one counts, and telling never waits for the helper. */
struct layer_told {
	_Atomic uint64_t position;
};
#define LAYER_TOLD_LAST (UINT64_C(1) << 63) /* there will be no more bytes than these */
