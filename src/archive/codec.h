/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Unpacking and packing streams of bytes. Decompressors are what hostile bytes meet first, so
 * only helper programs link these (archive_codec_dep), never the daemon.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "archive/compression.h"
#include "base/attr.h"
#include "base/auto.h"

struct err;

/* Where a step takes from and puts to; it moves both on. */
struct codec_io {
	/* CODEC_LOOKBACK bytes in front of "in" are the ones that were taken last: a decoder
	 * may give back what it took too much of. */
	const unsigned char *in;
	size_t in_size;
	bool in_ended; /* nothing comes after these */
	unsigned char *out;
	size_t out_size;
};
#define CODEC_LOOKBACK 16

struct codec {
	/* As far as it gets: 1 when it needs more input or room, 0 at the very end. */
	int (*step)(struct codec *self, struct codec_io *io, struct err *err);
	void (*free)(struct codec *self);
};

MUST_USE struct codec *codec_new_gunzip(void);
/* Memory for a window: of a file, so that it need not stay in memory. NULL: there is none. */
struct codec_window {
	void *memory;
	size_t size;
};
#define CODEC_SMALL_WINDOW   23 /* 8 MiB: what every decoder must take */
#define CODEC_WINDOW_LOG_MAX 29 /* what containerd's own takes */
/* What a file for windows up to that log must hold. */
#define CODEC_WINDOW_BYTES(log) ((size_t)(UINT64_C(1) << (log)) + (1 << 20))
/* EXHAUSTED for frames that want a larger window. Those over CODEC_SMALL_WINDOW are kept in the
 * borrowed memory, and refused where there is none. */
MUST_USE struct codec *codec_new_unzstd(int window_log_max, const struct codec_window *window);
MUST_USE struct codec *codec_new_copy(void);
MUST_USE struct codec *codec_new_gzip(void);
MUST_USE struct codec *codec_new_zstd(void);

MUST_USE int codec_step(struct codec *c, struct codec_io *io, struct err *err);
void codec_free(struct codec *c);
DEFINE_AUTO(struct codec *, codec_free)
