/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "archive/codec.h"
#include "archive/layer_record.h"
#include "archive/layer_told.h"
#include "base/err.h"
#include "base/mem.h"
#include "cmd/decode/decode.h"

#define INPUT_CHUNK  (256 * 1024)
#define OUTPUT_CHUNK (256 * 1024)
/* Less room than this in the ring is not worth a step. */
#define OUTPUT_LEAST (64 * 1024)

struct input {
	unsigned char *room; /* CODEC_LOOKBACK, then INPUT_CHUNK bytes */
	uint64_t offset;     /* in the file */
	bool is_pipe;
};

static ssize_t read_some(struct input *in, unsigned char *to, size_t size)
{
	ssize_t n = -1;

	do {
		if (!in->is_pipe)
			n = pread(LAYER_FD_INPUT, to, size, (off_t)in->offset);
		if (n < 0 && errno == ESPIPE)
			in->is_pipe = true;
		if (in->is_pipe)
			n = read(LAYER_FD_INPUT, to, size);
	} while (n < 0 && errno == EINTR);
	if (n > 0)
		in->offset += (uint64_t)n;
	return n;
}

/* Adds to what is left, so that decoders see at least "least" bytes unless the input ends. */
static int refill(struct input *in, struct codec_io *io, size_t least, struct err *err)
{
	unsigned char *start = in->room + CODEC_LOOKBACK;
	size_t before = io->in == NULL ? 0 : CODEC_LOOKBACK;

	if (io->in != NULL)
		memmove(start - before, io->in - before, io->in_size + before);
	io->in = start;
	while (io->in_size < least && !io->in_ended) {
		ssize_t n = read_some(in, start + io->in_size, INPUT_CHUNK - io->in_size);

		if (n < 0)
			return err_sys(err, errno, "read layer");
		io->in_ended = n == 0;
		io->in_size += (size_t)n;
	}
	return 0;
}

static struct codec *choose(enum decode_codec codec, int window_log_max,
		const struct codec_window *window, const struct codec_io *io)
{
	if (codec == DECODE_GZIP)
		return codec_new_gzip();
	if (codec == DECODE_ZSTD)
		return codec_new_zstd();
	switch (compression_detect(io->in, io->in_size)) {
	case COMPRESSION_GZIP:
		return codec_new_gunzip();
	case COMPRESSION_ZSTD:
		return codec_new_unzstd(window_log_max, window);
	default:
		return codec_new_copy();
	}
}

/* Room in the ring, at least a little; waits for it. */
static size_t wait_for_room(struct decode *d, uint64_t produced)
{
	size_t room;

	while ((room = d->ring.size - (size_t)(produced - d->position)) < OUTPUT_LEAST)
		decode_wait(d);
	return room < OUTPUT_CHUNK ? room : OUTPUT_CHUNK;
}

static int pump(struct decode *d, struct codec *c, struct input *in, struct codec_io *io,
		struct err *err)
{
	uint64_t produced = 0;
	int rc;

	do {
		size_t room = wait_for_room(d, produced);

		if (io->in_size == 0 && refill(in, io, 1, err) < 0)
			return -1;
		io->out = memring_at(&d->ring, produced);
		io->out_size = room;
		rc = codec_step(c, io, err);
		if (rc < 0)
			return -1;
		if (io->out_size == room)
			continue;
		produced += room - io->out_size;
		layer_put_position(&d->records, produced);
		decode_flush(d);
	} while (rc > 0);
	layer_put_end(&d->records, produced);
	return 0;
}

int decode_bytes(struct decode *d, enum decode_codec codec, int window_log_max,
		const struct codec_window *window, struct err *err)
{
	AUTO_FREE unsigned char *room = xmalloc(CODEC_LOOKBACK + INPUT_CHUNK);
	struct input in = { .room = room };
	struct codec_io io = { 0 };
	AUTO(codec_free) struct codec *c = NULL;

	if (refill(&in, &io, COMPRESSION_HEAD, err) < 0)
		return -1;
	c = choose(codec, window_log_max, window, &io);
	return pump(d, c, &in, &io, err);
}
