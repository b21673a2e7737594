/* SPDX-License-Identifier: Apache-2.0 */
/* zstd: any number of frames. */
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
};

static int fail(size_t rc, struct err *err)
{
	switch (ZSTD_getErrorCode(rc)) {
	case ZSTD_error_frameParameter_windowTooLarge:
		return err_set(err, ERR_EXHAUSTED, "zstd: window size exceeded");
	case ZSTD_error_memory_allocation:
		return err_set(err, ERR_EXHAUSTED, "zstd: out of memory");
	case ZSTD_error_prefix_unknown:
		return err_plain(err, ERR_UNKNOWN, "invalid input: magic number mismatch");
	default:
		return err_plain(err, ERR_UNKNOWN, "zstd: %s", ZSTD_getErrorName(rc));
	}
}

static int decompress_some(struct unzstd *z, struct codec_io *io, struct err *err)
{
	ZSTD_inBuffer in = { io->in, io->in_size, 0 };
	ZSTD_outBuffer out = { io->out, io->out_size, 0 };
	size_t rc = ZSTD_decompressStream(z->ctx, &out, &in);

	io->in += in.pos;
	io->in_size -= in.pos;
	io->out += out.pos;
	io->out_size -= out.pos;
	if (ZSTD_isError(rc))
		return fail(rc, err);
	z->in_frame = rc != 0;
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

struct codec *codec_new_unzstd(int window_log_max)
{
	struct unzstd *z = xzalloc(sizeof(*z));

	z->base = (struct codec){ unzstd_step, unzstd_free };
	z->ctx = ZSTD_createDCtx();
	if (z->ctx == NULL)
		abort();
	(void)ZSTD_DCtx_setParameter(z->ctx, ZSTD_d_windowLogMax, window_log_max);
	return &z->base;
}
