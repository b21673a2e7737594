/* SPDX-License-Identifier: Apache-2.0 */
/* Packs bytes for tests. */
#pragma once

#include <stdlib.h>

#include "archive/codec.h"
#include "base/auto.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/mem.h"

/* Appends data, packed by a codec that is taken over. */
static inline void pack(struct buf *out, struct codec *own_codec, const void *data, size_t size)
{
	AUTO_ERR struct err err = { 0 };
	AUTO_FREE unsigned char *room = xmalloc(65536);
	struct codec_io io = { .in = data, .in_size = size, .in_ended = true };
	int rc;

	do {
		io.out = room;
		io.out_size = 65536;
		rc = codec_step(own_codec, &io, &err);
		buf_add(out, room, 65536 - io.out_size);
	} while (rc > 0);
	if (rc < 0)
		abort();
	codec_free(own_codec);
}
