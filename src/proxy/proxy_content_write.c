/* SPDX-License-Identifier: Apache-2.0 */
/* The writing side of Content.Write (reference 01 §5.2): one request, one answer. */
#include <stdlib.h>
#include <string.h>

#include "api/arena.h"
#include "api/pb/content.pb-c.h"
#include "api/timestamp.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/str.h"
#include "proxy/proxy_content_priv.h"
#include "proxy/proxy_link.h"
#include "rpc/channel.h"
#include "wire/wire_map.h"

/* Well below what servers take at once. */
#define CHUNK ((size_t)1 << 20)

struct proxy_writer {
	struct content_writer base;
	struct rpc_stream *stream;
	struct content_status status; /* as the last answer had it */
	bool ended;
	struct arena arena; /* of the last answer */
};

static struct proxy_writer *writer_of(struct content_writer *self)
{
	return container_of(self, struct proxy_writer, base);
}

static int check_open(const struct proxy_writer *w, struct err *err)
{
	if (w->ended)
		return err_set(err, ERR_PRECONDITION, "ingest %s: writer is closed",
				w->status.ref);
	return 0;
}

/* After a failure the stream is over. */
static int exchange(struct proxy_writer *w, const Content__WriteContentRequest *request,
		Content__WriteContentResponse **ret_answer, struct err *err)
{
	ProtobufCMessage *m = NULL;
	int rc;

	arena_reset(&w->arena);
	rc = rpc_stream_send(w->stream, &request->base, err);
	if (rc < 0)
		err_clear(err); /* the status, which comes by receiving, says why */
	rc = rpc_stream_recv(w->stream, &content__write_content_response__descriptor, &w->arena,
			&m, err);
	if (rc > 0) {
		*ret_answer = (void *)m;
		return 0;
	}
	w->ended = true;
	return rc < 0 ? -1 : proxy_bad_answer("Write", w->status.ref, "the stream ended", err);
}

static int check_offset(struct proxy_writer *w, const Content__WriteContentResponse *answer,
		int64_t want, struct err *err)
{
	if (answer->offset == want)
		return 0;
	w->ended = true;
	return proxy_bad_answer("Write", w->status.ref, "offset is not what was written", err);
}

static int send_chunk(struct proxy_writer *w, const void *data, size_t size, struct err *err)
{
	Content__WriteContentRequest r = CONTENT__WRITE_CONTENT_REQUEST__INIT;
	Content__WriteContentResponse *answer = NULL;

	r.action = CONTENT__WRITE_ACTION__WRITE;
	r.offset = w->status.offset;
	r.data.data = (uint8_t *)data;
	r.data.len = size;
	if (exchange(w, &r, &answer, err) < 0 ||
			check_offset(w, answer, w->status.offset + (int64_t)size, err) < 0)
		return -1;
	w->status.offset = answer->offset;
	return 0;
}

static int writer_write(
		struct content_writer *self, const void *data, size_t size, struct err *err)
{
	struct proxy_writer *w = writer_of(self);
	const char *p = data;

	if (check_open(w, err) < 0)
		return -1;
	while (size > 0) {
		size_t n = size < CHUNK ? size : CHUNK;

		if (send_chunk(w, p, n, err) < 0)
			return -1;
		p += n;
		size -= n;
	}
	return 0;
}

/* A write of nothing at 0 is what truncates. */
static int writer_truncate(struct content_writer *self, struct err *err)
{
	struct proxy_writer *w = writer_of(self);
	int64_t was = w->status.offset;

	if (check_open(w, err) < 0)
		return -1;
	w->status.offset = 0;
	if (send_chunk(w, NULL, 0, err) == 0)
		return 0;
	w->status.offset = was;
	return -1;
}

static int take_digest(const struct proxy_writer *w,
		const Content__WriteContentResponse *answer, char digest[DIGEST_TEXT_SIZE],
		struct err *err)
{
	if (strlen(answer->digest) >= DIGEST_TEXT_SIZE)
		return proxy_bad_answer("Write", w->status.ref, "digest too long", err);
	memcpy(digest, answer->digest, strlen(answer->digest) + 1);
	return 0;
}

static int ask_status(struct proxy_writer *w, const Content__WriteContentRequest *r,
		char digest[DIGEST_TEXT_SIZE], struct err *err)
{
	Content__WriteContentResponse *answer = NULL;

	if (exchange(w, r, &answer, err) < 0)
		return -1;
	if (answer->offset < 0)
		return proxy_bad_answer("Write", w->status.ref, "negative offset", err);
	w->status.offset = answer->offset;
	w->status.total = answer->total;
	w->status.started_ns = timestamp_ns(answer->started_at);
	w->status.updated_ns = timestamp_ns(answer->updated_at);
	return take_digest(w, answer, digest, err);
}

static int writer_status(struct content_writer *self, struct content_status *ret_status,
		char digest[DIGEST_TEXT_SIZE], struct err *err)
{
	Content__WriteContentRequest r = CONTENT__WRITE_CONTENT_REQUEST__INIT;
	struct proxy_writer *w = writer_of(self);

	r.action = CONTENT__WRITE_ACTION__STAT;
	if (check_open(w, err) < 0 || ask_status(w, &r, digest, err) < 0)
		return -1;
	*ret_status = w->status;
	ret_status->ref = xstrdup(w->status.ref);
	return 0;
}

static int writer_commit(struct content_writer *self, struct ctx *ctx, int64_t size,
		const char *expected, const struct labels *labels, struct err *err)
{
	static const struct labels none;
	Content__WriteContentRequest r = CONTENT__WRITE_CONTENT_REQUEST__INIT;
	Content__WriteContentResponse *answer = NULL;
	struct proxy_writer *w = writer_of(self);
	AUTO_ARENA struct arena a = { 0 };

	if (check_open(w, err) < 0)
		return -1;
	arena_init(&a, PROXY_ANSWER_MAX);
	r.action = CONTENT__WRITE_ACTION__COMMIT;
	r.total = size;
	r.expected = str_or(expected, "");
	r.offset = w->status.offset;
	r.labels = wire_labels_out(&a, labels == NULL ? &none : labels,
			&content__write_content_request__labels_entry__descriptor, &r.n_labels);
	if (exchange(w, &r, &answer, err) < 0)
		return -1;
	w->ended = true;
	if (check_offset(w, answer, w->status.offset, err) < 0)
		return -1;
	if (!str_is_empty(expected) && !str_eq(answer->digest, expected) &&
			str_starts(expected, "sha256:"))
		return proxy_bad_answer(
				"Write", w->status.ref, "another digest was committed", err);
	return 0;
}

static void writer_close(struct content_writer *self)
{
	struct proxy_writer *w = writer_of(self);
	AUTO_ERR struct err ignored = { 0 };

	/* Said properly, so that the other side takes it for a pause and not for a failure. */
	if (!w->ended)
		IGNORE(rpc_stream_close_send(w->stream, &ignored));
	rpc_stream_free(w->stream);
	content_status_done(&w->status);
	arena_done(&w->arena);
	free(w);
}

static const struct content_writer_ops writer_ops = {
	.write = writer_write,
	.truncate = writer_truncate,
	.status = writer_status,
	.commit = writer_commit,
	.close = writer_close,
};

int proxy_content_writer(struct content_store *self, struct ctx *ctx, const char *ref,
		int64_t total, const char *expected, struct content_writer **ret_writer,
		struct err *err)
{
	AUTO(content_writer_close) struct content_writer *owner = NULL;
	Content__WriteContentRequest r = CONTENT__WRITE_CONTENT_REQUEST__INIT;
	AUTO(rpc_stream_free) struct rpc_stream *s = NULL;
	char digest[DIGEST_TEXT_SIZE];
	struct proxy_writer *w;

	if (proxy_stream(proxy_content_of(self)->link, ctx, CONTENT_SERVICE, "Write", &s, err) <
			0)
		return -1;
	w = xzalloc(sizeof(*w));
	w->base.ops = &writer_ops;
	w->stream = take_ptr(s);
	w->status.ref = xstrdup(ref);
	arena_init(&w->arena, PROXY_ANSWER_MAX);
	owner = &w->base;
	r.action = CONTENT__WRITE_ACTION__STAT;
	r.ref = ref;
	r.total = total;
	r.expected = str_or(expected, "");
	if (ask_status(w, &r, digest, err) < 0)
		return -1;
	*ret_writer = take_ptr(owner);
	return 0;
}
