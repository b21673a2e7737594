/* SPDX-License-Identifier: Apache-2.0 */
/* Bytes of content, in both directions (reference 01 §5.2). */
#include "client/client_content_priv.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/digest.h"
#include "base/mem.h"
#include "base/str.h"
#include "wire/wire_map.h"

#include "api/pb/content.pb-c.h"

/* Room for one message of the daemon (1 MiB of data) and its decoded form. */
#define READ_BUDGET  (24u << 20)
#define WRITE_CHUNK  (1u << 20)
#define REPLY_BUDGET (1u << 20)

/* --- reading ------------------------------------------------------------------------------ */

struct ctrd_reader {
	struct client_stream stream;
	struct arena arena;  /* of the message that is being handed out */
	const uint8_t *data; /* what is left of it */
	size_t size;
	bool ended;
};

void ctrd_reader_close(struct ctrd_reader *r)
{
	if (r == NULL)
		return;
	client_stream_close(&r->stream);
	arena_done(&r->arena);
	free(r);
}

int client_reader_open(struct ctrd_client *c, const char *digest,
		struct ctrd_reader **ret_reader, struct err *err)
{
	Content__ReadContentRequest request = CONTENT__READ_CONTENT_REQUEST__INIT;
	AUTO(ctrd_reader_close) struct ctrd_reader *r = xzalloc(sizeof(*r));

	if (client_digest_check(digest, err) < 0)
		return -1;
	arena_init(&r->arena, READ_BUDGET);
	request.digest = digest;
	if (client_stream_open(c, CLIENT_CONTENT_Read, &request.base, &r->stream, err) < 0)
		return -1;
	*ret_reader = take_ptr(r);
	return 0;
}

static int next_message(struct ctrd_reader *r, struct err *err)
{
	const Content__ReadContentResponse *pb;
	const void *message = NULL;
	int rc;

	arena_reset(&r->arena);
	rc = client_stream_recv(&r->stream, &r->arena, &message, err);
	r->ended = rc <= 0;
	if (rc <= 0)
		return rc;
	pb = message;
	r->data = pb->data.data;
	r->size = pb->data.len;
	return 1;
}

ptrdiff_t client_reader_read(struct ctrd_reader *r, void *data, size_t size, struct err *err)
{
	while (r->size == 0) {
		int rc = r->ended ? 0 : next_message(r, err);

		if (rc <= 0)
			return rc;
	}
	if (size > r->size)
		size = r->size;
	memcpy(data, r->data, size);
	r->data += size;
	r->size -= size;
	return (ptrdiff_t)size;
}

int ctrd_reader_open(struct ctrd_client *c, const char *digest, struct ctrd_reader **ret_reader,
		struct ctrd_error **ret_error)
{
	AUTO_ERR struct err err = { 0 };

	return api_result(client_reader_open(c, digest, ret_reader, &err), &err, ret_error);
}

ptrdiff_t ctrd_reader_read(
		struct ctrd_reader *r, void *data, size_t size, struct ctrd_error **ret_error)
{
	AUTO_ERR struct err err = { 0 };
	ptrdiff_t n = client_reader_read(r, data, size, &err);

	return n < 0 ? api_result(-1, &err, ret_error) : n;
}

int client_blob_read(
		struct ctrd_client *c, const char *digest, struct buf *out, struct err *err)
{
	AUTO(ctrd_reader_close) struct ctrd_reader *r = NULL;
	ptrdiff_t n;

	if (client_reader_open(c, digest, &r, err) < 0)
		return -1;
	do {
		void *room = buf_reserve(out, 32768);

		if (room == NULL)
			return err_set(err, ERR_EXHAUSTED, "content %s is over %zu bytes",
					digest, out->limit);
		n = client_reader_read(r, room, 32768, err);
		buf_commit(out, n < 0 ? 0 : (size_t)n);
	} while (n > 0);
	return n < 0 ? -1 : 0;
}

int client_blob_peek(struct ctrd_client *c, const char *digest, void *data, size_t size,
		size_t *ret_size, struct err *err)
{
	AUTO(ctrd_reader_close) struct ctrd_reader *r = NULL;
	size_t at = 0;
	ptrdiff_t n = 1;

	if (client_reader_open(c, digest, &r, err) < 0)
		return -1;
	for (; at < size && n > 0; at += (size_t)n) {
		n = client_reader_read(r, (char *)data + at, size - at, err);
		if (n < 0)
			return -1;
	}
	*ret_size = at;
	return 0;
}

/* --- writing ------------------------------------------------------------------------------ */

struct ctrd_writer {
	struct client_stream stream;
	struct arena arena; /* of the last answer */
	int64_t offset;
	char digest[DIGEST_TEXT_SIZE];
};

void ctrd_writer_close(struct ctrd_writer *w)
{
	if (w == NULL)
		return;
	client_stream_close(&w->stream);
	arena_done(&w->arena);
	free(w);
}

/* Sends one request and takes over what the answer says. */
static int exchange(struct ctrd_writer *w, const Content__WriteContentRequest *request,
		const Content__WriteContentResponse **ret, struct err *err)
{
	const void *message = NULL;
	int rc;

	if (client_stream_send(&w->stream, &request->base, err) < 0) {
		AUTO_ERR struct err status = { 0 };

		/* The daemon has ended the call; its status says why. */
		if (client_stream_recv(&w->stream, &w->arena, &message, &status) < 0) {
			err_clear(err);
			err_move(err, &status);
		}
		return -1;
	}
	arena_reset(&w->arena);
	rc = client_stream_recv(&w->stream, &w->arena, &message, err);
	if (rc == 0)
		return err_set(err, ERR_INTERNAL, "content stream ended early");
	if (rc < 0)
		return -1;
	*ret = message;
	return 0;
}

int client_writer_open(struct ctrd_client *c, const char *ref, int64_t total,
		const char *digest, struct ctrd_writer **ret_writer, struct err *err)
{
	Content__WriteContentRequest request = CONTENT__WRITE_CONTENT_REQUEST__INIT;
	AUTO(ctrd_writer_close) struct ctrd_writer *w = xzalloc(sizeof(*w));
	const Content__WriteContentResponse *pb = NULL;

	arena_init(&w->arena, REPLY_BUDGET);
	if (client_stream_open(c, CLIENT_CONTENT_Write, NULL, &w->stream, err) < 0)
		return -1;
	request.action = CONTENT__WRITE_ACTION__STAT;
	request.ref = ref;
	request.total = total;
	request.expected = str_or(digest, "");
	if (exchange(w, &request, &pb, err) < 0)
		return -1;
	w->offset = pb->offset;
	snprintf(w->digest, sizeof(w->digest), "%s", pb->digest);
	*ret_writer = take_ptr(w);
	return 0;
}

void client_writer_rewind(struct ctrd_writer *w)
{
	w->offset = 0;
}

static int write_chunk(struct ctrd_writer *w, const void *data, size_t size, struct err *err)
{
	Content__WriteContentRequest request = CONTENT__WRITE_CONTENT_REQUEST__INIT;
	const Content__WriteContentResponse *pb = NULL;

	request.action = CONTENT__WRITE_ACTION__WRITE;
	request.offset = w->offset;
	request.data.data = (uint8_t *)data;
	request.data.len = size;
	if (exchange(w, &request, &pb, err) < 0)
		return -1;
	if (pb->offset - w->offset != (int64_t)size)
		return err_set(err, ERR_DATA_LOSS, "short write: %lld of %zu bytes",
				(long long)(pb->offset - w->offset), size);
	w->offset = pb->offset;
	return 0;
}

int client_writer_write(struct ctrd_writer *w, const void *data, size_t size, struct err *err)
{
	while (size > 0) {
		size_t n = size < WRITE_CHUNK ? size : WRITE_CHUNK;

		if (write_chunk(w, data, n, err) < 0)
			return -1;
		data = (const char *)data + n;
		size -= n;
	}
	return 0;
}

static int check_commit(const Content__WriteContentResponse *pb, int64_t size,
		const char *digest, struct err *err)
{
	if (size != 0 && pb->offset != size)
		return err_set(err, ERR_PRECONDITION, "unexpected size: %lld != %lld",
				(long long)pb->offset, (long long)size);
	if (!str_is_empty(digest) && strcmp(pb->digest, digest) != 0)
		return err_set(err, ERR_PRECONDITION, "unexpected digest: %s != %s", pb->digest,
				digest);
	return 0;
}

int client_writer_commit(struct ctrd_writer *w, int64_t size, const char *digest,
		const struct labels *labels, struct err *err)
{
	Content__WriteContentRequest request = CONTENT__WRITE_CONTENT_REQUEST__INIT;
	const Content__WriteContentResponse *pb = NULL;
	AUTO_ARENA struct arena a = { 0 };

	arena_init(&a, REPLY_BUDGET);
	request.action = CONTENT__WRITE_ACTION__COMMIT;
	request.total = size;
	request.offset = w->offset;
	request.expected = str_or(digest, "");
	request.labels = wire_labels_out(&a, labels,
			&content__write_content_request__labels_entry__descriptor,
			&request.n_labels);
	if (exchange(w, &request, &pb, err) < 0)
		return -1;
	snprintf(w->digest, sizeof(w->digest), "%s", pb->digest);
	return check_commit(pb, size, digest, err);
}

int ctrd_writer_open(struct ctrd_client *c, const char *ref, int64_t total, const char *digest,
		struct ctrd_writer **ret_writer, struct ctrd_error **ret_error)
{
	AUTO_ERR struct err err = { 0 };

	return api_result(client_writer_open(c, ref, total, digest, ret_writer, &err), &err,
			ret_error);
}

int64_t ctrd_writer_offset(const struct ctrd_writer *w)
{
	return w->offset;
}

int ctrd_writer_write(struct ctrd_writer *w, const void *data, size_t size,
		struct ctrd_error **ret_error)
{
	AUTO_ERR struct err err = { 0 };

	return api_result(client_writer_write(w, data, size, &err), &err, ret_error);
}

int ctrd_writer_commit(struct ctrd_writer *w, int64_t size, const char *digest,
		const struct ctrd_labels *labels, struct ctrd_error **ret_error)
{
	AUTO_ERR struct err err = { 0 };

	return api_result(client_writer_commit(w, size, digest, inner_labels(labels), &err),
			&err, ret_error);
}

const char *ctrd_writer_digest(const struct ctrd_writer *w)
{
	return w->digest;
}

int client_blob_put(struct ctrd_client *c, const char *ref, const void *data, size_t size,
		const struct labels *labels, char digest[], struct err *err)
{
	AUTO(ctrd_writer_close) struct ctrd_writer *w = NULL;
	int rc;

	digest_bytes(DIGEST_SHA256, data, size, digest);
	rc = client_writer_open(c, ref, (int64_t)size, digest, &w, err);
	if (rc == 0 && w->offset != (int64_t)size) {
		w->offset = 0;
		rc = client_writer_write(w, data, size, err);
	}
	if (rc == 0)
		rc = client_writer_commit(w, (int64_t)size, digest, labels, err);
	if (rc < 0 && err->kind == ERR_EXISTS) {
		err_clear(err);
		rc = labels->count == 0 ? 0
					: client_blob_set_labels(c, digest, labels, NULL, err);
	}
	return rc;
}
