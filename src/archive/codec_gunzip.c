/* SPDX-License-Identifier: Apache-2.0 */
/* gzip by ISA-L: any number of members, and zeros behind them as tapes have. */
#include <isa-l/igzip_lib.h>
#include <stdint.h>
#include <stdlib.h>

#include "archive/codec.h"
#include "archive/gzip_header.h"
#include "base/err.h"
#include "base/mem.h"

struct gunzip {
	struct codec base;
	bool in_header, in_member, has_members, in_padding;
	struct gzip_header header;
	struct inflate_state state;
};

static int fail(int rc, struct err *err)
{
	switch (rc) {
	case ISAL_INCORRECT_CHECKSUM:
		return err_plain(err, ERR_UNKNOWN, "gzip: invalid checksum");
	case ISAL_INVALID_WRAPPER:
	case ISAL_UNSUPPORTED_METHOD:
		return err_plain(err, ERR_UNKNOWN, "gzip: invalid header");
	default:
		return err_plain(err, ERR_UNKNOWN, "flate: corrupt input");
	}
}

/* 1 at the start of a member, 0 when there is nothing (yet), -1. */
static int find_member(struct gunzip *g, struct codec_io *io, struct err *err)
{
	while (g->has_members && io->in_size > 0 && *io->in == 0) {
		g->in_padding = true;
		io->in++;
		io->in_size--;
	}
	if (io->in_size == 0)
		return 0;
	if (g->in_padding)
		return err_plain(err, ERR_UNKNOWN, "gzip: invalid header");
	g->in_header = true;
	g->header = (struct gzip_header){ 0 };
	return 1;
}

/* 1 behind the header, 0 when there is more of it to come, -1. */
static int read_header(struct gunzip *g, struct codec_io *io, struct err *err)
{
	int rc = 0;

	while (rc == 0 && io->in_size > 0) {
		rc = gzip_header_take(&g->header, *io->in++);
		io->in_size--;
	}
	if (rc < 0)
		return err_plain(err, ERR_UNKNOWN, "gzip: invalid header");
	if (rc == 0)
		return 0;
	g->in_header = false;
	isal_inflate_reset(&g->state);
	g->state.crc_flag = ISAL_GZIP_NO_HDR_VER;
	g->in_member = true;
	return 1;
}

static int inflate_some(struct gunzip *g, struct codec_io *io, struct err *err)
{
	int rc;

	g->state.next_in = (uint8_t *)(uintptr_t)io->in;
	g->state.avail_in = (uint32_t)io->in_size;
	g->state.next_out = io->out;
	g->state.avail_out = (uint32_t)io->out_size;
	rc = isal_inflate(&g->state);
	io->in = g->state.next_in;
	io->in_size = g->state.avail_in;
	io->out = g->state.next_out;
	io->out_size = g->state.avail_out;
	if (rc < 0)
		return fail(rc, err);
	if (g->state.block_state != ISAL_BLOCK_FINISH)
		return 0;
	g->in_member = false;
	g->has_members = true;
	return 0;
}

static int gunzip_step(struct codec *self, struct codec_io *io, struct err *err)
{
	struct gunzip *g = (struct gunzip *)self;

	for (;;) {
		size_t left, room;

		if (!g->in_member && !g->in_header) {
			int rc = find_member(g, io, err);

			if (rc < 0)
				return -1;
			if (rc == 0 && io->in_ended && !g->has_members)
				return err_plain(err, ERR_UNKNOWN, "unexpected EOF");
			if (rc == 0)
				return io->in_ended ? 0 : 1;
		}
		if (g->in_header) {
			int rc = read_header(g, io, err);

			if (rc < 0)
				return -1;
			if (rc == 0)
				return io->in_ended ? err_plain(err, ERR_UNKNOWN,
								      "unexpected EOF")
						    : 1;
		}
		left = io->in_size;
		room = io->out_size;
		if (inflate_some(g, io, err) < 0)
			return -1;
		if (io->out_size == 0)
			return 1;
		if (!g->in_member || (io->in_size > 0 && io->in_size != left) ||
				io->out_size != room)
			continue;
		/* It wants more, and does not say if there is none. */
		return io->in_ended ? err_plain(err, ERR_UNKNOWN, "unexpected EOF") : 1;
	}
}

static void gunzip_free(struct codec *self)
{
	free(self);
}

struct codec *codec_new_gunzip(void)
{
	struct gunzip *g = xzalloc(sizeof(*g));

	g->base = (struct codec){ gunzip_step, gunzip_free };
	isal_inflate_init(&g->state);
	return &g->base;
}
