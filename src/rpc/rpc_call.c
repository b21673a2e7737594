/* SPDX-License-Identifier: Apache-2.0 */
/* The life of a call that we serve: dispatch, answers, end. What moves its bytes is a link of
 * ttrpc/ or grpc/. */
#include "rpc/call.h"

#include <assert.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include <protobuf-c/protobuf-c.h>

#include "api/arena.h"
#include "api/pb.h"
#include "api/pb/empty.pb-c.h"
#include "base/cancel.h"
#include "base/clock.h"
#include "base/mem.h"
#include "rpc/server_priv.h"

/* Decoding is bounded by the scan; this only backs it up. */
#define ARENA_BUDGET ((size_t)256 << 20)

/* On the loop others wait: there, answers beyond the first size are not packed, and requests
 * beyond the second not unpacked. No honest request of a method that runs there is so large. */
#define LOOP_PACK   ((size_t)64 * 1024)
#define LOOP_UNPACK ((size_t)1 << 20)

static struct call *call_of(struct rpc_pipe *p)
{
	return container_of(p, struct call, pipe);
}

static void on_wake(struct rpc_pipe *p);

static void pipe_ref(struct rpc_pipe *p)
{
	(void)call_ref(call_of(p));
}

static void pipe_unref(struct rpc_pipe *p)
{
	call_unref(call_of(p));
}

static void pipe_sent(struct rpc_pipe *p, struct rpc_msg *own_m)
{
	struct rpc_server *server = call_of(p)->server;

	if (server == NULL)
		rpc_msg_free(own_m);
	else
		rpc_server_give_back(server, own_m);
}

static const struct rpc_pipe_ops pipe_ops = {
	.wake = on_wake,
	.ref = pipe_ref,
	.unref = pipe_unref,
	.sent = pipe_sent,
};

struct call *call_ref(struct call *call)
{
	atomic_fetch_add(&call->refs, 1);
	return call;
}

void call_unref(struct call *call)
{
	if (call == NULL || atomic_fetch_sub(&call->refs, 1) != 1)
		return;
	rpc_pipe_done(&call->pipe);
	rpc_msg_free(call->request);
	rpc_msg_free(call->kept);
	rpc_msg_free(call->resume);
	rpc_msg_free(call->borrowed);
	rpc_msg_free(call->packing);
	buf_done(&call->headers);
	arena_done(&call->arena);
	arena_done(&call->recv_arena);
	cancel_unref(call->ctx.cancel);
	err_clear(&call->result);
	free(call);
}

struct call *call_new(struct rpc_server *s, const struct rpc_route *route,
		enum rpc_transport transport, const struct call_link_ops *link_ops, void *link)
{
	struct call *call = xzalloc(sizeof(*call));

	rpc_pipe_init(&call->pipe, &pipe_ops, s->loop);
	atomic_init(&call->refs, 2); /* the link's and the server's */
	call->server = s;
	call->route = *route;
	call->transport = transport;
	call->link_ops = link_ops;
	call->link = link;
	call->start_ns = clock_mono_ns();
	call->max_recv = s->limits.max_recv_message;
	call->max_send = s->limits.max_send_message;
	call->ctx.cancel = cancel_new();
	call->ctx.what = route->method->name;
	arena_init(&call->arena, ARENA_BUDGET);
	arena_init(&call->recv_arena, ARENA_BUDGET);
	call->headers.limit = SIZE_MAX;
	list_append(&s->calls, &call->node);
	s->call_count++;
	if (route->stats != NULL)
		rpc_count(&route->stats->started);
	return call;
}

/* As C strings, one behind the other. */
void call_add_header(struct call *call, const char *name, size_t name_size, const char *value,
		size_t value_size)
{
	buf_add(&call->headers, name, strnlen(name, name_size));
	buf_add_byte(&call->headers, '\0');
	buf_add(&call->headers, value, strnlen(value, value_size));
	buf_add_byte(&call->headers, '\0');
}

void call_take_headers(struct call *call, struct buf *headers)
{
	buf_done(&call->headers);
	call->headers = *headers;
	*headers = (struct buf){ .limit = headers->limit };
}

const char *header_next(const struct buf *headers, size_t *at, const char **ret_value)
{
	const char *name;

	if (*at >= headers->size)
		return NULL;
	name = headers->data + *at;
	*ret_value = name + strlen(name) + 1;
	*at = (size_t)(*ret_value + strlen(*ret_value) + 1 - headers->data);
	return name;
}

const char *header_find(const struct buf *headers, const char *name)
{
	const char *key, *value;
	size_t at = 0, size = strlen(name) + 1;

	while ((key = header_next(headers, &at, &value)) != NULL)
		if ((size_t)(value - key) == size && memcmp(key, name, size) == 0)
			return value;
	return NULL;
}

const char *call_header(const struct call *call, const char *name)
{
	return header_find(&call->headers, name);
}

const struct ctx *call_ctx(const struct call *call)
{
	return &call->ctx;
}

struct arena *call_arena(struct call *call)
{
	return &call->arena;
}

static bool has_one_request(const struct call *call)
{
	enum rpc_kind kind = call->route.method->kind;

	return kind == RPC_UNARY || kind == RPC_SERVER_STREAM;
}

static bool has_one_answer(const struct call *call)
{
	enum rpc_kind kind = call->route.method->kind;

	return kind == RPC_UNARY || kind == RPC_CLIENT_STREAM;
}

static bool is_on_loop(struct call *call)
{
	LOCKED(&call->pipe.lock);
	return call->pipe.loop != NULL && loop_is_mine(call->pipe.loop);
}

static int unpack(struct call *call, struct rpc_msg **m, struct err *err)
{
	size_t limit = call->max_recv;

	if (!(*m)->packed)
		return 0;
	if (limit > LOOP_UNPACK && is_on_loop(call))
		limit = LOOP_UNPACK;
	return call->codec->unpack(m, limit, err);
}

static int decode_request(struct call *call, ProtobufCMessage **ret_request, struct err *err)
{
	const ProtobufCMessageDescriptor *type = call->route.method->request;
	struct rpc_msg *m;
	int rc;

	if (unpack(call, &call->request, err) < 0)
		return -1;
	m = call->request;
	rc = pb_decode(type, rpc_msg_payload(m), m->size, &call->arena, &pb_limits_request,
			ret_request, err);
	if (call_has_trait(call, RPC_AGAIN) || call_has_trait(call, RPC_RESUMABLE)) {
		rpc_msg_free(call->kept);
		call->kept = take_ptr(call->request);
	}
	rpc_msg_free(take_ptr(call->request));
	if (rc == 0 && call->route.stats != NULL)
		rpc_count(&call->route.stats->received);
	if (rc == 0)
		return 0;
	return err_wrap(err, call->transport == RPC_TTRPC
					     ? "ttrpc: error unmarshalling payload"
					     : "grpc: error unmarshalling request");
}

static enum call_fate invoke(struct call *call, struct err *err)
{
	ProtobufCMessage *request = NULL;

	if (ctx_done(&call->ctx, err))
		return CALL_FAILED;
	if (has_one_request(call) && decode_request(call, &request, err) < 0)
		return CALL_FAILED;
	return call->route.method->handler(call, call->route.self, request, err);
}

/* The first end of a call is its end. "err" may be NULL or empty: OK. */
static void set_result_locked(struct call *call, const struct err *err)
{
	if (call->done)
		return;
	call->done = true;
	call->pipe.out_end = true;
	if (err != NULL && err->kind != ERR_NONE)
		err_copy(&call->result, err);
	else if (has_one_answer(call) && !call->answered)
		err_plain(&call->result, ERR_INTERNAL, "the handler gave no answer");
}

/* Nobody needs the request any more. The last reference is often the loop's, and giving back
 * the memory of a long list takes a moment there. */
static void drop_memory(struct call *call)
{
	call->ctx.ns = call->ctx.lease = NULL;
	buf_done(&call->headers);
	arena_done(&call->arena);
	arena_done(&call->recv_arena);
}

static void handler_back(struct call *call, enum call_fate fate, const struct err *err)
{
	assert((fate == CALL_FAILED) == (err->kind != ERR_NONE));
	if (fate == CALL_MOVED)
		return; /* and may already have ended */
	if (fate != CALL_PARKED && fate != CALL_SUSPENDED)
		drop_memory(call);
	mutex_lock(&call->pipe.lock);
	call->phase = PHASE_PARKED;
	if (fate == CALL_SUSPENDED && !call->done)
		call->suspended = true;
	else if (fate != CALL_PARKED)
		set_result_locked(call, err);
	mutex_unlock(&call->pipe.lock);
}

/* Runs on a worker, or on the loop. */
static void run(struct call *call)
{
	AUTO_ERR struct err err = { 0 };

	handler_back(call, invoke(call, &err), &err);
}

void call_leave_server(struct call *call)
{
	call->server = NULL;
	loop_timer_free(take_ptr(call->timer));
	mutex_lock(&call->pipe.lock);
	call->pipe.loop = NULL;
	call->route.stats = NULL;
	mutex_unlock(&call->pipe.lock);
}

/* The loop's view after anything changed: sends what there is, and lets go of what has ended.
 */
static void advance(struct call *call)
{
	bool back, done;

	if (call->server == NULL)
		return;
	if (call->link != NULL)
		call->link_ops->update(call->link, call);
	mutex_lock(&call->pipe.lock);
	back = call->phase == PHASE_PARKED;
	done = call->done && call->phase != PHASE_RUNNING;
	mutex_unlock(&call->pipe.lock);
	if (done && !call->settled) {
		call->settled = true;
		loop_timer_free(take_ptr(call->timer));
		rpc_server_settle(call->server, call, err_grpc_status(&call->result));
	}
	if (back && call->counted) {
		call->counted = false;
		rpc_server_handler_back(call->server);
	}
	/* Whoever parked it may have it for longer than there is a server, or a loop. */
	if (call->settled && call->link == NULL)
		call_leave_server(call);
}

static void on_wake(struct rpc_pipe *p)
{
	advance(call_of(p));
}

static void run_job(struct job *job)
{
	struct call *call = container_of(job, struct call, job);

	run(call);
	mutex_lock(&call->pipe.lock);
	rpc_pipe_wake_locked(&call->pipe);
	mutex_unlock(&call->pipe.lock);
	call_unref(call);
}

static void run_moved(struct job *job)
{
	struct call *call = container_of(job, struct call, job);
	AUTO_ERR struct err err = { 0 };
	enum call_fate fate = CALL_FAILED;

	if (call->packing != NULL) /* the handler begins anew */
		call->packing->size = 0;
	call->packed_size = 0;
	if (!ctx_done(&call->ctx, &err))
		fate = call->moved.handler(call, call->moved.self, call->moved.request, &err);
	handler_back(call, fate, &err);
	mutex_lock(&call->pipe.lock);
	rpc_pipe_wake_locked(&call->pipe);
	mutex_unlock(&call->pipe.lock);
	call_unref(call);
}

enum call_fate call_move(struct call *call, struct pool *pool, rpc_handler handler, void *self,
		const struct ProtobufCMessage *request, struct err *err)
{
	(void)call_ref(call);
	call->moved.handler = handler;
	call->moved.self = self;
	call->moved.request = request;
	call->job.run = run_moved;
	if (pool_submit(pool, &call->job))
		return CALL_MOVED;
	call_unref(call);
	err_set(err, ERR_UNAVAILABLE, "too many calls are waiting");
	return CALL_FAILED;
}

bool call_can_move(struct call *call)
{
	return is_on_loop(call) && call->server != NULL && call->server->workers != NULL;
}

enum call_fate call_to_worker(struct call *call, rpc_handler handler, void *self,
		const struct ProtobufCMessage *request, struct err *err)
{
	return call_move(call, call->server->workers, handler, self, request, err);
}

static struct pool *pool_for(const struct call *call)
{
	const struct rpc_server *s = call->server;

	if ((call->route.method->where & RPC_PLACE) == RPC_ON_LOOP)
		return NULL;
	return (call->route.method->where & RPC_PLACE) == RPC_ON_DATA ? s->data : s->workers;
}

static void on_deadline(void *arg)
{
	AUTO_ERR struct err why = { 0 };

	err_set(&why, ERR_DEADLINE, "%s", "");
	call_abort(arg, &why);
}

static void arm_deadline(struct call *call)
{
	if (call->ctx.deadline_ns == 0 || call->settled || call->timer != NULL)
		return;
	call->timer = loop_timer_new(call->server->loop, on_deadline, call);
	loop_timer_set(call->timer, (ctx_left_ns(&call->ctx) + NS_PER_MS - 1) / NS_PER_MS);
}

static void read_ctx(struct call *call)
{
	bool ttrpc = call->transport == RPC_TTRPC;

	call->ctx.ns = call_header(
			call, ttrpc ? "containerd-namespace-ttrpc" : "containerd-namespace");
	call->ctx.lease = ttrpc ? NULL : call_header(call, "containerd-lease");
}

static void run_here(struct call *call)
{
	run(call);
	advance(call);
	arm_deadline(call);
	call_unref(call);
}

void call_dispatch(struct call *call, struct rpc_msg *own_request)
{
	AUTO_ERR struct err busy = { 0 };
	struct pool *pool = pool_for(call);

	read_ctx(call);
	call->request = own_request;
	(void)call_ref(call); /* the handler's */
	mutex_lock(&call->pipe.lock);
	call->phase = PHASE_RUNNING;
	mutex_unlock(&call->pipe.lock);
	call->counted = true;
	call->server->running++;
	if (pool == NULL) {
		run_here(call);
		return;
	}
	arm_deadline(call);
	call->job.run = run_job;
	if (pool_submit(pool, &call->job))
		return;
	mutex_lock(&call->pipe.lock);
	call->phase = PHASE_PARKED;
	mutex_unlock(&call->pipe.lock);
	err_set(&busy, ERR_UNAVAILABLE, "too many calls are waiting");
	call_abort(call, &busy);
	call_unref(call);
}

static struct rpc_msg *again(const struct call *call)
{
	return call->kept == NULL ? NULL
				  : rpc_msg_new(rpc_msg_payload(call->kept), call->kept->size);
}

void call_continue(struct call *call)
{
	bool go_on;

	mutex_lock(&call->pipe.lock);
	go_on = call->suspended && !call->done;
	call->suspended = false;
	mutex_unlock(&call->pipe.lock);
	if (go_on)
		call_dispatch(call, again(call));
}

bool call_is_suspended(struct call *call)
{
	LOCKED(&call->pipe.lock);
	return (call->pipe.no_recv || call->pipe.no_send) && !call->pipe.over && !call->done;
}

enum call_fate call_suspend(struct call *call, const void *state, size_t size, struct err *err)
{
	rpc_msg_free(call->resume);
	call->resume = rpc_msg_new(state, size);
	err_clear(err);
	return CALL_SUSPENDED;
}

const void *call_resumed(const struct call *call, size_t *ret_size)
{
	if (call->resume == NULL)
		return NULL;
	*ret_size = call->resume->size;
	return rpc_msg_payload(call->resume);
}

void call_abort(struct call *call, const struct err *why)
{
	(void)call_ref(call);
	mutex_lock(&call->pipe.lock);
	if (!call->done) { /* else what is queued belongs to the end that it has */
		set_result_locked(call, why);
		rpc_pipe_break_locked(&call->pipe, why);
	}
	mutex_unlock(&call->pipe.lock);
	cancel_fire(call->ctx.cancel);
	advance(call);
	call_unref(call);
}

static bool is_done(struct call *call)
{
	LOCKED(&call->pipe.lock);
	return call->done;
}

void call_drop_link(struct call *call)
{
	AUTO_ERR struct err why = { 0 };

	call->link = NULL;
	if (is_done(call)) {
		advance(call);
	} else {
		err_set(&why, ERR_CANCELED, "%s", "");
		call_abort(call, &why);
	}
	call_unref(call);
}

bool call_is_done(struct call *call, struct err *ret_status)
{
	LOCKED(&call->pipe.lock);
	if (!call->done)
		return false;
	if (call->result.kind != ERR_NONE)
		err_copy(ret_status, &call->result);
	return true;
}

static int too_large(const struct call *call, size_t size, struct err *err)
{
	if (call->transport == RPC_TTRPC)
		return err_plain(err, ERR_EXHAUSTED,
				"message length %zu exceed maximum message size of %zu",
				size + TTRPC_ENVELOPE, call->max_send + TTRPC_ENVELOPE);
	return err_plain(err, ERR_EXHAUSTED,
			"%strying to send message larger than max (%zu vs. %zu)",
			has_one_answer(call) ? "grpc: " : "", size, call->max_send);
}

static void encode(struct call *call, struct rpc_msg **m)
{
	if (call->codec != NULL && ((*m)->size <= LOOP_PACK || !is_on_loop(call)))
		call->codec->pack(m);
}

static struct rpc_msg *pack(struct call *call, const ProtobufCMessage *message, struct err *err)
{
	size_t size = protobuf_c_message_get_packed_size(message);
	struct rpc_msg *m;

	if (size > call->max_send) {
		too_large(call, size, err);
		return NULL;
	}
	m = rpc_msg_pack(message);
	encode(call, &m);
	return m;
}

/* A parked call may outlive its server, which says so under this lock. */
static void count_sent_locked(struct call *call)
{
	if (call->route.stats != NULL)
		rpc_count(&call->route.stats->sent);
}

static void count_sent(struct call *call)
{
	LOCKED(&call->pipe.lock);
	count_sent_locked(call);
}

static void count_received(struct call *call)
{
	LOCKED(&call->pipe.lock);
	if (call->route.stats != NULL)
		rpc_count(&call->route.stats->received);
}

static enum call_fate answer(struct call *call, struct rpc_msg *own_m)
{
	AUTO(rpc_msg_free) struct rpc_msg *m = own_m;

	assert(has_one_answer(call));
	if (m == NULL)
		return CALL_FAILED;
	LOCKED(&call->pipe.lock);
	assert(!call->answered);
	call->answered = true;
	if (!call->done)
		msgq_push(&call->pipe.out, take_ptr(m));
	count_sent_locked(call);
	return CALL_OK;
}

enum call_fate call_answer(
		struct call *call, const struct ProtobufCMessage *response, struct err *err)
{
	return answer(call, pack(call, response, err));
}

struct packer {
	struct pb_sink sink;
	struct call *call;
};

/* From where the last item ended. */
static void set_sink(struct pb_sink *s, struct rpc_msg *m, size_t at)
{
	s->start = rpc_msg_payload(m);
	s->at = s->start + at;
	s->end = s->start + m->room;
}

/* The last long answer's memory, once this one is going to be long. */
static void take_spare(struct call *call, size_t have, size_t want)
{
	AUTO(rpc_msg_free) struct rpc_msg *m = NULL;
	struct rpc_msg *small = call->packing;

	if (want < RPC_SPARE_MIN / 4 || want > RPC_SPARE_MIN || call->server == NULL)
		return;
	m = rpc_server_spare(call->server);
	if (m == NULL)
		return;
	memcpy(rpc_msg_payload(m), rpc_msg_payload(small), have);
	m->size = small->size;
	call->packing = take_ptr(m);
	rpc_msg_free(small);
}

static void more_room(struct pb_sink *s, size_t size)
{
	struct packer *p = container_of(s, struct packer, sink);
	size_t at = (size_t)(s->at - s->start);

	take_spare(p->call, at, at + size);
	rpc_msg_reserve(&p->call->packing, at + size);
	set_sink(s, p->call->packing, at);
}

void call_pack(struct call *call, unsigned field, pb_put put, const void *what)
{
	struct packer p = { { .more = more_room }, call };
	size_t size;

	if (call->packing == NULL)
		rpc_msg_reserve(&call->packing, 0);
	set_sink(&p.sink, call->packing, call->packing->size);
	pb_put_inner(&p.sink, field, put, what);
	size = (size_t)(p.sink.at - p.sink.start) - call->packing->size;
	call->packed_size += size;
	if (call->packed_size <= call->max_send) /* else only its size is of interest */
		call->packing->size += size;
}

enum call_fate call_answer_packed(struct call *call, struct err *err)
{
	struct rpc_msg *m;

	if (call->packed_size > call->max_send) {
		too_large(call, call->packed_size, err);
		return CALL_FAILED;
	}
	m = take_ptr(call->packing);
	if (m == NULL)
		m = rpc_msg_new(NULL, 0);
	encode(call, &m);
	return answer(call, m);
}

enum call_fate call_answer_empty(struct call *call, struct err *err)
{
	Google__Protobuf__Empty empty = GOOGLE__PROTOBUF__EMPTY__INIT;

	return call_answer(call, &empty.base, err);
}

int call_send(struct call *call, const struct ProtobufCMessage *message, struct err *err)
{
	AUTO(rpc_msg_free) struct rpc_msg *m = pack(call, message, err);

	assert(!has_one_answer(call));
	if (m == NULL || rpc_pipe_send(&call->pipe, m, err) < 0)
		return -1;
	m = NULL;
	count_sent(call);
	return 0;
}

bool call_try_send(
		struct call *call, const struct ProtobufCMessage *message, size_t queue_limit)
{
	AUTO_ERR struct err ignored = { 0 };
	AUTO(rpc_msg_free) struct rpc_msg *m = pack(call, message, &ignored);

	assert(!has_one_answer(call));
	if (m == NULL || !rpc_pipe_try_send(&call->pipe, m, queue_limit))
		return false;
	m = NULL;
	count_sent(call);
	return true;
}

static int next_message(struct call *call, struct rpc_msg **ret_m, struct err *err)
{
	int rc;

	assert(!has_one_request(call));
	rpc_pipe_give_back(&call->pipe, take_ptr(call->borrowed));
	arena_reset(&call->recv_arena);
	rc = rpc_pipe_recv(&call->pipe, ret_m, err);
	if (rc == 1 && unpack(call, ret_m, err) < 0)
		return -1;
	if (rc == 1)
		count_received(call);
	return rc;
}

int call_recv(struct call *call, struct ProtobufCMessage **ret_message, struct err *err)
{
	AUTO(rpc_msg_free) struct rpc_msg *m = NULL;
	int rc = next_message(call, &m, err);

	if (rc <= 0)
		return rc;
	if (pb_decode(call->route.method->request, rpc_msg_payload(m), m->size,
			    &call->recv_arena, &pb_limits_request, ret_message, err) < 0)
		return err_wrap(err, "error unmarshalling message");
	return 1;
}

int call_recv_bytes(struct call *call, const void **ret_data, size_t *ret_size, struct err *err)
{
	int rc = next_message(call, &call->borrowed, err);

	if (rc <= 0)
		return rc;
	*ret_data = rpc_msg_payload(call->borrowed);
	*ret_size = call->borrowed->size;
	return 1;
}

/* Nobody will hear of what the client still sends: whoever waits for it must not. */
static void close_input_locked(struct call *call)
{
	AUTO_ERR struct err why = { 0 };

	err_set(&why, ERR_CANCELED, "%s", "");
	rpc_pipe_end_in_locked(&call->pipe, &why);
}

void call_finish(struct call *call, const struct err *err)
{
	LOCKED(&call->pipe.lock);
	set_result_locked(call, err);
	if (!has_one_request(call))
		close_input_locked(call);
	rpc_pipe_wake_locked(&call->pipe);
}
