/* SPDX-License-Identifier: Apache-2.0 */
#include <assert.h>
#include <string.h>

#include "archive/unpack_priv.h"
#include "base/ctx.h"

/* One write at a time, so that a wish to stop is seen soon. */
#define WRITE_CHUNK 1048576

static int senseless(struct err *err)
{
	return err_set(err, ERR_INTERNAL, "layer helper (parse): senseless record");
}

static void release(struct unpack *u, uint64_t position)
{
	LOCKED(&u->lock);
	u->released = position;
	cond_broadcast(&u->moved);
}

/* Bytes of the tar ring from there on; 0 at the end of the stream, -1 when all is to stop. */
static ssize_t wait_for_bytes(struct unpack *u, uint64_t from, struct err *err)
{
	LOCKED(&u->lock);
	while (!u->is_stopped && !u->head_is_last && u->head <= from)
		cond_wait(&u->moved, &u->lock);
	if (u->is_stopped)
		return err_set(err, ERR_ABORTED, "stopped");
	return u->head > from ? (ssize_t)(u->head - from) : 0;
}

/* The parser cannot have seen more than there is, nor go back. */
static bool is_ahead(struct unpack *u, uint64_t position)
{
	LOCKED(&u->lock);
	return position >= u->released && position <= u->head;
}

static int write_extent(struct unpack *u, const struct layer_record *r, struct err *err)
{
	uint64_t from = r->offset, at = r->at, left = r->size;

	if (!is_ahead(u, from))
		return senseless(err);
	release(u, from);
	while (left > 0) {
		ssize_t n = wait_for_bytes(u, from, err);
		const unsigned char *data = memring_at(&u->parser.ring, from);

		if (n == 0)
			return err_plain(err, ERR_UNKNOWN, "unexpected EOF");
		if (n < 0 || ctx_done(u->ctx, err))
			return -1;
		if ((uint64_t)n > left)
			n = (ssize_t)left;
		if (n > WRITE_CHUNK)
			n = WRITE_CHUNK;
		if (extract_data(u->extract, at, data, (size_t)n, err) < 0)
			return -1;
		at += (uint64_t)n;
		from += (uint64_t)n;
		left -= (uint64_t)n;
		release(u, from);
	}
	return 0;
}

/* Keeps the entry: its data comes with the next records. */
static int begin_entry(struct unpack *u, const char *bytes, size_t size, struct err *err)
{
	if (extract_end(u->extract, err) < 0)
		return -1;
	buf_clear(&u->entry_frame);
	buf_add(&u->entry_frame, bytes, size);
	if (layer_record_parse(&u->entry_parser, u->entry_frame.data, size, &u->entry, err) < 0)
		return -1;
	return extract_begin(u->extract, &u->entry.entry, err);
}

static int finish(struct unpack *u, struct err *err)
{
	if (extract_end(u->extract, err) < 0 || extract_finish(u->extract, err) < 0)
		return -1;
	LOCKED(&u->lock);
	u->is_draining = true;
	cond_broadcast(&u->moved);
	return 0;
}

int unpack_write(struct unpack *u, struct err *err)
{
	struct layer_record r;
	const char *bytes;
	size_t size;
	int rc = 0;

	while (rc == 0) {
		if (unpack_hear(u, &u->parser, &r, &bytes, &size, err) < 0)
			return -1;
		switch (r.type) {
		case LAYER_ENTRY:
			rc = begin_entry(u, bytes, size, err);
			break;
		case LAYER_EXTENT:
			rc = write_extent(u, &r, err);
			break;
		case LAYER_POSITION:
			if (!is_ahead(u, r.offset))
				return senseless(err);
			release(u, r.offset);
			break;
		case LAYER_END:
			return finish(u, err);
		case LAYER_FAILED:
			rc = layer_helper_failure(&r, err);
			break;
		}
	}
	return rc;
}
