/* SPDX-License-Identifier: Apache-2.0 */
/* The calling side of a ttrpc connection. */
#include <stdlib.h>

#include <protobuf-c/protobuf-c.h>

#include "api/arena.h"
#include "api/pb.h"
#include "api/pb/ttrpc.pb-c.h"
#include "base/clock.h"
#include "base/ctx.h"
#include "base/mem.h"
#include "rpc/channel_priv.h"
#include "rpc/rpc_sock_priv.h"
#include "rpc/rpc_status_priv.h"
#include "rpc/ttrpc/ttrpc_frame_priv.h"

#define ENVELOPE_ARENA ((size_t)32 << 20)

struct ttrpc_call {
	struct list node;
	struct list ready;
	struct rpc_stream *stream;
	uint32_t id; /* 0: the request has not been sent */
	bool closed; /* so have all our messages */
	bool held;
};

struct ttrpc_client {
	struct channel channel; /* first */
	struct ttrpc_reader reader;
	struct ttrpc_out out;
	struct list calls;
	struct list ready;
	size_t held_count;
	uint32_t next_id;
};

static struct ttrpc_client *client_of(struct channel *c)
{
	return container_of(c, struct ttrpc_client, channel);
}

static void set_held(struct ttrpc_client *c, struct ttrpc_call *call, bool held)
{
	if (call->held == held)
		return;
	call->held = held;
	c->held_count += held ? 1 : (size_t)-1;
}

static void set_ready(struct ttrpc_client *c, struct ttrpc_call *call)
{
	if (list_is_empty(&call->ready))
		list_append(&c->ready, &call->ready);
}

static void drop(struct ttrpc_client *c, struct ttrpc_call *call)
{
	set_held(c, call, false);
	list_remove(&call->ready);
	list_remove(&call->node);
	call->stream->link = NULL;
	free(call);
}

static void op_start(struct channel *channel, struct rpc_stream *s)
{
	struct ttrpc_call *call = xzalloc(sizeof(*call));

	call->stream = s;
	list_init(&call->ready);
	list_append(&client_of(channel)->calls, &call->node);
	s->link = call;
}

static void op_update(struct channel *channel, struct rpc_stream *s)
{
	struct ttrpc_client *c = client_of(channel);
	struct ttrpc_call *call = s->link;

	if (call->held)
		set_held(c, call, rpc_pipe_hold(&s->pipe));
	set_ready(c, call);
	rpc_sock_kick(channel->sock);
}

static struct rpc_msg *closing_frame(uint32_t id)
{
	struct rpc_msg *m = rpc_msg_new(NULL, 0);

	ttrpc_frame_message(m, id, TTRPC_DATA, TTRPC_REMOTE_CLOSED | TTRPC_NO_DATA);
	return m;
}

/* The protocol has no word for this; a late answer finds nobody. But a handler that waits for
 * our next message can at least learn that there is none. */
static void op_forget(struct channel *channel, struct rpc_stream *s)
{
	struct ttrpc_client *c = client_of(channel);
	const struct ttrpc_call *call = s->link;

	if (call->id != 0 && !call->closed && !s->unary) {
		msgq_push(&c->out.frames, closing_frame(call->id));
		rpc_sock_kick(channel->sock);
	}
	drop(c, s->link);
}

static void op_gone(const struct channel *channel, struct err *err)
{
	(void)channel;
	err_plain(err, ERR_UNAVAILABLE, "ttrpc: closed");
}

static void op_free(struct channel *channel)
{
	struct ttrpc_client *c = client_of(channel);

	ttrpc_reader_done(&c->reader);
	ttrpc_out_done(&c->out);
}

/* Sending. */

static int64_t timeout_of(const struct rpc_stream *s)
{
	int64_t left;

	if (s->deadline_ns == 0 || !s->unary)
		return 0;
	left = s->deadline_ns - clock_mono_ns();
	return left == 0 ? -1 : left;
}

static struct rpc_msg *pack_request(struct rpc_stream *s, struct rpc_msg *payload)
{
	Ttrpc__Request request = TTRPC__REQUEST__INIT;
	Ttrpc__KeyValue ns = TTRPC__KEY_VALUE__INIT;
	Ttrpc__KeyValue *metadata[] = { &ns };

	request.service = s->service;
	request.method = s->method;
	request.timeout_nano = timeout_of(s);
	if (payload != NULL) {
		request.payload.data = rpc_msg_payload(payload);
		request.payload.len = payload->size;
	}
	if (s->ns != NULL) {
		ns.key = (char *)"containerd-namespace-ttrpc";
		ns.value = s->ns;
		request.n_metadata = 1;
		request.metadata = metadata;
	}
	return rpc_msg_pack(&request.base);
}

static void fail_too_long(struct ttrpc_client *c, struct ttrpc_call *call, size_t size)
{
	AUTO_ERR struct err why = { 0 };
	struct rpc_stream *s = call->stream;

	err_plain(&why, ERR_EXHAUSTED, "message length %zu exceed maximum message size of %zu",
			size, TTRPC_MAX);
	drop(c, call);
	rpc_stream_broken(s, &why);
}

/* What the user has said so far. */
struct said {
	bool something, more, full, end, asked, empty;
};

static struct said look(struct rpc_stream *s)
{
	LOCKED(&s->pipe.lock);
	const struct rpc_msg *first = msgq_first(&s->pipe.out);
	struct said said = { .end = s->pipe.out_end, .asked = s->asked };

	if (first == NULL)
		return said;
	said.something = true;
	said.empty = first->size == 0;
	said.more = first->node.next != &s->pipe.out.list;
	said.full = s->pipe.out.bytes >= RPC_PIPE_HIGH;
	return said;
}

/*
 * The request frame carries the first message and tells whether more will follow, so it waits
 * until that is known: for a second message (or no room for one), the end, or the user's asking
 * for an answer. An empty first message with more to follow must travel apart: inside, it would
 * look like none.
 */
static struct rpc_msg *first_frame(struct ttrpc_client *c, struct ttrpc_call *call)
{
	struct rpc_stream *s = call->stream;
	struct said said = look(s);
	AUTO(rpc_msg_free) struct rpc_msg *payload = NULL;
	struct rpc_msg *m;
	bool end;

	if (!said.more && !said.full && !said.end && !said.asked)
		return NULL;
	call->closed = said.end && !said.more;
	if (said.something && (call->closed || !said.empty))
		payload = rpc_pipe_take(&s->pipe, &end);
	m = pack_request(s, payload);
	if (m->size > TTRPC_MAX) {
		fail_too_long(c, call, m->size);
		rpc_msg_free(m);
		return NULL;
	}
	call->id = c->next_id;
	c->next_id += 2;
	ttrpc_frame_message(m, call->id, TTRPC_REQUEST,
			s->unary       ? 0
			: call->closed ? TTRPC_REMOTE_CLOSED
				       : TTRPC_REMOTE_OPEN);
	return m;
}

static struct rpc_msg *data_frame(struct ttrpc_client *c, struct ttrpc_call *call)
{
	struct rpc_msg *m;
	bool end;

	if (call->closed)
		return NULL;
	m = rpc_pipe_take(&call->stream->pipe, &end);
	if (m != NULL && m->size > TTRPC_MAX) {
		fail_too_long(c, call, m->size);
		rpc_msg_free(m);
		return NULL;
	}
	if (m == NULL && !end)
		return NULL;
	call->closed = m == NULL;
	if (call->closed)
		return closing_frame(call->id);
	ttrpc_frame_message(m, call->id, TTRPC_DATA, 0);
	return m;
}

static struct rpc_msg *next_frame(void *proto)
{
	struct ttrpc_client *c = proto;
	struct rpc_msg *m = msgq_pop(&c->out.frames);

	while (m == NULL && !list_is_empty(&c->ready)) {
		struct ttrpc_call *call = list_first(&c->ready, struct ttrpc_call, ready);

		list_remove(&call->ready);
		m = call->id == 0 ? first_frame(c, call) : data_frame(c, call);
		if (m != NULL)
			set_ready(c, call);
	}
	return m;
}

static size_t sock_output(void *proto, void *room, size_t size)
{
	struct ttrpc_client *c = proto;

	return ttrpc_out_fill(&c->out, next_frame, c, room, size);
}

/* Receiving. */

static void end_call(struct ttrpc_client *c, struct ttrpc_call *call, const struct err *status)
{
	struct rpc_stream *s = call->stream;

	drop(c, call);
	rpc_stream_ended(s, status);
}

static void read_response(const Ttrpc__Response *response, struct ttrpc_call *call,
		struct err *ret_status)
{
	const Rpc__Status *status = response->status;

	if (status != NULL && status->code != 0)
		rpc_status_in(status, ret_status);
	else
		rpc_pipe_deliver(&call->stream->pipe,
				rpc_msg_new(response->payload.data, response->payload.len));
}

static void on_response(
		struct ttrpc_client *c, struct ttrpc_call *call, const struct ttrpc_frame *f)
{
	AUTO_ARENA struct arena arena;
	AUTO_ERR struct err status = { 0 };
	ProtobufCMessage *response;

	arena_init(&arena, ENVELOPE_ARENA);
	if (pb_decode(&ttrpc__response__descriptor, f->data, f->size, &arena, &pb_limits_reply,
			    &response, &status) < 0)
		err_wrap(&status, "ttrpc: error unmarshalling response");
	else
		read_response((const Ttrpc__Response *)response, call, &status);
	end_call(c, call, &status);
}

static void on_frame(void *arg, const struct ttrpc_frame *f)
{
	struct ttrpc_client *c = arg;
	struct ttrpc_call *call = NULL;
	AUTO_ERR struct err status = { 0 };

	list_for_each (it, &c->calls) {
		struct ttrpc_call *one = list_entry(it, struct ttrpc_call, node);

		if (one->id == f->stream && one->id != 0)
			call = one;
	}
	if (call == NULL)
		return; /* cancelled meanwhile */
	if (f->data == NULL) {
		err_plain(&status, ERR_EXHAUSTED,
				"message length %zu exceed maximum message size of %zu",
				f->size, TTRPC_MAX);
		end_call(c, call, &status);
		return;
	}
	if (f->type == TTRPC_RESPONSE) {
		on_response(c, call, f);
		return;
	}
	if (f->type != TTRPC_DATA)
		return;
	if (!(f->flags & TTRPC_NO_DATA))
		rpc_pipe_deliver(&call->stream->pipe, rpc_msg_new(f->data, f->size));
	if (f->flags & TTRPC_REMOTE_CLOSED)
		end_call(c, call, &status);
	else
		set_held(c, call, rpc_pipe_hold(&call->stream->pipe));
}

static bool sock_input(void *proto, const void *data, size_t size)
{
	struct ttrpc_client *c = proto;

	ttrpc_read(&c->reader, data, size, on_frame, c);
	return true;
}

static bool sock_wants_input(void *proto)
{
	struct ttrpc_client *c = proto;

	return c->held_count == 0;
}

static bool sock_finished(void *proto)
{
	(void)proto;
	return false;
}

static void sock_closed(void *proto)
{
	struct ttrpc_client *c = proto;

	while (!list_is_empty(&c->calls))
		drop(c, list_first(&c->calls, struct ttrpc_call, node));
	channel_on_closed(proto);
}

static const struct rpc_sock_ops sock_ops = {
	.input = sock_input,
	.output = sock_output,
	.wants_input = sock_wants_input,
	.finished = sock_finished,
	.closed = sock_closed,
};

static const struct channel_ops ops = {
	.start = op_start,
	.update = op_update,
	.forget = op_forget,
	.gone = op_gone,
	.sock_ops = &sock_ops,
	.free = op_free,
};

struct channel *channel_adopt_ttrpc(struct loop *loop, int own_fd)
{
	struct ttrpc_client *c = xzalloc(sizeof(*c));

	ttrpc_out_init(&c->out);
	list_init(&c->calls);
	list_init(&c->ready);
	c->next_id = 1;
	channel_init(&c->channel, &ops, loop, own_fd);
	return &c->channel;
}

int channel_open_ttrpc(struct loop *loop, const char *address, const struct ctx *ctx,
		struct channel **ret_channel, struct err *err)
{
	int fd = channel_connect(address, ctx, err);

	if (fd < 0)
		return -1;
	*ret_channel = channel_adopt_ttrpc(loop, fd);
	return 0;
}
