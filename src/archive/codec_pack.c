/* SPDX-License-Identifier: Apache-2.0 */
/* gzip and zstd at the levels that containerd has without being told otherwise. The same bytes
 * come out for the same bytes, whenever that is: the gzip header has no time and no name. */
#include <stdint.h>
#include <stdlib.h>
#include <zlib.h>
#include <zstd.h>

#include "archive/codec.h"
#include "base/err.h"
#include "base/mem.h"

#define GZIP_WINDOW (15 + 16) /* 32 KiB, and a gzip header */

struct gzip {
	struct codec base;
	z_stream z;
};

static int gzip_step(struct codec *self, struct codec_io *io, struct err *err)
{
	struct gzip *g = (struct gzip *)self;
	int rc;

	g->z.next_in = (Bytef *)(uintptr_t)io->in;
	g->z.avail_in = (uInt)io->in_size;
	g->z.next_out = io->out;
	g->z.avail_out = (uInt)io->out_size;
	rc = deflate(&g->z, io->in_ended ? Z_FINISH : Z_NO_FLUSH);
	io->in += io->in_size - g->z.avail_in;
	io->in_size = g->z.avail_in;
	io->out += io->out_size - g->z.avail_out;
	io->out_size = g->z.avail_out;
	if (rc == Z_STREAM_END)
		return 0;
	if (rc != Z_OK && rc != Z_BUF_ERROR)
		return err_set(err, ERR_INTERNAL, "gzip: %d", rc);
	return 1;
}

static void gzip_free(struct codec *self)
{
	struct gzip *g = (struct gzip *)self;

	(void)deflateEnd(&g->z);
	free(g);
}

struct codec *codec_new_gzip(void)
{
	struct gzip *g = xzalloc(sizeof(*g));

	g->base = (struct codec){ gzip_step, gzip_free };
	if (deflateInit2(&g->z, Z_DEFAULT_COMPRESSION, Z_DEFLATED, GZIP_WINDOW, 8,
			    Z_DEFAULT_STRATEGY) != Z_OK)
		abort();
	return &g->base;
}

struct zstd {
	struct codec base;
	ZSTD_CCtx *ctx;
};

static int zstd_step(struct codec *self, struct codec_io *io, struct err *err)
{
	struct zstd *z = (struct zstd *)self;
	ZSTD_inBuffer in = { io->in, io->in_size, 0 };
	ZSTD_outBuffer out = { io->out, io->out_size, 0 };
	size_t left = ZSTD_compressStream2(
			z->ctx, &out, &in, io->in_ended ? ZSTD_e_end : ZSTD_e_continue);

	io->in += in.pos;
	io->in_size -= in.pos;
	io->out += out.pos;
	io->out_size -= out.pos;
	if (ZSTD_isError(left))
		return err_set(err, ERR_INTERNAL, "zstd: %s", ZSTD_getErrorName(left));
	return io->in_ended && left == 0 ? 0 : 1;
}

static void zstd_free(struct codec *self)
{
	struct zstd *z = (struct zstd *)self;

	(void)ZSTD_freeCCtx(z->ctx);
	free(z);
}

struct codec *codec_new_zstd(void)
{
	struct zstd *z = xzalloc(sizeof(*z));

	z->base = (struct codec){ zstd_step, zstd_free };
	z->ctx = ZSTD_createCCtx();
	if (z->ctx == NULL)
		abort();
	return &z->base;
}
