/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The first byte chooses a decompressor and how large the pieces are, the rest is what it gets.
 * Small and large pieces must come to the same bytes or fail; it must end; and what it has
 * made, packed again, must come back.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "archive/codec.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/mem.h"

#define MAX_OUT	   (4 << 20)
#define WINDOW_LOG CODEC_SMALL_WINDOW

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct codec *make(unsigned kind)
{
	switch (kind) {
	case 0:
		return codec_new_gunzip();
	case 1:
		return codec_new_unzstd(WINDOW_LOG, NULL);
	case 2:
		return codec_new_gzip();
	default:
		return codec_new_zstd();
	}
}

/* As the helper does it: what is left of a piece is kept, with CODEC_LOOKBACK bytes in front.
 * True if it came to its end. */
static bool run(struct codec *own_codec, const uint8_t *data, size_t size, size_t piece,
		struct buf *out)
{
	AUTO_ERR struct err err = { 0 };
	AUTO(codec_free) struct codec *c = own_codec;
	AUTO_FREE unsigned char *in = xzalloc(CODEC_LOOKBACK + size + 1);
	AUTO_FREE unsigned char *room = xmalloc(piece);
	struct codec_io io = { .in = in + CODEC_LOOKBACK };
	size_t given = 0;
	int rc = 1;

	memcpy(in + CODEC_LOOKBACK, data, size);
	while (rc > 0 && out->size < MAX_OUT) {
		if (io.in_size == 0 || given == 0) {
			size_t more = size - given < piece ? size - given : piece;

			io.in_size += more;
			given += more;
			io.in_ended = more == 0;
		}
		io.out = room;
		io.out_size = piece;
		rc = codec_step(c, &io, &err);
		if (rc < 0 && err.kind == ERR_NONE)
			abort();
		buf_add(out, room, piece - io.out_size);
		if (rc > 0 && io.in_ended && io.in_size == 0 && io.out_size == piece)
			abort(); /* it would wait for ever */
	}
	return rc == 0;
}

static void need_round_trip(const struct buf *plain, unsigned kind)
{
	struct buf packed AUTO_BUF = { .limit = SIZE_MAX };
	struct buf again AUTO_BUF = { .limit = SIZE_MAX };

	if (!run(make(kind + 2), (uint8_t *)plain->data, plain->size, 4096, &packed) ||
			!run(make(kind), (uint8_t *)packed.data, packed.size, 1000, &again))
		abort();
	if (again.size != plain->size ||
			(plain->size > 0 && memcmp(again.data, plain->data, plain->size) != 0))
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct buf large AUTO_BUF = { .limit = SIZE_MAX };
	struct buf small AUTO_BUF = { .limit = SIZE_MAX };
	unsigned kind;
	bool fine;

	if (size < 2)
		return 0;
	kind = data[0] & 1;
	fine = run(make(kind), data + 1, size - 1, 65536, &large);
	if (large.size >= MAX_OUT)
		return 0;
	/* libzstd decodes a frame that is there as a whole by another way, which takes a block
	 * of no bytes where the other does not, or the other way round. */
	if (run(make(kind), data + 1, size - 1, 1 + (data[0] >> 1), &small) != fine)
		return kind == 1 ? 0 : (abort(), 0);
	if (!fine)
		return 0;
	if (small.size != large.size ||
			(large.size > 0 && memcmp(small.data, large.data, large.size) != 0))
		abort();
	if (large.size < 65536)
		need_round_trip(&large, kind);
	return 0;
}
