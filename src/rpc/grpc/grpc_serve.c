/* SPDX-License-Identifier: Apache-2.0 */
#include "rpc/grpc/grpc_serve_priv.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/err_details.h"
#include "base/mem.h"
#include "base/str.h"
#include "rpc/grpc/grpc_gzip_priv.h"
#include "rpc/grpc/grpc_state_priv.h"
#include "rpc/grpc/grpc_text_priv.h"

/* Up to GRPC_MAX_HEADERS we take headers, up to this figure we swallow them and answer; a peer
 * that goes beyond is cut off. */
#define FLOOD_HEADERS ((size_t)256 * 1024)
/* Error texts, encoded: what peers with small header limits still take. */
#define MAX_MESSAGE ((size_t)8 * 1024)

/* Room for those of an ordinary call. */
#define USUAL_HEADERS ((size_t)256)

enum pseudo {
	PSEUDO_NONE = 0,
	PSEUDO_METHOD = 1,
	PSEUDO_PATH = 2,
	PSEUDO_SCHEME = 4,
	PSEUDO_AUTHORITY = 8,
	PSEUDO_NEEDED = PSEUDO_METHOD | PSEUDO_PATH | PSEUDO_SCHEME,
};

static const uint8_t drain_ping[8] = { 'd', 'r', 'a', 'i', 'n', 'i', 'n', 'g' };

/* Responses. */

static ssize_t on_read(nghttp2_session *session, int32_t id, uint8_t *room, size_t size,
		uint32_t *flags, nghttp2_data_source *source, void *user);

/* What the headers that tell a status are made of. */
struct status_text {
	char number[8];
	char *message, *details; /* owned */
};

#define STATUS_HEADERS 3

static void status_text_done(struct status_text *t)
{
	free(t->message);
	free(t->details);
}

/* grpc-status and, if they are there, grpc-message and the details; how many. */
static size_t status_headers(const struct err *status, struct status_text *text, nghttp2_nv *nv)
{
	int n;

	nv[0] = H2_NV_FIXED("grpc-status", "0");
	if (status->kind == ERR_NONE)
		return 1;
	n = snprintf(text->number, sizeof(text->number), "%d", err_grpc_status(status));
	nv[0] = H2_NV("grpc-status", text->number, (size_t)n);
	text->message = grpc_message_encode(err_text(status), MAX_MESSAGE);
	nv[1] = H2_NV("grpc-message", text->message, strlen(text->message));
	if (err_detail_count(status) == 0)
		return 2;
	text->details = grpc_details_encode(status, MAX_MESSAGE);
	nv[2] = H2_NV("grpc-status-details-bin", text->details, strlen(text->details));
	return 3;
}

static void submit_trailers(struct grpc_call *g, const struct err *status)
{
	struct status_text text = { 0 };
	nghttp2_nv nv[STATUS_HEADERS];
	size_t n = status_headers(status, &text, nv);

	(void)nghttp2_submit_trailer(g->h2.h2->session, g->h2.id, nv, n);
	status_text_done(&text);
}

/* A response that is nothing but a status. */
static void respond_status(struct grpc_call *g, const char *http, const struct err *status)
{
	struct status_text text = { 0 };
	nghttp2_nv nv[2 + STATUS_HEADERS];
	size_t n;

	g->responded = true;
	grpc_guard_sent(&g->conn->guard, 0);
	nv[0] = H2_NV(":status", http, strlen(http));
	nv[1] = H2_NV_FIXED("content-type", "application/grpc");
	n = status_headers(status, &text, nv + 2);
	(void)nghttp2_submit_response(g->h2.h2->session, g->h2.id, nv, 2 + n, NULL);
	status_text_done(&text);
}

void grpc_respond_data(struct grpc_call *g)
{
	nghttp2_data_provider provider = { { .ptr = g }, on_read };
	nghttp2_nv nv[3];
	size_t n = 2;

	g->responded = true;
	g->h2.sending = true;
	nv[0] = H2_NV_FIXED(":status", "200");
	nv[1] = H2_NV_FIXED("content-type", "application/grpc");
	/* the answer comes as the question did */
	if (g->call != NULL && g->call->codec != NULL)
		nv[n++] = H2_NV_FIXED("grpc-encoding", "gzip");
	/* The peer's table of headers must not miss what it does not get to see. */
	for (size_t i = 0; i < n && g->conn->replaying; i++)
		nv[i].flags |= NGHTTP2_NV_FLAG_NO_INDEX;
	(void)nghttp2_submit_response(g->h2.h2->session, g->h2.id, nv, n, &provider);
}

/* As many bytes as the peer has already got: only the windows remember them. */
static ssize_t swallow(struct grpc_call *g, uint8_t *room, size_t size)
{
	size_t n = size < g->swallow ? size : g->swallow;

	memset(room, 0, n);
	g->swallow -= n;
	return n > 0 ? (ssize_t)n : NGHTTP2_ERR_DEFERRED;
}

static ssize_t on_read(nghttp2_session *session, int32_t id, uint8_t *room, size_t size,
		uint32_t *flags, nghttp2_data_source *source, void *user)
{
	struct grpc_call *g = source->ptr;
	AUTO_ERR struct err status = { 0 };
	bool end;
	size_t n;

	(void)session;
	(void)id;
	(void)user;
	if (g->conn->replaying)
		return swallow(g, room, size);
	n = h2_fill(&g->h2, room, size, &end);
	grpc_guard_sent(&g->conn->guard, n);
	if (end && call_is_done(g->call, &status)) {
		*flags |= NGHTTP2_DATA_FLAG_EOF | NGHTTP2_DATA_FLAG_NO_END_STREAM;
		submit_trailers(g, &status);
		return (ssize_t)n;
	}
	return n > 0 ? (ssize_t)n : NGHTTP2_ERR_DEFERRED;
}

static bool has_output(struct call *call)
{
	LOCKED(&call->pipe.lock);
	return msgq_first(&call->pipe.out) != NULL;
}

static void start_response(struct grpc_call *g)
{
	enum rpc_kind kind = g->call->route.method->kind;
	bool one_answer = kind == RPC_UNARY || kind == RPC_CLIENT_STREAM;
	AUTO_ERR struct err status = { 0 };
	bool done = call_is_done(g->call, &status);
	bool output = has_output(g->call);

	if (!done && (one_answer || !output))
		return;
	if (status.kind != ERR_NONE && (one_answer || !output))
		respond_status(g, "200", &status);
	else
		grpc_respond_data(g);
}

static void link_update(void *link, struct call *call)
{
	struct grpc_call *g = link;

	(void)call;
	h2_unhold(&g->h2);
	if (!g->responded)
		start_response(g);
	else
		h2_resume(&g->h2);
	rpc_sock_kick(g->conn->conn.sock);
}

static const struct call_link_ops link_ops = {
	.update = link_update,
};

/* Requests. */

static void refuse(struct grpc_call *g, const char *http, enum err_kind kind, const char *fmt,
		...) PRINTF_LIKE(4, 5);

static void refuse(
		struct grpc_call *g, const char *http, enum err_kind kind, const char *fmt, ...)
{
	AUTO_ERR struct err err = { 0 };
	AUTO_FREE char *text = NULL;
	va_list args;

	va_start(args, fmt);
	text = xvasprintf(fmt, args);
	va_end(args);
	err_plain(&err, kind, "%s", text);
	respond_status(g, http, &err);
}

static void reset(struct grpc_call *g, uint32_t code)
{
	(void)nghttp2_submit_rst_stream(g->h2.h2->session, NGHTTP2_FLAG_NONE, g->h2.id, code);
}

static bool is_grpc(const char *content_type)
{
	const char *rest;

	if (content_type == NULL || !str_starts(content_type, "application/grpc"))
		return false;
	rest = content_type + strlen("application/grpc");
	return rest[0] == '\0' || rest[0] == '+' || rest[0] == ';';
}

/* The last slash divides, as in the original. */
static bool find_route(struct grpc_call *g, struct rpc_route *ret_route)
{
	const struct rpc_server *server = g->conn->conn.server;
	AUTO_FREE char *quoted = NULL;
	AUTO_FREE char *service = NULL;
	const char *slash = strrchr(g->path, '/');

	if (g->path[0] != '/' || slash == g->path) {
		quoted = str_quote(g->path);
		refuse(g, "200", ERR_UNIMPLEMENTED, "malformed method name: %s", quoted);
		return false;
	}
	service = xstrndup(g->path + 1, (size_t)(slash - g->path - 1));
	switch (rpc_server_route(server, RPC_GRPC, service, slash + 1, ret_route)) {
	case ROUTE_NO_SERVICE:
		refuse(g, "200", ERR_UNIMPLEMENTED, "unknown service %s", service);
		return false;
	case ROUTE_NO_METHOD:
		refuse(g, "200", ERR_UNIMPLEMENTED, "unknown method %s for service %s",
				slash + 1, service);
		return false;
	case ROUTE_FOUND:
		break;
	}
	return true;
}

/* What HTTP and gRPC demand of a request before it is looked at; false when it was refused. */
static bool check_request(struct grpc_call *g, int64_t *ret_timeout)
{
	const char *type = header_find(&g->headers, "content-type"),
		   *timeout = header_find(&g->headers, "grpc-timeout");

	*ret_timeout = -1;
	if (!g->too_large &&
			(g->malformed || (g->pseudo_seen & PSEUDO_NEEDED) != PSEUDO_NEEDED)) {
		reset(g, NGHTTP2_PROTOCOL_ERROR);
		return false;
	}
	if (g->too_large)
		refuse(g, "200", ERR_EXHAUSTED,
				"received header list size larger than max (%zu vs. %zu)",
				g->header_bytes, GRPC_MAX_HEADERS);
	else if (!is_grpc(type))
		refuse(g, "415", ERR_INVALID, "invalid gRPC request content-type \"%s\"",
				str_or(type, ""));
	else if (strcmp(g->method, "POST") != 0)
		refuse(g, "405", ERR_INTERNAL,
				"Received a HEADERS frame with :method \"%s\" which should be "
				"POST",
				g->method);
	else if (timeout != NULL && !grpc_timeout_parse(timeout, ret_timeout))
		refuse(g, "400", ERR_INTERNAL, "malformed grpc-timeout: \"%s\"", timeout);
	return !g->responded;
}

static void set_deadline(struct call *call, int64_t timeout_ns)
{
	int64_t now = call->start_ns;

	if (timeout_ns >= 0)
		call->ctx.deadline_ns =
				timeout_ns > INT64_MAX - now ? INT64_MAX : now + timeout_ns;
}

static bool has_one_request(const struct grpc_call *g)
{
	enum rpc_kind kind = g->call->route.method->kind;

	return kind == RPC_UNARY || kind == RPC_SERVER_STREAM;
}

static void set_ready(struct grpc_call *g)
{
	if (list_is_empty(&g->ready))
		list_append(&g->conn->ready, &g->ready);
}

/* False for what we do not have. */
static bool find_codec(const char *encoding, const struct rpc_codec **ret_codec)
{
	*ret_codec = NULL;
	if (encoding == NULL || encoding[0] == '\0' || strcmp(encoding, "identity") == 0)
		return true;
	*ret_codec = &grpc_gzip;
	return strcmp(encoding, "gzip") == 0;
}

static void on_request(struct grpc_call *g)
{
	struct rpc_route route;
	int64_t timeout;
	const struct rpc_codec *codec;
	const char *encoding;

	g->routed = true;
	if (!check_request(g, &timeout) || !find_route(g, &route))
		return;
	encoding = header_find(&g->headers, "grpc-encoding");
	if (!find_codec(encoding, &codec)) {
		refuse(g, "200", ERR_UNIMPLEMENTED,
				"grpc: Decompressor is not installed for grpc-encoding \"%s\"",
				encoding);
		return;
	}
	g->call = call_new(g->conn->conn.server, &route, RPC_GRPC, &link_ops, g);
	g->call->codec = codec;
	g->h2.pipe = &g->call->pipe;
	g->h2.reader.may_be_packed = codec != NULL;
	call_take_headers(g->call, &g->headers);
	set_deadline(g->call, timeout);
	if (!has_one_request(g))
		set_ready(g);
}

static void abort_call(struct grpc_call *g, enum err_kind kind, const char *text)
{
	AUTO_ERR struct err err = { 0 };

	err_plain(&err, kind, "%s", text);
	g->h2.deaf = true;
	list_remove(&g->ready);
	call_abort(g->call, &err);
}

static void on_request_end(struct grpc_call *g)
{
	g->in_ended = true;
	if (g->call == NULL || g->h2.deaf)
		return;
	if (grpc_reader_is_inside(&g->h2.reader))
		abort_call(g, ERR_INTERNAL, "unexpected EOF");
	else if (has_one_request(g))
		set_ready(g);
	else
		rpc_pipe_end_in(g->h2.pipe);
}

static void dispatch(struct grpc_call *g)
{
	struct rpc_msg *request = NULL;
	bool more = false;

	if (has_one_request(g)) {
		LOCKED(&g->h2.pipe->lock);
		request = msgq_pop(&g->h2.pipe->in);
		more = msgq_first(&g->h2.pipe->in) != NULL;
	}
	if (has_one_request(g) && (request == NULL || more)) {
		rpc_msg_free(request);
		abort_call(g, ERR_INTERNAL,
				more ? "grpc: more than one message in a request that takes one"
				     : "grpc: no message in a request that takes one");
		return;
	}
	call_dispatch(g->call, request);
}

static struct grpc_call *next_ready(const struct grpc_conn *c)
{
	list_for_each (it, &c->ready) {
		struct grpc_call *g = list_entry(it, struct grpc_call, ready);

		if (!rpc_server_holds(c->conn.server, g->call->route.method))
			return g;
	}
	return NULL;
}

/* Handlers run here, outside of nghttp2's callbacks. */
void grpc_dispatch_ready(struct grpc_conn *c)
{
	struct grpc_call *g;

	while ((g = next_ready(c)) != NULL) {
		list_remove(&g->ready);
		if (c->conn.server->left)
			reset(g, NGHTTP2_REFUSED_STREAM);
		else
			dispatch(g);
	}
}

/* Callbacks of nghttp2. */

static int on_begin_frame(nghttp2_session *session, const nghttp2_frame_hd *hd, void *user)
{
	struct grpc_conn *c = user;

	if (!c->replaying && !grpc_guard_frame(&c->guard, hd)) {
		(void)nghttp2_session_terminate_session(session, NGHTTP2_ENHANCE_YOUR_CALM);
		c->h2.broken = true;
	}
	return 0;
}

static int on_begin_headers(nghttp2_session *session, const nghttp2_frame *frame, void *user)
{
	struct grpc_conn *c = user;
	struct grpc_call *g;

	if (frame->hd.type != NGHTTP2_HEADERS || frame->headers.cat != NGHTTP2_HCAT_REQUEST)
		return 0;
	c->last_id = (uint32_t)frame->hd.stream_id;
	g = xzalloc(sizeof(*g));
	g->conn = c;
	g->routed = c->replaying && c->last_id == c->dummy_id;
	g->headers.limit = GRPC_MAX_HEADERS;
	list_init(&g->ready);
	h2_stream_init(&g->h2, &c->h2, frame->hd.stream_id,
			c->conn.server->limits.max_recv_message);
	(void)nghttp2_session_set_stream_user_data(session, frame->hd.stream_id, g);
	return 0;
}

static enum pseudo pseudo_of(const char *name, size_t size)
{
	static const struct {
		const char *name;
		size_t size;
		enum pseudo bit;
	} known[] = {
		{ ":method", 7, PSEUDO_METHOD },
		{ ":path", 5, PSEUDO_PATH },
		{ ":scheme", 7, PSEUDO_SCHEME },
		{ ":authority", 10, PSEUDO_AUTHORITY },
	};

	for (size_t i = 0; i < ARRAY_LEN(known); i++)
		if (size == known[i].size && memcmp(name, known[i].name, size) == 0)
			return known[i].bit;
	return PSEUDO_NONE;
}

static void take_pseudo(struct grpc_call *g, enum pseudo bit, const char *value)
{
	if (bit == PSEUDO_NONE || (g->pseudo_seen & bit) || g->regular_seen)
		g->malformed = true;
	else if (bit == PSEUDO_METHOD)
		g->method = xstrdup(value);
	else if (bit == PSEUDO_PATH)
		g->path = xstrdup(value);
	g->pseudo_seen |= bit;
}

static int on_header(nghttp2_session *session, const nghttp2_frame *frame, const uint8_t *name,
		size_t name_size, const uint8_t *value, size_t value_size, uint8_t flags,
		void *user)
{
	struct grpc_call *g =
			nghttp2_session_get_stream_user_data(session, frame->hd.stream_id);

	(void)flags;
	(void)user;
	if (g == NULL)
		return 0;
	g->header_bytes += name_size + value_size + 32;
	if (g->header_bytes > FLOOD_HEADERS)
		return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
	if (g->header_bytes > GRPC_MAX_HEADERS)
		g->too_large = true;
	if (!nghttp2_check_header_name(name, name_size) ||
			!nghttp2_check_header_value(value, value_size))
		g->malformed = true;
	if (g->routed || g->too_large || g->malformed)
		return 0;
	if (name[0] == ':') {
		take_pseudo(g, pseudo_of((const char *)name, name_size), (const char *)value);
		return 0;
	}
	g->regular_seen = true;
	g->malformed = strcmp((const char *)name, "connection") == 0;
	if (g->headers.size == 0)
		IGNORE(buf_reserve(&g->headers, USUAL_HEADERS));
	buf_add(&g->headers, name, name_size + 1);
	buf_add(&g->headers, value, value_size + 1);
	return 0;
}

static int on_data(nghttp2_session *session, uint8_t flags, int32_t id, const uint8_t *data,
		size_t size, void *user)
{
	struct grpc_call *g = nghttp2_session_get_stream_user_data(session, id);
	AUTO_ERR struct err err = { 0 };

	(void)flags;
	(void)user;
	if (g == NULL)
		(void)nghttp2_session_consume(session, id, size);
	else if (h2_receive(&g->h2, data, size, &err) < 0)
		abort_call(g, err.kind, err_text(&err));
	return 0;
}

static void on_ping(struct grpc_conn *c, const nghttp2_frame *frame)
{
	nghttp2_session *session = c->h2.session;
	bool ack = frame->hd.flags & NGHTTP2_FLAG_ACK;

	if (ack && c->draining &&
			memcmp(frame->ping.opaque_data, drain_ping, sizeof(drain_ping)) == 0)
		(void)nghttp2_submit_goaway(session, NGHTTP2_FLAG_NONE,
				nghttp2_session_get_last_proc_stream_id(session),
				NGHTTP2_NO_ERROR, NULL, 0);
	if (ack || grpc_guard_ping(&c->guard, c->h2.stream_count))
		return;
	(void)nghttp2_submit_goaway(session, NGHTTP2_FLAG_NONE,
			nghttp2_session_get_last_proc_stream_id(session),
			NGHTTP2_ENHANCE_YOUR_CALM, (const uint8_t *)"too_many_pings", 14);
	c->h2.broken = true;
}

static void on_settled(struct grpc_conn *c)
{
	c->settled = true;
	if (c->conn.server->hold == RPC_HOLD_ALL)
		rpc_sock_pause(c->conn.sock, true);
}

static int on_frame(nghttp2_session *session, const nghttp2_frame *frame, void *user)
{
	struct grpc_conn *c = user;
	struct grpc_call *g;

	if (frame->hd.type == NGHTTP2_PING)
		on_ping(c, frame);
	if (frame->hd.type == NGHTTP2_SETTINGS && (frame->hd.flags & NGHTTP2_FLAG_ACK))
		on_settled(c);
	if (frame->hd.type != NGHTTP2_HEADERS && frame->hd.type != NGHTTP2_DATA)
		return 0;
	g = nghttp2_session_get_stream_user_data(session, frame->hd.stream_id);
	if (g == NULL)
		return 0;
	if (!g->routed)
		on_request(g);
	if (frame->hd.flags & NGHTTP2_FLAG_END_STREAM)
		on_request_end(g);
	return 0;
}

/* A client that still sends when its call is over is told to stop. */
static int on_frame_sent(nghttp2_session *session, const nghttp2_frame *frame, void *user)
{
	const struct grpc_call *g;

	(void)user;
	if (frame->hd.type != NGHTTP2_HEADERS || !(frame->hd.flags & NGHTTP2_FLAG_END_STREAM))
		return 0;
	g = nghttp2_session_get_stream_user_data(session, frame->hd.stream_id);
	if (g != NULL && !g->in_ended)
		(void)nghttp2_submit_rst_stream(session, NGHTTP2_FLAG_NONE, frame->hd.stream_id,
				NGHTTP2_NO_ERROR);
	return 0;
}

static void call_free(struct grpc_call *g)
{
	h2_stream_done(&g->h2);
	list_remove(&g->ready);
	buf_done(&g->headers);
	free(g->path);
	free(g->method);
	if (g->call != NULL)
		call_drop_link(g->call);
	free(g);
}

static int on_stream_close(nghttp2_session *session, int32_t id, uint32_t code, void *user)
{
	struct grpc_call *g = nghttp2_session_get_stream_user_data(session, id);

	(void)code;
	(void)user;
	if (g != NULL)
		call_free(g);
	return 0;
}

/* Connections. */

static bool conn_input(void *proto, const void *data, size_t size)
{
	struct grpc_conn *c = proto;

	grpc_alive_heard(&c->alive);
	h2_track(&c->track, data, size);
	if (!c->h2.broken)
		(void)h2_input(&c->h2, data, size);
	grpc_dispatch_ready(c);
	return !c->h2.broken;
}

static size_t conn_output(void *proto, void *room, size_t size)
{
	struct grpc_conn *c = proto;

	return h2_output(&c->h2, room, size);
}

static bool conn_wants_input(void *proto)
{
	(void)proto;
	return true; /* windows hold back what is large, the guard what is many */
}

static bool conn_finished(void *proto)
{
	struct grpc_conn *c = proto;

	return h2_finished(&c->h2);
}

static size_t conn_missing(void *proto)
{
	const struct grpc_conn *c = proto;

	return h2_track_missing(&c->track);
}

static void conn_closed(void *proto)
{
	struct grpc_conn *c = proto;

	grpc_alive_done(&c->alive);
	while (!list_is_empty(&c->h2.streams))
		call_free(list_first(&c->h2.streams, struct grpc_call, h2.node));
	h2_done(&c->h2);
	rpc_conn_remove(&c->conn);
	free(c);
}

const struct rpc_sock_ops grpc_conn_ops = {
	.input = conn_input,
	.output = conn_output,
	.wants_input = conn_wants_input,
	.finished = conn_finished,
	.missing = conn_missing,
	.closed = conn_closed,
};

/* Two steps, as RFC 9113 §6.8 has it: a GOAWAY that promises to take everything on its way, and
 * after one round trip the one that names the last call we took. */
static void conn_shutdown(struct rpc_conn *conn)
{
	struct grpc_conn *c = container_of(conn, struct grpc_conn, conn);

	c->draining = true;
	(void)nghttp2_submit_shutdown_notice(c->h2.session);
	(void)nghttp2_submit_ping(c->h2.session, NGHTTP2_FLAG_NONE, drain_ping);
	rpc_sock_kick(conn->sock);
}

static const struct rpc_conn_ops server_ops = {
	.shutdown = conn_shutdown,
	.hold = grpc_conn_hold,
	.readiness = grpc_conn_readiness,
	.describe = grpc_conn_describe,
};

static bool always(void *conn UNUSED)
{
	return true;
}

static void kick(void *conn)
{
	struct grpc_conn *c = conn;

	rpc_sock_kick(c->conn.sock);
}

static void lost(void *conn)
{
	struct grpc_conn *c = conn;

	rpc_sock_close(c->conn.sock);
}

static const struct grpc_alive_ops alive_ops = {
	.is_wanted = always,
	.kick = kick,
	.lost = lost,
};

static nghttp2_session *new_session(struct grpc_conn *c)
{
	nghttp2_session_callbacks *callbacks;
	nghttp2_option *option = h2_options();
	nghttp2_session *session;

	if (nghttp2_session_callbacks_new(&callbacks) != 0)
		abort(); /* out of memory */
	nghttp2_session_callbacks_set_on_begin_frame_callback(callbacks, on_begin_frame);
	nghttp2_session_callbacks_set_on_begin_headers_callback(callbacks, on_begin_headers);
	nghttp2_session_callbacks_set_on_header_callback(callbacks, on_header);
	nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, on_data);
	nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, on_frame);
	nghttp2_session_callbacks_set_on_frame_send_callback(callbacks, on_frame_sent);
	nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, on_stream_close);
	if (nghttp2_session_server_new2(&session, callbacks, c, option) != 0)
		abort();
	nghttp2_session_callbacks_del(callbacks);
	nghttp2_option_del(option);
	return session;
}

static void greet(const struct grpc_conn *c)
{
	const struct rpc_limits *limits = &c->conn.server->limits;
	/* Peers keep no table of headers for us: then a successor need not know it. */
	const nghttp2_settings_entry settings[] = {
		{ NGHTTP2_SETTINGS_HEADER_TABLE_SIZE, 0 },
		{ NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, (uint32_t)limits->max_streams },
		{ NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, H2_STREAM_WINDOW },
		{ NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, GRPC_MAX_HEADERS },
	};

	(void)nghttp2_submit_settings(
			c->h2.session, NGHTTP2_FLAG_NONE, settings, ARRAY_LEN(settings));
	(void)nghttp2_session_set_local_window_size(
			c->h2.session, NGHTTP2_FLAG_NONE, 0, H2_CONNECTION_WINDOW);
}

struct grpc_conn *grpc_conn_new(struct rpc_server *s)
{
	struct grpc_conn *c = xzalloc(sizeof(*c));

	h2_init(&c->h2);
	c->h2.session = new_session(c);
	list_init(&c->ready);
	grpc_guard_init(&c->guard);
	c->conn.wire = RPC_WIRE_GRPC;
	rpc_conn_add(s, &c->conn, &server_ops);
	greet(c);
	c->alive.silence_ms = s->keepalive_ms;
	c->alive.timeout_ms = s->keepalive_timeout_ms;
	grpc_alive_init(&c->alive, s->loop, &c->h2, &alive_ops, c);
	grpc_alive_wake(&c->alive);
	return c;
}

struct rpc_conn *grpc_conn_base(struct grpc_conn *c)
{
	return &c->conn;
}

static void serve_fd(struct rpc_server *s, int own_fd)
{
	struct grpc_conn *c = grpc_conn_new(s);

	c->conn.sock = rpc_sock_new(s->loop, own_fd, &grpc_conn_ops, c);
	rpc_sock_kick(c->conn.sock);
}

int grpc_listen(struct rpc_server *s, int own_fd, struct err *err)
{
	return rpc_server_listen(s, own_fd, false, serve_fd, err);
}
