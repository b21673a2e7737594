/* SPDX-License-Identifier: Apache-2.0 */
#include "rpc/ttrpc/ttrpc_serve_priv.h"

#include <stdlib.h>
#include <string.h>

#include <protobuf-c/protobuf-c.h>

#include "api/arena.h"
#include "api/pb.h"
#include "api/pb/ttrpc.pb-c.h"
#include "base/clock.h"
#include "base/mem.h"
#include "rpc/rpc_record_priv.h"
#include "rpc/ttrpc/ttrpc_frame_priv.h"

#define MAX_METADATA   ((size_t)64 * 1024)
#define ENVELOPE_ARENA ((size_t)32 << 20)
/* Answers that wait for a slow peer before we stop listening to it. */
#define MAX_WAITING 64
/* A call that is older waits for something that does not come. */
#define PATIENCE_NS NS_PER_S

struct ttrpc_stream {
	struct list node;
	struct list ready; /* in conn->ready */
	struct ttrpc_conn *conn;
	struct call *call;
	uint32_t id;
	enum rpc_kind kind;
	bool in_closed;
	bool held;
};

struct ttrpc_conn {
	struct rpc_conn conn; /* first */
	struct ttrpc_reader reader;
	struct ttrpc_out out;
	struct list streams;
	struct list ready; /* streams that may have something to send */
	size_t stream_count, ready_count, held_count;
	uint32_t last_id;
	bool shutting_down;
};

static bool has_one_answer(const struct ttrpc_stream *s)
{
	return s->kind == RPC_UNARY || s->kind == RPC_CLIENT_STREAM;
}

static void set_held(struct ttrpc_stream *s, bool held)
{
	if (s->held == held)
		return;
	s->held = held;
	s->conn->held_count += held ? 1 : (size_t)-1;
}

static void set_ready(struct ttrpc_stream *s)
{
	if (list_is_empty(&s->ready)) {
		list_append(&s->conn->ready, &s->ready);
		s->conn->ready_count++;
	}
}

static void clear_ready(struct ttrpc_stream *s)
{
	if (list_is_empty(&s->ready))
		return;
	list_remove(&s->ready);
	s->conn->ready_count--;
}

static void stream_end(struct ttrpc_stream *s)
{
	clear_ready(s);
	set_held(s, false);
	list_remove(&s->node);
	s->conn->stream_count--;
	call_drop_link(s->call);
	free(s);
}

static void link_update(void *link, struct call *call)
{
	struct ttrpc_stream *s = link;

	if (s->held)
		set_held(s, rpc_pipe_hold(&call->pipe));
	set_ready(s);
	rpc_sock_kick(s->conn->conn.sock);
}

static const struct call_link_ops link_ops = {
	.update = link_update,
};

static void answer_status(
		struct ttrpc_conn *c, uint32_t id, enum err_kind kind, const char *text)
{
	AUTO_ERR struct err err = { 0 };

	err_plain(&err, kind, "%s", text);
	msgq_push(&c->out.frames, ttrpc_frame_status(id, &err));
}

static struct ttrpc_stream *find_stream(const struct ttrpc_conn *c, uint32_t id)
{
	list_for_each (it, &c->streams) {
		struct ttrpc_stream *s = list_entry(it, struct ttrpc_stream, node);

		if (s->id == id)
			return s;
	}
	return NULL;
}

static void abort_invalid(struct ttrpc_stream *s, const char *text)
{
	AUTO_ERR struct err err = { 0 };

	err_plain(&err, ERR_INVALID, "%s", text);
	call_abort(s->call, &err);
}

static void on_data(struct ttrpc_conn *c, const struct ttrpc_frame *f)
{
	struct ttrpc_stream *s = find_stream(c, f->stream);
	bool has_message = !(f->flags & TTRPC_NO_DATA);
	bool closes = f->flags & TTRPC_REMOTE_CLOSED;

	if (s == NULL) {
		answer_status(c, f->stream, ERR_INVALID, "StreamID is no longer active");
		return;
	}
	if (s->kind == RPC_UNARY) {
		abort_invalid(s, "data handling error: ttrpc: unary call takes no data");
		return;
	}
	if (has_message && s->in_closed) {
		abort_invalid(s, "data handling error: ttrpc: stream closed");
		return;
	}
	if (has_message)
		rpc_pipe_deliver(&s->call->pipe, rpc_msg_new(f->data, f->size));
	if (closes) {
		s->in_closed = true;
		rpc_pipe_end_in(&s->call->pipe);
	}
	if (closes && f->size > 0)
		abort_invalid(s, "data close message cannot include data");
	else
		set_held(s, rpc_pipe_hold(&s->call->pipe));
}

static bool add_metadata(struct call *call, const Ttrpc__Request *request)
{
	size_t total = 0;

	for (size_t i = 0; i < request->n_metadata; i++) {
		const Ttrpc__KeyValue *kv = request->metadata[i];
		size_t key = strlen(kv->key), value = strlen(kv->value);

		total += key + value + 32;
		if (total > MAX_METADATA)
			return false;
		call_add_header(call, kv->key, key, kv->value, value);
	}
	return true;
}

static void set_deadline(struct call *call, int64_t timeout_ns)
{
	int64_t now = clock_mono_ns();

	if (timeout_ns == 0)
		return;
	if (timeout_ns < 0)
		timeout_ns = 0;
	call->ctx.deadline_ns = timeout_ns > INT64_MAX - now ? INT64_MAX : now + timeout_ns;
}

static struct ttrpc_stream *stream_new(
		struct ttrpc_conn *c, uint32_t id, const struct rpc_route *route)
{
	struct ttrpc_stream *s = xzalloc(sizeof(*s));

	s->conn = c;
	s->id = id;
	s->kind = route->method->kind;
	list_init(&s->ready);
	s->call = call_new(c->conn.server, route, RPC_TTRPC, &link_ops, s);
	s->call->max_send = TTRPC_MAX - TTRPC_ENVELOPE;
	list_append(&c->streams, &s->node);
	c->stream_count++;
	return s;
}

static void start_call(struct ttrpc_stream *s, const Ttrpc__Request *request, uint8_t flags)
{
	struct rpc_msg *first = rpc_msg_new(request->payload.data, request->payload.len);

	s->in_closed = !(flags & TTRPC_REMOTE_OPEN);
	if (s->kind == RPC_UNARY || s->kind == RPC_SERVER_STREAM) {
		s->in_closed = s->kind == RPC_UNARY || s->in_closed;
		call_dispatch(s->call, first);
		return;
	}
	if (first->size > 0)
		rpc_pipe_deliver(&s->call->pipe, first);
	else
		rpc_msg_free(first);
	if (s->in_closed)
		rpc_pipe_end_in(&s->call->pipe);
	call_dispatch(s->call, NULL);
}

static void route_request(struct ttrpc_conn *c, const struct ttrpc_frame *f,
		const Ttrpc__Request *request)
{
	AUTO_FREE char *text = NULL;
	struct rpc_route route;
	struct ttrpc_stream *s;

	switch (rpc_server_route(
			c->conn.server, RPC_TTRPC, request->service, request->method, &route)) {
	case ROUTE_NO_SERVICE:
		text = xasprintf("service %s", request->service);
		answer_status(c, f->stream, ERR_UNIMPLEMENTED, text);
		return;
	case ROUTE_NO_METHOD:
		text = xasprintf("method %s", request->method);
		answer_status(c, f->stream, ERR_UNIMPLEMENTED, text);
		return;
	case ROUTE_FOUND:
		break;
	}
	s = stream_new(c, f->stream, &route);
	set_deadline(s->call, request->timeout_nano);
	if (add_metadata(s->call, request)) {
		start_call(s, request, f->flags);
		return;
	}
	stream_end(s);
	answer_status(c, f->stream, ERR_EXHAUSTED, "metadata is too large");
}

static void on_request(struct ttrpc_conn *c, const struct ttrpc_frame *f)
{
	AUTO_ARENA struct arena arena;
	AUTO_ERR struct err err = { 0 };
	AUTO_FREE char *text = NULL;
	ProtobufCMessage *request;

	arena_init(&arena, ENVELOPE_ARENA);
	if (f->stream <= c->last_id) {
		answer_status(c, f->stream, ERR_INVALID,
				"StreamID cannot be re-used and must increment");
		return;
	}
	c->last_id = f->stream;
	if (c->shutting_down || c->stream_count >= c->conn.server->limits.max_streams) {
		answer_status(c, f->stream, c->shutting_down ? ERR_UNAVAILABLE : ERR_EXHAUSTED,
				c->shutting_down ? "server is stopping"
						 : "too many calls on this connection");
		return;
	}
	if (pb_decode(&ttrpc__request__descriptor, f->data, f->size, &arena, &pb_limits_request,
			    &request, &err) < 0) {
		text = xasprintf("unmarshal request error: %s", err_text(&err));
		answer_status(c, f->stream, ERR_INVALID, text);
		return;
	}
	route_request(c, f, (const Ttrpc__Request *)request);
}

static void on_frame(void *arg, const struct ttrpc_frame *f)
{
	struct ttrpc_conn *c = arg;
	AUTO_FREE char *text = NULL;

	if (f->stream % 2 == 0) {
		answer_status(c, f->stream, ERR_INVALID,
				"StreamID must be odd for client initiated streams");
		return;
	}
	if (f->data == NULL) {
		text = xasprintf("message length %zu exceed maximum message size of %zu",
				f->size, TTRPC_MAX);
		answer_status(c, f->stream, ERR_EXHAUSTED, text);
		return;
	}
	if (f->type == TTRPC_REQUEST)
		on_request(c, f);
	else if (f->type == TTRPC_DATA)
		on_data(c, f);
	/* other types: of a later version of the protocol, ignored as the original does */
}

/* True if the stream has ended with this frame. */
static bool next_of_unary(struct ttrpc_stream *s, struct rpc_msg **ret_m)
{
	AUTO_ERR struct err status = { 0 };
	bool end;

	*ret_m = NULL;
	if (!call_is_done(s->call, &status))
		return false;
	if (status.kind == ERR_NONE)
		*ret_m = rpc_pipe_take(&s->call->pipe, &end);
	if (*ret_m == NULL)
		*ret_m = ttrpc_frame_status(s->id, &status);
	else
		ttrpc_frame_response(*ret_m, s->id);
	return true;
}

static bool next_of_stream(struct ttrpc_stream *s, struct rpc_msg **ret_m)
{
	AUTO_ERR struct err status = { 0 };
	bool end;

	*ret_m = rpc_pipe_take(&s->call->pipe, &end);
	if (*ret_m != NULL) {
		ttrpc_frame_message(*ret_m, s->id, TTRPC_DATA, 0);
		return false;
	}
	if (!end || !call_is_done(s->call, &status))
		return false;
	if (status.kind != ERR_NONE) {
		*ret_m = ttrpc_frame_status(s->id, &status);
		return true;
	}
	*ret_m = rpc_msg_new(NULL, 0);
	ttrpc_frame_message(*ret_m, s->id, TTRPC_DATA, TTRPC_REMOTE_CLOSED | TTRPC_NO_DATA);
	return true;
}

/* One frame of each stream in turn. */
static struct rpc_msg *next_frame(void *proto)
{
	struct ttrpc_conn *c = proto;
	struct rpc_msg *m = msgq_pop(&c->out.frames);

	while (m == NULL && !list_is_empty(&c->ready)) {
		struct ttrpc_stream *s = list_first(&c->ready, struct ttrpc_stream, ready);
		bool ended = has_one_answer(s) ? next_of_unary(s, &m) : next_of_stream(s, &m);

		clear_ready(s);
		if (ended)
			stream_end(s);
		else if (m != NULL)
			set_ready(s);
	}
	return m;
}

static bool conn_input(void *proto, const void *data, size_t size)
{
	struct ttrpc_conn *c = proto;

	ttrpc_read(&c->reader, data, size, on_frame, c);
	return true;
}

static size_t conn_output(void *proto, void *room, size_t size)
{
	struct ttrpc_conn *c = proto;

	return ttrpc_out_fill(&c->out, next_frame, c, room, size);
}

static bool conn_wants_input(void *proto)
{
	struct ttrpc_conn *c = proto;

	return c->held_count == 0 && c->ready_count < MAX_WAITING &&
	       c->out.frames.bytes < MAX_WAITING * RPC_MSG_COST;
}

static bool conn_finished(void *proto)
{
	struct ttrpc_conn *c = proto;

	return c->shutting_down && c->stream_count == 0;
}

static size_t conn_missing(void *proto)
{
	const struct ttrpc_conn *c = proto;

	return ttrpc_reader_missing(&c->reader);
}

static void conn_closed(void *proto)
{
	struct ttrpc_conn *c = proto;

	while (!list_is_empty(&c->streams))
		stream_end(list_first(&c->streams, struct ttrpc_stream, node));
	ttrpc_reader_done(&c->reader);
	ttrpc_out_done(&c->out);
	rpc_conn_remove(&c->conn);
	free(c);
}

const struct rpc_sock_ops ttrpc_conn_ops = {
	.input = conn_input,
	.output = conn_output,
	.wants_input = conn_wants_input,
	.finished = conn_finished,
	.missing = conn_missing,
	.closed = conn_closed,
};

static void conn_shutdown(struct rpc_conn *conn)
{
	struct ttrpc_conn *c = container_of(conn, struct ttrpc_conn, conn);

	c->shutting_down = true;
	rpc_sock_kick(conn->sock);
}

/* --- handing over: a connection without calls is only a number --- */

static void conn_hold(struct rpc_conn *conn)
{
	bool all = conn->server->hold == RPC_HOLD_ALL;

	if (!all)
		rpc_sock_seal(conn->sock, false);
	rpc_sock_pause(conn->sock, all);
}

static bool has_patience(const struct ttrpc_conn *c)
{
	list_for_each (it, &c->streams) {
		const struct ttrpc_stream *s = list_entry(it, struct ttrpc_stream, node);

		if (clock_mono_ns() - s->call->start_ns >= PATIENCE_NS)
			return false;
	}
	return true;
}

static enum rpc_readiness conn_readiness(struct rpc_conn *conn)
{
	struct ttrpc_conn *c = container_of(conn, struct ttrpc_conn, conn);

	if (c->shutting_down || !has_patience(c))
		return RPC_NEVER;
	return c->stream_count > 0 || ttrpc_reader_missing(&c->reader) > 0 ? RPC_SOON
									   : RPC_READY;
}

static void conn_describe(struct rpc_conn *conn, struct buf *record)
{
	record_put_u64(record, container_of(conn, struct ttrpc_conn, conn)->last_id);
}

static const struct rpc_conn_ops server_ops = {
	.shutdown = conn_shutdown,
	.hold = conn_hold,
	.readiness = conn_readiness,
	.describe = conn_describe,
};

struct ttrpc_conn *ttrpc_conn_new(struct rpc_server *s)
{
	struct ttrpc_conn *c = xzalloc(sizeof(*c));

	ttrpc_out_init(&c->out);
	list_init(&c->streams);
	list_init(&c->ready);
	c->conn.wire = RPC_WIRE_TTRPC;
	rpc_conn_add(s, &c->conn, &server_ops);
	return c;
}

void ttrpc_serve_fd(struct rpc_server *s, int own_fd)
{
	struct ttrpc_conn *c = ttrpc_conn_new(s);

	c->conn.sock = rpc_sock_new(s->loop, own_fd, &ttrpc_conn_ops, c);
}

int ttrpc_listen(struct rpc_server *s, int own_fd, bool same_user_only, struct err *err)
{
	return rpc_server_listen(s, own_fd, same_user_only, ttrpc_serve_fd, err);
}

int ttrpc_adopt(struct rpc_server *s, int own_fd, const void *record, size_t size,
		struct err *err)
{
	struct rpc_record r = { .at = record, .left = size };
	size_t unsent_size;
	const void *unsent = record_bytes(&r, &unsent_size);
	uint32_t last_id = (uint32_t)record_number(&r, UINT32_MAX);
	struct ttrpc_conn *c;

	if (r.bad || r.left > 0)
		return err_set(err, ERR_INVALID, "record of a connection");
	c = ttrpc_conn_new(s);
	c->last_id = last_id;
	c->conn.sock = rpc_sock_adopt(s->loop, own_fd, &ttrpc_conn_ops, c, unsent, unsent_size);
	return 0;
}
