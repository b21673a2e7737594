/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A gRPC connection as a record, and back (docs/design/041). nghttp2 cannot be given a state,
 * so the taker's session is fed what would have led there: settings, requests that are not
 * answered yet, and what windows have moved since. What it says meanwhile is thrown away, since
 * the peer has heard it. No table of headers has to be carried over: for requests there is none
 * (our settings), and in responses a fresh one only names entries that it has itself made.
 */
#include <stdlib.h>
#include <string.h>

#include "base/auto.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/mem.h"
#include "rpc/grpc/grpc_serve_priv.h"
#include "rpc/grpc/grpc_state_priv.h"
#include "rpc/rpc_record_priv.h"

#define LAYOUT	     1
#define MAX_FRAME    ((size_t)16384)
#define FIRST_WINDOW 65535
#define WINDOW_MAX   INT32_MAX
/* A parked call that is older waits for something that does not come. */
#define PATIENCE_NS NS_PER_S

static const uint32_t setting_ids[] = { NGHTTP2_SETTINGS_HEADER_TABLE_SIZE,
	NGHTTP2_SETTINGS_ENABLE_PUSH, NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS,
	NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, NGHTTP2_SETTINGS_MAX_FRAME_SIZE,
	NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE };
#define SETTINGS     ARRAY_LEN(setting_ids)
#define FIRST_STREAM 3 /* INITIAL_WINDOW_SIZE in the list */

static struct grpc_conn *conn_of(struct rpc_conn *conn)
{
	return container_of(conn, struct grpc_conn, conn);
}

/* --- the giver --- */

static enum rpc_readiness call_readiness(const struct grpc_call *g)
{
	struct call *call = g->call;

	if (call == NULL)
		return RPC_SOON; /* was refused, and has not been told yet */
	LOCKED(&call->pipe.lock);
	if (call->done || call->phase == PHASE_RUNNING)
		return RPC_SOON;
	if (call->phase == PHASE_OPEN || call->suspended)
		return RPC_READY;
	if (call_has_trait(call, RPC_AGAIN) && call->kept != NULL)
		return RPC_READY;
	return clock_mono_ns() - call->start_ns < PATIENCE_NS ? RPC_SOON : RPC_NEVER;
}

enum rpc_readiness grpc_conn_readiness(struct rpc_conn *conn)
{
	struct grpc_conn *c = conn_of(conn);
	enum rpc_readiness worst = RPC_READY;

	if (c->h2.broken || c->draining)
		return RPC_NEVER;
	if (h2_track_is_new(&c->track))
		return RPC_READY;
	if (!c->settled || h2_track_missing(&c->track) > 0)
		worst = RPC_SOON;
	list_for_each (it, &c->h2.streams) {
		enum rpc_readiness r =
				call_readiness(list_entry(it, struct grpc_call, h2.node));

		worst = r > worst ? r : worst;
	}
	return worst;
}

void grpc_conn_hold(struct rpc_conn *conn)
{
	struct grpc_conn *c = conn_of(conn);

	if (conn->server->hold == RPC_HOLD_ALL) {
		/* Its settings must be taken first. */
		rpc_sock_pause(conn->sock, c->settled || h2_track_is_new(&c->track));
		return;
	}
	rpc_sock_seal(conn->sock, false);
	rpc_sock_pause(conn->sock, false);
	list_for_each (it, &c->h2.streams)
		h2_resume(list_entry(it, struct h2_stream, node));
	grpc_dispatch_ready(c);
}

/* A message as it came. */
static void put_message(struct buf *b, struct rpc_msg *m)
{
	unsigned char prefix[GRPC_PREFIX] = { m->packed, (unsigned char)(m->size >> 24),
		(unsigned char)(m->size >> 16), (unsigned char)(m->size >> 8),
		(unsigned char)m->size };

	buf_add(b, prefix, sizeof(prefix));
	buf_add(b, rpc_msg_payload(m), m->size);
}

/* What came and was not dealt with yet. */
static void put_input(struct buf *record, struct grpc_call *g)
{
	AUTO_BUF struct buf all = { .limit = SIZE_MAX };
	const struct grpc_reader *r = &g->h2.reader;

	if (g->call->kept != NULL)
		put_message(&all, g->call->kept);
	list_for_each (it, &g->call->pipe.in.list)
		put_message(&all, list_entry(it, struct rpc_msg, node));
	buf_add(&all, r->prefix, r->prefix_have);
	if (r->body != NULL)
		buf_add(&all, rpc_msg_payload(r->body), r->body_have);
	record_put_bytes(record, all.data, all.size);
}

/* What is to be sent when the peer's window allows. */
static void put_output(struct buf *record, struct grpc_call *g)
{
	AUTO_BUF struct buf all = { .limit = SIZE_MAX };

	if (g->h2.current != NULL)
		buf_add(&all, rpc_msg_wire(g->h2.current) + g->h2.at,
				rpc_msg_wire_size(g->h2.current) - g->h2.at);
	list_for_each (it, &g->call->pipe.out.list)
		put_message(&all, list_entry(it, struct rpc_msg, node));
	record_put_bytes(record, all.data, all.size);
}

static void put_headers(struct buf *record, const struct call *call)
{
	size_t n = 0, at = 0;
	const char *name, *value;

	while ((name = header_next(&call->headers, &at, &value)) != NULL)
		n += strcmp(name, "grpc-timeout") != 0;
	record_put_u64(record, n);
	at = 0;
	while ((name = header_next(&call->headers, &at, &value)) != NULL) {
		if (strcmp(name, "grpc-timeout") == 0)
			continue; /* the deadline stays, it does not begin anew */
		record_put_text(record, name);
		record_put_text(record, value);
	}
}

static void put_stream(struct buf *record, struct grpc_call *g)
{
	AUTO_FREE char *path = xasprintf(
			"/%s/%s", g->call->route.service->name, g->call->route.method->name);
	nghttp2_session *session = g->conn->h2.session;
	const struct rpc_msg *resume = g->call->resume;

	LOCKED(&g->call->pipe.lock);
	record_put_u64(record, (uint64_t)g->h2.id);
	record_put_text(record, path);
	put_headers(record, g->call);
	put_input(record, g);
	record_put_u64(record, g->in_ended);
	record_put_u64(record, g->responded);
	put_output(record, g);
	record_put_u64(record, (uint64_t)nghttp2_session_get_stream_local_window_size(
					       session, g->h2.id));
	record_put_u64(record, (uint64_t)nghttp2_session_get_stream_remote_window_size(
					       session, g->h2.id));
	record_put_u64(record, (uint64_t)g->call->ctx.deadline_ns);
	record_put_u64(record, resume != NULL);
	record_put_bytes(record, resume == NULL ? NULL : resume->bytes + RPC_HEADROOM,
			resume == NULL ? 0 : resume->size);
}

void grpc_conn_describe(struct rpc_conn *conn, struct buf *record)
{
	struct grpc_conn *c = conn_of(conn);
	nghttp2_session *session = c->h2.session;

	record_put_u64(record, LAYOUT);
	record_put_u64(record, h2_track_is_new(&c->track));
	for (size_t i = 0; i < SETTINGS; i++)
		record_put_u64(record,
				nghttp2_session_get_remote_settings(session, setting_ids[i]));
	record_put_u64(record, (uint64_t)nghttp2_session_get_local_window_size(session));
	record_put_u64(record, (uint64_t)nghttp2_session_get_remote_window_size(session));
	record_put_u64(record, c->last_id);
	record_put_u64(record, c->h2.stream_count);
	list_for_each (it, &c->h2.streams)
		put_stream(record, list_entry(it, struct grpc_call, h2.node));
}

/* --- the taker --- */

struct stream_record {
	uint32_t id;
	const char *path;
	struct rpc_record headers; /* where they stand */
	const void *input, *output, *resume;
	size_t input_size, output_size, resume_size;
	bool in_ended, responded, has_resume;
	int64_t local, remote; /* windows */
	int64_t deadline_ns;
};

struct conn_record {
	const void *unsent;
	size_t unsent_size;
	bool is_new;
	uint32_t settings[SETTINGS];
	int64_t local, remote; /* windows */
	uint32_t last_id;
	struct stream_record *streams;
	size_t count;
};

static void conn_record_done(struct conn_record *r)
{
	free(r->streams);
}

static int64_t read_window(struct rpc_record *r)
{
	int64_t n = (int64_t)record_u64(r);

	if (n > WINDOW_MAX || n < -(int64_t)WINDOW_MAX)
		r->bad = true;
	return n;
}

static void skip_headers(struct rpc_record *r)
{
	for (uint64_t n = record_number(r, GRPC_MAX_HEADERS); n > 0 && !r->bad; n--) {
		(void)record_text(r);
		(void)record_text(r);
	}
}

static void read_stream(struct rpc_record *r, struct stream_record *s)
{
	s->id = (uint32_t)record_number(r, INT32_MAX);
	s->path = record_text(r);
	s->headers = *r;
	skip_headers(r);
	s->input = record_bytes(r, &s->input_size);
	s->in_ended = record_number(r, 1) != 0;
	s->responded = record_number(r, 1) != 0;
	s->output = record_bytes(r, &s->output_size);
	s->local = read_window(r);
	s->remote = read_window(r);
	s->deadline_ns = (int64_t)record_number(r, INT64_MAX);
	s->has_resume = record_number(r, 1) != 0;
	s->resume = record_bytes(r, &s->resume_size);
}

static int read_conn(struct rpc_record *r, size_t max_streams, struct conn_record *c,
		struct err *err)
{
	c->unsent = record_bytes(r, &c->unsent_size);
	if (record_u64(r) != LAYOUT)
		r->bad = true;
	c->is_new = record_number(r, 1) != 0;
	for (size_t i = 0; i < SETTINGS; i++)
		c->settings[i] = (uint32_t)record_number(r, UINT32_MAX);
	c->local = read_window(r);
	c->remote = read_window(r);
	c->last_id = (uint32_t)record_number(r, INT32_MAX);
	c->count = record_number(r, max_streams);
	c->streams = xcalloc(c->count + 1, sizeof(*c->streams));
	for (size_t i = 0; i < c->count && !r->bad; i++) {
		read_stream(r, &c->streams[i]);
		/* in order, as the peer has begun them */
		if (c->streams[i].id % 2 == 0 || c->streams[i].id > c->last_id ||
				(i > 0 && c->streams[i].id <= c->streams[i - 1].id))
			r->bad = true;
	}
	if (r->bad || r->left > 0)
		return err_set(err, ERR_INVALID, "record of a connection");
	return 0;
}

static void add_u32(struct buf *b, uint32_t n)
{
	const unsigned char bytes[4] = { (unsigned char)(n >> 24), (unsigned char)(n >> 16),
		(unsigned char)(n >> 8), (unsigned char)n };

	buf_add(b, bytes, sizeof(bytes));
}

static void add_frame(struct buf *b, uint8_t type, uint8_t flags, uint32_t id,
		const void *payload, size_t size)
{
	const unsigned char head[5] = { (unsigned char)(size >> 16), (unsigned char)(size >> 8),
		(unsigned char)size, type, flags };

	buf_add(b, head, sizeof(head));
	add_u32(b, id);
	if (size > 0)
		buf_add(b, payload, size);
}

static void add_window_update(struct buf *b, uint32_t id, int64_t by)
{
	const unsigned char bytes[4] = { (unsigned char)(by >> 24), (unsigned char)(by >> 16),
		(unsigned char)(by >> 8), (unsigned char)by };

	if (by > 0)
		add_frame(b, NGHTTP2_WINDOW_UPDATE, 0, id, bytes, sizeof(bytes));
}

/* What the session says goes nowhere. */
static void discard(struct grpc_conn *c)
{
	unsigned char block[4096];

	while (h2_output(&c->h2, block, sizeof(block)) > 0)
		;
}

static int feed(struct grpc_conn *c, struct buf *frames, struct err *err)
{
	bool taken = frames->size == 0 || h2_input(&c->h2, frames->data, frames->size);

	buf_clear(frames);
	discard(c);
	return taken ? 0 : err_set(err, ERR_INVALID, "record of a connection");
}

static int feed_settings(struct grpc_conn *c, const struct conn_record *r, struct err *err)
{
	AUTO_BUF struct buf b = { .limit = SIZE_MAX };
	AUTO_BUF struct buf settings = { .limit = SIZE_MAX };

	for (size_t i = 0; i < SETTINGS; i++) {
		const unsigned char id[2] = { 0, (unsigned char)setting_ids[i] };

		/* "No limit" cannot be said but by silence. */
		if (setting_ids[i] == NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE &&
				r->settings[i] == UINT32_MAX)
			continue;
		buf_add(&settings, id, sizeof(id));
		add_u32(&settings, r->settings[i]);
	}
	buf_add_str(&b, NGHTTP2_CLIENT_MAGIC);
	add_frame(&b, NGHTTP2_SETTINGS, 0, 0, settings.data, settings.size);
	add_frame(&b, NGHTTP2_SETTINGS, NGHTTP2_FLAG_ACK, 0, NULL, 0);
	return feed(c, &b, err);
}

/* HPACK: a literal that enters no table. */
static void add_length(struct buf *b, size_t n)
{
	if (n < 127) {
		buf_add_byte(b, (unsigned char)n);
		return;
	}
	buf_add_byte(b, 127);
	for (n -= 127; n >= 128; n /= 128)
		buf_add_byte(b, (unsigned char)(n % 128 + 128));
	buf_add_byte(b, (unsigned char)n);
}

static void add_header(struct buf *b, const char *name, const char *value)
{
	buf_add_byte(b, 0);
	add_length(b, strlen(name));
	buf_add_str(b, name);
	add_length(b, strlen(value));
	buf_add_str(b, value);
}

static void add_headers(struct buf *b, const struct stream_record *s)
{
	struct rpc_record r = s->headers;

	buf_add_byte(b, 0x20); /* the table's size is 0 */
	add_header(b, ":method", "POST");
	add_header(b, ":scheme", "http");
	add_header(b, ":path", s->path);
	for (uint64_t n = record_u64(&r); n > 0; n--) {
		const char *name = record_text(&r);

		add_header(b, name, record_text(&r));
	}
}

static struct grpc_call *find_call(struct grpc_conn *c, uint32_t id)
{
	return nghttp2_session_get_stream_user_data(c->h2.session, (int32_t)id);
}

static void add_data(struct buf *b, const struct stream_record *s)
{
	const unsigned char *p = s->input;

	for (size_t at = 0; at < s->input_size; at += MAX_FRAME) {
		size_t n = s->input_size - at < MAX_FRAME ? s->input_size - at : MAX_FRAME;
		bool is_last = at + n == s->input_size;

		add_frame(b, NGHTTP2_DATA, is_last && s->in_ended ? NGHTTP2_FLAG_END_STREAM : 0,
				s->id, p + at, n);
	}
}

/* The window must hold what came before it was given back to the peer, and more. */
static int widen(struct grpc_conn *c, const struct stream_record *s, struct err *err)
{
	int64_t need = (int64_t)s->input_size + H2_STREAM_WINDOW;

	if (need > WINDOW_MAX || nghttp2_session_set_local_window_size(c->h2.session, 0,
						 (int32_t)s->id, (int32_t)need) != 0)
		return err_set(err, ERR_INVALID, "record of a connection");
	discard(c);
	return 0;
}

static int feed_request(struct grpc_conn *c, const struct stream_record *s, struct err *err)
{
	AUTO_BUF struct buf b = { .limit = SIZE_MAX };
	AUTO_BUF struct buf headers = { .limit = SIZE_MAX };
	bool is_all = s->in_ended && s->input_size == 0;

	add_headers(&headers, s);
	if (headers.size > MAX_FRAME)
		return err_set(err, ERR_INVALID, "record of a connection");
	add_frame(&b, NGHTTP2_HEADERS,
			NGHTTP2_FLAG_END_HEADERS | (is_all ? NGHTTP2_FLAG_END_STREAM : 0),
			s->id, headers.data, headers.size);
	if (feed(c, &b, err) < 0)
		return -1;
	if (find_call(c, s->id) == NULL || find_call(c, s->id)->call == NULL)
		return err_set(err, ERR_UNIMPLEMENTED, "%s", s->path);
	if (is_all)
		return 0;
	if (widen(c, s, err) < 0)
		return -1;
	add_data(&b, s);
	return feed(c, &b, err);
}

/* What an answer has used of the peer's window, or the peer has added to it. */
static int64_t sent_of(const struct conn_record *r, const struct stream_record *s)
{
	return (int64_t)r->settings[FIRST_STREAM] - s->remote;
}

static int replay_stream(struct grpc_conn *c, const struct conn_record *r,
		const struct stream_record *s, struct err *err)
{
	AUTO_BUF struct buf b = { .limit = SIZE_MAX };
	struct grpc_call *g;

	if (feed_request(c, s, err) < 0)
		return -1;
	add_window_update(&b, s->id, -sent_of(r, s));
	if (feed(c, &b, err) < 0)
		return -1;
	g = find_call(c, s->id);
	if (g == NULL)
		return err_set(err, ERR_INVALID, "record of a connection");
	if (s->responded) {
		g->swallow = sent_of(r, s) > 0 ? (size_t)sent_of(r, s) : 0;
		grpc_respond_data(g);
		discard(c);
	}
	g->call->ctx.deadline_ns = s->deadline_ns;
	if (s->has_resume)
		g->call->resume = rpc_msg_new(s->resume, s->resume_size);
	/* Framed already: it stands there as if it were half sent. */
	if (s->output_size > 0)
		g->h2.current = rpc_msg_new(s->output, s->output_size);
	return 0;
}

/* An ended stream: it makes the session know how far the peer has counted, and takes up what
 * ended streams have used of the connection's window. */
static int replay_dummy(struct grpc_conn *c, int64_t used, struct err *err)
{
	AUTO_BUF struct buf b = { .limit = SIZE_MAX };
	struct grpc_call *g;

	add_frame(&b, NGHTTP2_HEADERS, NGHTTP2_FLAG_END_HEADERS | NGHTTP2_FLAG_END_STREAM,
			c->dummy_id, "\x20\x83", 2);
	add_window_update(&b, c->dummy_id, used);
	if (feed(c, &b, err) < 0)
		return -1;
	g = find_call(c, c->dummy_id);
	if (g == NULL)
		return err_set(err, ERR_INVALID, "record of a connection");
	if (used > 0) {
		g->swallow = (size_t)used;
		grpc_respond_data(g);
		discard(c);
	}
	(void)nghttp2_submit_rst_stream(
			c->h2.session, 0, (int32_t)c->dummy_id, NGHTTP2_NO_ERROR);
	discard(c);
	return 0;
}

/* The highest number whose stream has ended; 0 if none has. */
static uint32_t find_dummy(const struct conn_record *r)
{
	uint32_t id = r->last_id;

	for (size_t i = r->count; i > 0 && id == r->streams[i - 1].id; i--)
		id = id > 2 ? id - 2 : 0;
	return id;
}

static int replay(struct grpc_conn *c, const struct conn_record *r, struct err *err)
{
	AUTO_BUF struct buf b = { .limit = SIZE_MAX };
	int64_t window = FIRST_WINDOW;
	size_t i = 0;

	for (size_t k = 0; k < r->count; k++)
		if (r->streams[k].responded && sent_of(r, &r->streams[k]) > 0)
			window -= sent_of(r, &r->streams[k]);
	if (feed_settings(c, r, err) < 0)
		return -1;
	add_window_update(&b, 0, r->remote - window);
	if (feed(c, &b, err) < 0)
		return -1;
	c->dummy_id = find_dummy(r);
	if (c->dummy_id == 0 && window > r->remote)
		return err_set(err, ERR_INVALID, "record of a connection");
	for (; i < r->count && r->streams[i].id < c->dummy_id; i++)
		if (replay_stream(c, r, &r->streams[i], err) < 0)
			return -1;
	if (c->dummy_id != 0 && replay_dummy(c, window - r->remote, err) < 0)
		return -1;
	for (; i < r->count; i++)
		if (replay_stream(c, r, &r->streams[i], err) < 0)
			return -1;
	return 0;
}

/* Tells the peer of room that it does not know of, or makes room that it believes in. */
static void level(
		struct grpc_conn *c, uint32_t id, int64_t ours, int64_t theirs, struct buf *out)
{
	if (ours >= theirs) {
		add_window_update(out, id, ours - theirs);
		return;
	}
	ours = id == 0 ? nghttp2_session_get_effective_local_window_size(c->h2.session)
		       : nghttp2_session_get_stream_effective_local_window_size(
					 c->h2.session, (int32_t)id);
	(void)nghttp2_session_set_local_window_size(
			c->h2.session, 0, (int32_t)id, (int32_t)(ours + theirs));
	discard(c);
}

static void level_windows(struct grpc_conn *c, const struct conn_record *r, struct buf *out)
{
	nghttp2_session *session = c->h2.session;

	level(c, 0, nghttp2_session_get_local_window_size(session), r->local, out);
	for (size_t i = 0; i < r->count; i++) {
		const struct stream_record *s = &r->streams[i];

		if (!s->in_ended)
			level(c, s->id,
					nghttp2_session_get_stream_local_window_size(
							session, (int32_t)s->id),
					s->local, out);
	}
}

static int revive(struct grpc_conn *c, const struct conn_record *r, struct buf *first,
		struct err *err)
{
	int rc = 0;

	c->replaying = true;
	discard(c); /* the greeting */
	buf_add(first, r->unsent, r->unsent_size);
	if (!r->is_new) {
		rc = replay(c, r, err);
		c->settled = true;
		c->last_id = r->last_id;
		c->track.preface_have = strlen(NGHTTP2_CLIENT_MAGIC);
	}
	if (rc == 0 && !r->is_new)
		level_windows(c, r, first);
	c->replaying = false;
	c->dummy_id = 0;
	return rc;
}

int grpc_adopt(struct rpc_server *s, int own_fd, const void *record, size_t size,
		struct err *err)
{
	__attribute__((cleanup(conn_record_done))) struct conn_record r = { 0 };
	AUTO_BUF struct buf first = { .limit = SIZE_MAX };
	struct rpc_record from = { .at = record, .left = size };
	struct grpc_conn *c;

	if (read_conn(&from, s->limits.max_streams, &r, err) < 0)
		return -1;
	c = grpc_conn_new(s);
	if (revive(c, &r, &first, err) < 0) {
		grpc_conn_ops.closed(c);
		return -1;
	}
	c->conn.sock = rpc_sock_adopt(
			s->loop, own_fd, &grpc_conn_ops, c, first.data, first.size);
	return 0;
}
