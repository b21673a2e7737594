/* SPDX-License-Identifier: Apache-2.0 */
/* zstd: any number of frames. */
#define ZSTD_STATIC_LINKING_ONLY /* for its allocator and the frame's header */
#include <stdlib.h>
#include <zstd.h>
#include <zstd_errors.h>

#include "archive/codec.h"
#include "base/err.h"
#include "base/mem.h"

struct unzstd {
	struct codec base;
	ZSTD_DCtx *ctx;
	bool in_frame;
	unsigned magic_seen; /* bytes of the frame's magic number */
	int window_log_max;
	struct codec_window window;
	bool window_is_used;
};

/* All else that it allocates fits into less. */
#define LARGE ((size_t)(9 << 20))

static void *allocate(void *arg, size_t size)
{
	struct unzstd *z = arg;

	if (size < LARGE)
		return mem_try(size);
	if (z->window_is_used || size > z->window.size)
		return NULL;
	z->window_is_used = true;
	return z->window.memory;
}

static void release(void *arg, void *memory)
{
	struct unzstd *z = arg;

	if (memory != NULL && memory == z->window.memory)
		z->window_is_used = false;
	else
		free(memory);
}

/* Told apart from damage, with what was asked for, if it is in sight. */
static int too_large(const struct unzstd *z, const void *frame, size_t size, struct err *err)
{
	ZSTD_frameHeader h;

	if (ZSTD_getFrameHeader(&h, frame, size) != 0)
		h.windowSize = 0;
	if (h.windowSize == 0)
		return err_set(err, ERR_EXHAUSTED, "zstd: window is over the limit of %d bytes",
				1 << z->window_log_max);
	return err_set(err, ERR_EXHAUSTED,
			"zstd: window of %llu bytes is over the limit of %d bytes",
			h.windowSize, 1 << z->window_log_max);
}

static int fail(const struct unzstd *z, size_t rc, const void *frame, size_t size,
		struct err *err)
{
	switch (ZSTD_getErrorCode(rc)) {
	case ZSTD_error_frameParameter_windowTooLarge:
		return too_large(z, frame, size, err);
	case ZSTD_error_memory_allocation:
		return err_set(err, ERR_EXHAUSTED, "zstd: out of memory");
	case ZSTD_error_prefix_unknown:
		return err_plain(err, ERR_UNKNOWN, "invalid input: magic number mismatch");
	default:
		return err_plain(err, ERR_UNKNOWN, "zstd: %s", ZSTD_getErrorName(rc));
	}
}

static bool is_magic(unsigned at, unsigned char byte)
{
	static const unsigned char frame[] = { 0x28, 0xb5, 0x2f, 0xfd };
	static const unsigned char skipped[] = { 0x50, 0x2a, 0x4d, 0x18 };

	return byte == frame[at] || (at == 0 ? byte & 0xf0 : byte) == skipped[at];
}

/* The library also decodes what came before the format was fixed, with code that nobody looks
 * after any more. No layer is like that. */
static int check_magic(struct unzstd *z, const struct codec_io *io, struct err *err)
{
	for (size_t i = 0; i < io->in_size && z->magic_seen < 4; i++, z->magic_seen++)
		if (!is_magic(z->magic_seen, io->in[i]))
			return err_plain(err, ERR_UNKNOWN,
					"invalid input: magic number mismatch");
	return 0;
}

static int decompress_some(struct unzstd *z, struct codec_io *io, struct err *err)
{
	const ZSTD_inBuffer all = { io->in, io->in_size, 0 };
	ZSTD_inBuffer in = all;
	ZSTD_outBuffer out = { io->out, io->out_size, 0 };
	size_t rc;

	if (check_magic(z, io, err) < 0)
		return -1;
	rc = ZSTD_decompressStream(z->ctx, &out, &in);
	io->in += in.pos;
	io->in_size -= in.pos;
	io->out += out.pos;
	io->out_size -= out.pos;
	if (ZSTD_isError(rc))
		return fail(z, rc, all.src, z->in_frame ? 0 : all.size, err);
	z->in_frame = rc != 0;
	if (!z->in_frame)
		z->magic_seen = 0;
	return 0;
}

static int unzstd_step(struct codec *self, struct codec_io *io, struct err *err)
{
	struct unzstd *z = (struct unzstd *)self;

	while (io->out_size > 0) {
		size_t room = io->out_size, left = io->in_size;

		if (!z->in_frame && left == 0)
			return io->in_ended ? 0 : 1;
		if (decompress_some(z, io, err) < 0)
			return -1;
		if (io->out_size < room || io->in_size < left)
			continue;
		return io->in_ended ? err_plain(err, ERR_UNKNOWN, "unexpected EOF") : 1;
	}
	return 1;
}

static void unzstd_free(struct codec *self)
{
	struct unzstd *z = (struct unzstd *)self;

	(void)ZSTD_freeDCtx(z->ctx);
	free(z);
}

struct codec *codec_new_unzstd(int window_log_max, const struct codec_window *window)
{
	struct unzstd *z = xzalloc(sizeof(*z));
	const ZSTD_customMem memory = { allocate, release, z };

	if (window != NULL)
		z->window = *window;
	z->window_log_max = window_log_max;
	if (z->window.memory == NULL && window_log_max > CODEC_SMALL_WINDOW)
		z->window_log_max = CODEC_SMALL_WINDOW;

	z->base = (struct codec){ unzstd_step, unzstd_free };
	z->ctx = ZSTD_createDCtx_advanced(memory);
	if (z->ctx == NULL)
		abort();
	(void)ZSTD_DCtx_setParameter(z->ctx, ZSTD_d_windowLogMax, z->window_log_max);
	return &z->base;
}
