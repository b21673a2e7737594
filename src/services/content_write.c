/* SPDX-License-Identifier: Apache-2.0 */
/* The stream protocol of Content.Write, to the letter: reference 01 §5.2. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "api/pb/timestamp.pb-c.h"
#include "api/timestamp.h"
#include "api/typeurl.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "core/content.h"
#include "services/content_priv.h"
#include "services/content_write_priv.h"
#include "services/services_priv.h"
#include "wire/wire_map.h"

struct write_stream {
	struct call *call;
	struct content_store *store;
	struct content_writer *writer;
	char *ref, *expected;
	int64_t total, offset;
	bool is_suspended; /* nothing was received, and err is only about that */
	/* One answer for the whole stream: what a STAT has set is in all later ones. */
	Content__WriteContentResponse answer;
	Google__Protobuf__Timestamp started, updated;
	char digest[DIGEST_TEXT_SIZE];
};

static void stream_done(struct write_stream *s)
{
	content_writer_close(s->writer);
	free(s->ref);
	free(s->expected);
}

static int look(struct write_stream *s, bool with_times, struct err *err)
{
	struct content_status status = { 0 };

	if (content_writer_status(s->writer, &status, s->digest, err) < 0)
		return -1;
	s->offset = status.offset;
	s->answer.digest = s->digest;
	if (with_times) {
		timestamp_set(&s->started, status.started_ns);
		timestamp_set(&s->updated, status.updated_ns);
		s->answer.started_at = &s->started;
		s->answer.updated_at = &s->updated;
		s->answer.total = s->total;
	}
	content_status_done(&status);
	return 0;
}

/* The blob is there already: nobody needs this ingest any more. */
static int refuse_existing(struct write_stream *s, struct err *err)
{
	AUTO_ERR struct err ignored = { 0 };

	content_writer_close(take_ptr(s->writer));
	if (content_abort(s->store, ctx_of(s->call), s->ref, &ignored) < 0)
		log_warn(ctx_of(s->call), "abort ingest %s: %s (ignored)", s->ref,
				err_text(&ignored));
	return err_plain(err, ERR_EXISTS, "blob with expected digest %s exists", s->expected);
}

/* Recorded, with bytes behind it that nobody has found damaged. Under a lease a commit goes on
 * all the same: it is what puts the blob there, and without it a collection could take it. */
static bool has_expected(
		struct write_stream *s, const Content__WriteContentRequest *m, struct err *err)
{
	AUTO(content_reader_close) struct content_reader *reader = NULL;
	AUTO_ERR struct err unread = { 0 };
	struct content_info info = { 0 };
	bool is_marked;

	if (content_info(s->store, ctx_of(s->call), s->expected, &info, err) < 0)
		return false;
	is_marked = labels_find(&info.labels, CONTENT_LABEL_DAMAGED) != NULL;
	content_info_done(&info);
	if (is_marked || (m->action == CONTENT__WRITE_ACTION__COMMIT &&
					 !str_is_empty(ctx_of(s->call)->lease)))
		return false;
	return content_open(s->store, ctx_of(s->call), s->expected, &reader, &unread) == 0 ||
	       unread.kind != ERR_NOT_FOUND;
}

static int remember(
		struct write_stream *s, const Content__WriteContentRequest *m, struct err *err)
{
	AUTO_ERR struct err absent = { 0 };

	if (m->total > 0)
		s->total = m->total;
	if (str_is_empty(m->expected))
		return 0;
	free(s->expected);
	s->expected = xstrdup(m->expected);
	if (has_expected(s, m, &absent))
		return refuse_existing(s, err);
	return absent.kind == ERR_INVALID ? err_move(err, &absent) : 0;
}

static int append(struct write_stream *s, const struct write_request *r, struct err *err)
{
	int64_t at = r->message->offset;

	if (at > 0 && at != s->offset)
		return err_plain(err, ERR_OUT_OF_RANGE,
				"write @%" PRId64 " must occur at current offset %" PRId64, at,
				s->offset);
	/* Also on COMMIT: one that does not say where it is starts over. */
	if (at == 0 && s->offset > 0) {
		if (content_truncate(s->writer, err) < 0)
			return err_wrap(err, "truncate failed");
		s->offset = s->answer.offset = 0;
	}
	if (r->size == 0)
		return 0;
	if (content_write(s->writer, r->data, r->size, err) < 0)
		return -1;
	s->offset += (int64_t)r->size;
	s->answer.offset = s->offset;
	return 0;
}

static int commit(struct write_stream *s, const Content__WriteContentRequest *m,
		struct arena *a, struct err *err)
{
	struct labels labels = wire_labels_in(a, m->n_labels, m->labels);

	if (content_commit(s->writer, ctx_of(s->call), s->total, s->expected, &labels, err) < 0)
		return -1;
	/* The running digest is always sha256; clients compare with what they expected. */
	if (!str_is_empty(s->expected))
		(void)snprintf(s->digest, sizeof(s->digest), "%s", s->expected);
	return 0;
}

static int act(struct write_stream *s, const struct write_request *r, struct arena *a,
		struct err *err)
{
	const Content__WriteContentRequest *m = r->message;

	s->answer.action = m->action;
	s->answer.offset = s->offset;
	if (remember(s, m, err) < 0)
		return -1;
	switch ((int)m->action) {
	case CONTENT__WRITE_ACTION__STAT:
		return look(s, true, err);
	case CONTENT__WRITE_ACTION__WRITE:
		return append(s, r, err) < 0 ? -1 : look(s, false, err);
	case CONTENT__WRITE_ACTION__COMMIT:
		if (append(s, r, err) < 0 || look(s, false, err) < 0)
			return -1;
		return commit(s, m, a, err);
	default:
		return 0; /* an action from the future: answered, not acted upon */
	}
}

static int open_writer(
		struct write_stream *s, const Content__WriteContentRequest *m, struct err *err)
{
	struct content_status status = { 0 };

	if (str_is_empty(m->ref))
		return err_plain(err, ERR_INVALID, "first message must have a reference");
	s->ref = xstrdup(m->ref);
	if (content_writer_open(s->store, ctx_of(s->call), s->ref, m->total, m->expected,
			    &s->writer, err) < 0)
		return -1;
	if (content_writer_status(s->writer, &status, s->digest, err) < 0)
		return -1;
	s->offset = status.offset;
	s->total = m->total;
	content_status_done(&status);
	return 0;
}

/* --- another process goes on --- */

/* What stands for the messages so far: an action without data, which needs no answer. */
static enum call_fate suspend(struct write_stream *s, struct arena *a, struct err *err)
{
	Content__WriteContentRequest m = CONTENT__WRITE_CONTENT_REQUEST__INIT;
	const Google__Protobuf__Any *packed = NULL;

	if (s->writer == NULL)
		return call_suspend(s->call, NULL, 0, err);
	m.action = s->answer.started_at != NULL ? CONTENT__WRITE_ACTION__STAT
						: CONTENT__WRITE_ACTION__WRITE;
	m.ref = s->ref;
	m.total = s->total;
	m.expected = s->expected == NULL ? m.expected : s->expected;
	packed = any_pack(a, &m.base);
	return call_suspend(s->call, packed->value.data, packed->value.len, err);
}

static int resume(struct write_stream *s, struct arena *a, struct err *err)
{
	size_t size = 0;
	const void *state = call_resumed(s->call, &size);
	struct write_request r;

	if (state == NULL || size == 0)
		return 0;
	if (write_request_decode(state, size, a, &r, err) < 0 ||
			open_writer(s, r.message, err) < 0)
		return -1;
	if (!str_is_empty(r.message->expected))
		s->expected = xstrdup(r.message->expected);
	return look(s, r.message->action == CONTENT__WRITE_ACTION__STAT, err);
}

/* 1: go on, 0: the stream is over, -1: failed. */
static int step(struct write_stream *s, struct arena *a, struct err *err)
{
	struct write_request r;
	const void *bytes = NULL;
	size_t size = 0;
	int more = call_recv_bytes(s->call, &bytes, &size, err);

	if (more < 0) {
		s->is_suspended = call_is_suspended(s->call);
		return -1;
	}
	if (more == 0)
		return s->writer != NULL ? 0 : err_plain(err, ERR_UNKNOWN, "EOF");
	if (write_request_decode(bytes, size, a, &r, err) < 0)
		return -1;
	if (s->writer == NULL && open_writer(s, r.message, err) < 0)
		return -1;
	if (act(s, &r, a, err) < 0 || call_send(s->call, &s->answer.base, err) < 0)
		return -1;
	return r.message->action == CONTENT__WRITE_ACTION__COMMIT ? 0 : 1;
}

enum call_fate content_write_stream(struct call *call, void *self,
		const struct ProtobufCMessage *request, struct err *err)
{
	struct write_stream s = {
		.call = call,
		.store = ((struct content_service *)self)->store,
		.answer = CONTENT__WRITE_CONTENT_RESPONSE__INIT,
		.started = GOOGLE__PROTOBUF__TIMESTAMP__INIT,
		.updated = GOOGLE__PROTOBUF__TIMESTAMP__INIT,
	};
	AUTO_ARENA struct arena a = { 0 };
	enum call_fate fate;
	int more;

	arena_init(&a, SIZE_MAX); /* each message is bounded by its scan */
	more = resume(&s, &a, err);
	if (more == 0)
		while ((more = step(&s, &a, err)) > 0)
			arena_reset(&a);
	if (s.is_suspended)
		fate = suspend(&s, &a, err);
	else
		fate = more < 0 ? CALL_FAILED : CALL_OK;
	stream_done(&s);
	return fate;
}
