/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "archive/layer_record.h"
#include "archive/tar_reader.h"
#include "base/attr.h"
#include "base/err.h"
#include "cmd/decode/decode.h"

/* Records are sent when there are that many, or when we have to wait. */
#define ENOUGH_RECORDS 32768

/* The ring as a source: up to d->position there are bytes. */
struct ring_source {
	struct tar_source base;
	struct decode *d;
	uint64_t at, reported;
};

/* Bytes that are there, waiting for some; 0 at the end. */
static uint64_t wait_for_bytes(struct ring_source *s)
{
	while (s->d->position == s->at && !s->d->is_last)
		decode_wait(s->d);
	return s->d->position - s->at;
}

static ssize_t ring_read(struct tar_source *self, void *data, size_t size, struct err *err)
{
	struct ring_source *s = container_of(self, struct ring_source, base);
	uint64_t n;

	/* All before this can be overwritten: what is behind may need the room. */
	if (s->d->position == s->at && s->reported != s->at) {
		layer_put_position(&s->d->records, s->at);
		s->reported = s->at;
	}
	n = wait_for_bytes(s);
	if (n > size)
		n = size;
	memcpy(data, memring_at(&s->d->ring, s->at), n);
	s->at += n;
	return (ssize_t)n;
}

/* Says nothing on the way: these bytes are extents, and the daemon knows best when it is done
 * with them. */
static int64_t ring_skip(struct tar_source *self, uint64_t size, struct err *err)
{
	struct ring_source *s = container_of(self, struct ring_source, base);
	uint64_t n = wait_for_bytes(s);

	if (n > size)
		n = size;
	s->at += n;
	return (int64_t)n;
}

static void put_extents(struct buf *out, const struct tar_entry *e)
{
	uint64_t offset = e->offset;

	if (!e->is_sparse && e->data_size > 0)
		layer_put_extent(out, 0, offset, e->data_size);
	for (size_t i = 0; i < e->extent_count; i++) {
		if (e->extents[i].size == 0)
			continue;
		layer_put_extent(out, e->extents[i].at, offset, e->extents[i].size);
		offset += e->extents[i].size;
	}
}

int decode_tar(struct decode *d, struct err *err)
{
	struct ring_source source = { .base = { ring_read, ring_skip }, .d = d };
	AUTO(tar_reader_free) struct tar_reader *r = tar_reader_new(&source.base);
	const struct tar_entry *e;
	int rc;

	while ((rc = tar_reader_next(r, &e, err)) > 0) {
		layer_put_entry(&d->records, e);
		put_extents(&d->records, e);
		if (d->records.size >= ENOUGH_RECORDS)
			decode_flush(d);
		if (tar_reader_skip_data(r, err) < 0)
			return -1;
	}
	if (rc == 0)
		layer_put_end(&d->records, source.at);
	return rc;
}
