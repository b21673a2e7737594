/* SPDX-License-Identifier: Apache-2.0 */
/* Clients and servers of both transports, through real sockets; each rule is tested with a
 * channel that drives its own loop and with one on a loop thread. */
#include "toy.h"
#include "unit/unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/cancel.h"
#include "base/clock.h"
#include "base/ctx.h"
#include "base/err_details.h"
#include "base/mem.h"
#include "base/thread.h"
#include "rpc/call.h"
#include "rpc/grpc/grpc_client_priv.h"
#include "rpc/server_priv.h"

#define ANY &google__protobuf__any__descriptor
#define MIB ((size_t)1 << 20)

struct mode {
	const char *name;
	bool grpc, own_loop;
};

struct world {
	const struct mode *mode;
	struct toy_server *s;
	struct toy *toy;
	struct loop *loop; /* the client's; NULL: the channel's own */
	unsigned long thread;
	struct channel *c;
	struct arena arena;
	struct ctx ctx;
	struct err err;
};

static void *client_thread(void *arg)
{
	loop_run(arg);
	return NULL;
}

static struct channel *dial(struct world *w)
{
	struct channel *c = NULL;

	if (w->mode->grpc) {
		assert_ok(channel_open_grpc(w->loop, w->s->grpc, &w->ctx, &c, &w->err),
				&w->err);
		return c;
	}
	assert_ok(channel_open_ttrpc(w->loop, w->s->ttrpc, &w->ctx, &c, &w->err), &w->err);
	return c;
}

static struct world *begin_with(void **state, size_t workers, const struct rpc_limits *limits)
{
	struct world *w = xzalloc(sizeof(*w));

	w->mode = *state;
	w->s = toy_serve(workers, limits, grpc_listen);
	w->toy = &w->s->toy;
	if (!w->mode->own_loop) {
		w->loop = loop_new();
		assert_int_equal(thread_start(&w->thread, client_thread, w->loop, "client"), 0);
	}
	arena_init(&w->arena, SIZE_MAX);
	w->c = dial(w);
	return w;
}

static struct world *begin(void **state)
{
	return begin_with(state, 4, NULL);
}

static void end(struct world *w)
{
	channel_unref(w->c);
	if (w->s != NULL)
		toy_stop(w->s);
	if (w->loop != NULL) {
		loop_stop(w->loop);
		thread_join(w->thread);
		loop_free(w->loop);
	}
	arena_done(&w->arena);
	err_clear(&w->err);
	free(w);
}

static int call(struct world *w, const char *method, const char *text, size_t size,
		Google__Protobuf__Any **ret)
{
	Google__Protobuf__Any *ignored;

	return toy_call(w->c, &w->ctx, method, text, size, &w->arena,
			ret == NULL ? &ignored : ret, &w->err);
}

static void expect(struct world *w, enum err_kind kind, const char *text)
{
	if (w->err.kind != kind || strcmp(err_text(&w->err), text) != 0)
		fail_msg("want %d \"%s\", got %d \"%s\"", kind, text, w->err.kind,
				err_text(&w->err));
	err_clear(&w->err);
}

static void unary_calls_answer(void **state)
{
	struct world *w = begin(state);
	static const char *const methods[] = { "Echo", "EchoNow" };

	for (size_t i = 0; i < 2; i++) {
		Google__Protobuf__Any *any;

		assert_ok(call(w, methods[i], "hello", 300000, &any), &w->err);
		assert_string_equal(any->type_url, "hello");
		assert_int_equal(any->value.len, 300000);
		assert_ok(call(w, methods[i], "", 0, &any), &w->err);
		assert_string_equal(any->type_url, "");
	}
	end(w);
}

static void errors_keep_kind_and_text(void **state)
{
	struct world *w = begin(state);

	assert_int_equal(call(w, "Fail", "x", 0, NULL), -1);
	expect(w, ERR_NOT_FOUND, "thing x: not found");
	assert_int_equal(call(w, "FailNow", "100% \xc3\xa4\n", 0, NULL), -1);
	expect(w, ERR_NOT_FOUND, "thing 100% \xc3\xa4\n: not found");
	end(w);
}

static void errors_keep_what_was_joined_to_them(void **state)
{
	struct world *w = begin(state);
	const struct err_detail *d;

	assert_int_equal(call(w, "FailTwice", "a", 0, NULL), -1);
	assert_int_equal(w->err.kind, ERR_NOT_FOUND);
	/* the peer's message, and once more what its details tell: as Go's clients have it */
	assert_string_equal(err_text(&w->err),
			"thing a: not found\npart: invalid argument\ninvalid argument");
	assert_int_equal(err_detail_count(&w->err), 2);
	d = err_detail_at(&w->err, 0);
	assert_null(d->type_url);
	assert_int_equal(d->kind, ERR_INVALID);
	assert_string_equal(d->text, "invalid argument");
	d = err_detail_at(&w->err, 1);
	assert_string_equal(d->type_url, "t.v1.Note");
	assert_int_equal(d->size, 3);
	assert_memory_equal(d->data, "\1\0\377", 3);
	end(w);
}

static void reports_tell_method_and_status(void **state)
{
	struct world *w = begin(state);

	assert_int_equal(call(w, "Fail", "x", 0, NULL), -1);
	toy_wait(w->toy, &w->toy->reports, 1);
	assert_string_equal(w->toy->last.service, TOY);
	assert_string_equal(w->toy->last.method, "Fail");
	assert_int_equal(w->toy->last.status, 5);
	assert_int_equal(w->toy->last.transport, w->mode->grpc ? RPC_GRPC : RPC_TTRPC);
	end(w);
}

static void namespace_and_lease_travel(void **state)
{
	struct world *w = begin(state);
	Google__Protobuf__Any *any;

	assert_ok(call(w, "Who", "x", 0, &any), &w->err);
	assert_string_equal(any->type_url, "- - -");
	w->ctx.ns = "moby";
	w->ctx.lease = "l1";
	if (w->mode->grpc) {
		assert_ok(call(w, "Who", "containerd-namespace", 0, &any), &w->err);
		assert_string_equal(any->type_url, "moby l1 moby");
	} else {
		assert_ok(call(w, "Who", "containerd-namespace-ttrpc", 0, &any), &w->err);
		assert_string_equal(any->type_url, "moby - moby");
	}
	end(w);
}

static void unknown_methods_are_unimplemented(void **state)
{
	struct world *w = begin(state);
	Google__Protobuf__Any *any = toy_any(&w->arena, "x", 0);
	ProtobufCMessage *m;

	assert_int_equal(call(w, "Nothing", "x", 0, NULL), -1);
	expect(w, ERR_UNIMPLEMENTED,
			w->mode->grpc ? "unknown method Nothing for service toy.v1.Toy"
				      : "method Nothing");
	assert_int_equal(channel_call(w->c, &w->ctx, "no.Such", "Thing", &any->base, ANY,
					 &w->arena, &m, &w->err),
			-1);
	expect(w, ERR_UNIMPLEMENTED,
			w->mode->grpc ? "unknown service no.Such" : "service no.Such");
	assert_ok(call(w, "EchoNow", "x", 0, NULL), &w->err);
	end(w);
}

static struct rpc_stream *open_stream(struct world *w, const char *method)
{
	struct rpc_stream *s = NULL;

	assert_ok(channel_stream(w->c, &w->ctx, TOY, method, &s, &w->err), &w->err);
	return s;
}

static void send_any(struct world *w, struct rpc_stream *s, const char *text, size_t size)
{
	struct arena a;

	arena_init(&a, SIZE_MAX);
	assert_ok(rpc_stream_send(s, &toy_any(&a, text, size)->base, &w->err), &w->err);
	arena_done(&a);
}

static int recv_any(struct world *w, struct rpc_stream *s, Google__Protobuf__Any **ret)
{
	arena_reset(&w->arena);
	return rpc_stream_recv(s, ANY, &w->arena, (ProtobufCMessage **)ret, &w->err);
}

static void server_streams_end_cleanly(void **state)
{
	struct world *w = begin(state);
	static const char *const methods[] = { "Count", "CountNow" };

	for (size_t i = 0; i < 2; i++) {
		struct rpc_stream *s = open_stream(w, methods[i]);
		Google__Protobuf__Any *any;
		char want[8];

		send_any(w, s, "40", 1000);
		assert_ok(rpc_stream_close_send(s, &w->err), &w->err);
		for (int n = 0; n < 40; n++) {
			assert_int_equal(recv_any(w, s, &any), 1);
			snprintf(want, sizeof(want), "%d", n);
			assert_string_equal(any->type_url, want);
		}
		assert_int_equal(recv_any(w, s, &any), 0);
		assert_int_equal(recv_any(w, s, &any), 0);
		rpc_stream_free(s);
	}
	end(w);
}

static void failing_streams_deliver_first(void **state)
{
	struct world *w = begin(state);
	struct rpc_stream *s = open_stream(w, "Count");
	Google__Protobuf__Any *any;

	send_any(w, s, "3!", 0);
	assert_ok(rpc_stream_close_send(s, &w->err), &w->err);
	for (int n = 0; n < 3; n++)
		assert_int_equal(recv_any(w, s, &any), 1);
	assert_int_equal(recv_any(w, s, &any), -1);
	expect(w, ERR_ABORTED, "as asked: aborted");
	rpc_stream_free(s);
	end(w);
}

static void empty_server_streams_end(void **state)
{
	struct world *w = begin(state);
	struct rpc_stream *s = open_stream(w, "Count");
	Google__Protobuf__Any *any;

	send_any(w, s, "", 0); /* an empty message is a message */
	assert_ok(rpc_stream_close_send(s, &w->err), &w->err);
	assert_int_equal(recv_any(w, s, &any), 0);
	rpc_stream_free(s);
	end(w);
}

static void client_streams_answer_once(void **state)
{
	struct world *w = begin(state);
	struct rpc_stream *s = open_stream(w, "Sum");
	Google__Protobuf__Any *any;

	send_any(w, s, "", 0);
	for (int i = 0; i < 99; i++)
		send_any(w, s, "x", 1000);
	assert_ok(rpc_stream_close_send(s, &w->err), &w->err);
	assert_int_equal(recv_any(w, s, &any), 1);
	assert_string_equal(any->type_url, "100 99000");
	assert_int_equal(recv_any(w, s, &any), 0);
	rpc_stream_free(s);
	end(w);
}

static void client_streams_may_be_empty(void **state)
{
	struct world *w = begin(state);
	struct rpc_stream *s = open_stream(w, "Sum");
	Google__Protobuf__Any *any;

	assert_ok(rpc_stream_close_send(s, &w->err), &w->err);
	assert_int_equal(recv_any(w, s, &any), 1);
	assert_string_equal(any->type_url, "0 0");
	rpc_stream_free(s);
	end(w);
}

static void bidi_streams_talk_back_and_forth(void **state)
{
	struct world *w = begin(state);
	struct rpc_stream *s = open_stream(w, "Chat");
	Google__Protobuf__Any *any;

	for (int i = 0; i < 20; i++) {
		send_any(w, s, i % 2 ? "tick" : "", i % 2 ? 5000 : 0);
		assert_int_equal(recv_any(w, s, &any), 1);
		assert_string_equal(any->type_url, i % 2 ? "tick" : "");
	}
	assert_ok(rpc_stream_close_send(s, &w->err), &w->err);
	assert_int_equal(recv_any(w, s, &any), 0);
	rpc_stream_free(s);
	end(w);
}

static void the_server_may_end_a_bidi_stream(void **state)
{
	struct world *w = begin(state);
	struct rpc_stream *s = open_stream(w, "Chat");
	Google__Protobuf__Any *any;

	send_any(w, s, "x", 0);
	send_any(w, s, "bye", 0);
	assert_int_equal(recv_any(w, s, &any), 1);
	assert_int_equal(recv_any(w, s, &any), 0);
	assert_int_equal(rpc_stream_send(s, &toy_any(&w->arena, "late", 0)->base, &w->err), -1);
	err_clear(&w->err);
	rpc_stream_free(s);
	s = open_stream(w, "Chat");
	send_any(w, s, "fail", 0);
	assert_int_equal(recv_any(w, s, &any), -1);
	expect(w, ERR_CONFLICT, "chat: conflict");
	rpc_stream_free(s);
	end(w);
}

static void a_deadline_ends_the_call_on_both_sides(void **state)
{
	struct world *w = begin(state);
	static const char *const methods[] = { "Block", "Park", "ParkNow" };

	for (size_t i = 0; i < 3; i++) {
		/* time enough for the handler to begin */
		w->ctx.deadline_ns = clock_mono_ns() + 200 * NS_PER_MS;
		assert_int_equal(call(w, methods[i], "x", 0, NULL), -1);
		expect(w, ERR_DEADLINE, "context deadline exceeded");
		toy_wait(w->toy, &w->toy->cancelled, i + 1);
	}
	w->ctx.deadline_ns = 1;
	assert_int_equal(call(w, "Echo", "x", 0, NULL), -1);
	expect(w, ERR_DEADLINE, "context deadline exceeded");
	w->ctx.deadline_ns = clock_mono_ns() + 60 * NS_PER_S;
	assert_ok(call(w, "Echo", "x", 0, NULL), &w->err);
	end(w);
}

static void *fire(void *arg)
{
	struct world *w = arg;

	toy_wait(w->toy, &w->toy->blocked, 1);
	cancel_fire(w->ctx.cancel);
	return NULL;
}

static void cancelling_ends_the_call(void **state)
{
	struct world *w = begin(state);
	unsigned long thread;

	w->ctx.cancel = cancel_new();
	assert_int_equal(thread_start(&thread, fire, w, "canceller"), 0);
	assert_int_equal(call(w, "Block", "x", 0, NULL), -1);
	expect(w, ERR_CANCELED, "context canceled");
	thread_join(thread);
	if (!w->mode->grpc) { /* ttrpc has no word for it: only the lost connection tells */
		channel_unref(w->c);
		w->c = NULL;
	}
	toy_wait(w->toy, &w->toy->cancelled, 1);
	cancel_unref(w->ctx.cancel);
	end(w);
}

static void freeing_a_stream_cancels_it(void **state)
{
	struct world *w = begin(state);
	struct rpc_stream *s = open_stream(w, "Feed");
	Google__Protobuf__Any *any;

	send_any(w, s, "x", 1000);
	assert_ok(rpc_stream_close_send(s, &w->err), &w->err);
	assert_int_equal(recv_any(w, s, &any), 1);
	rpc_stream_free(s);
	if (!w->mode->grpc) {
		channel_unref(w->c);
		w->c = NULL;
	}
	toy_wait(w->toy, &w->toy->cancelled, 1);
	end(w);
}

static void a_lost_client_cancels_its_calls(void **state)
{
	struct world *w = begin(state);
	struct rpc_stream *s = open_stream(w, "Feed");
	Google__Protobuf__Any *any;

	send_any(w, s, "x", 1000);
	assert_ok(rpc_stream_close_send(s, &w->err), &w->err);
	assert_int_equal(recv_any(w, s, &any), 1);
	channel_unref(w->c); /* the stream's reference keeps it open */
	w->c = NULL;
	assert_int_equal(toy_look(w->toy, &w->toy->cancelled), 0);
	rpc_stream_free(s);
	toy_wait(w->toy, &w->toy->cancelled, 1);
	end(w);
}

/* On the loop, so that all has been done there that follows the cancellation. */
static void assert_free(void *arg)
{
	const struct call *call = arg;

	assert_null(call->server);
	assert_null(call->pipe.loop);
	assert_null(call->route.stats);
}

static void who_parked_a_lost_call_may_keep_it_longer_than_the_server_lives(void **state)
{
	struct world *w = begin(state);
	struct rpc_stream *s = open_stream(w, "Feed");
	Google__Protobuf__Any *any;
	struct call *kept;

	send_any(w, s, "x", 1000);
	assert_ok(rpc_stream_close_send(s, &w->err), &w->err);
	assert_int_equal(recv_any(w, s, &any), 1);
	kept = toy_first_parked(w->toy);
	channel_unref(take_ptr(w->c));
	rpc_stream_free(s);
	toy_wait(w->toy, &w->toy->cancelled, 1);
	toy_on_loop(w->s, assert_free, kept);
	toy_stop(take_ptr(w->s));
	call_finish(kept, NULL);
	call_unref(kept);
	end(w);
}

struct counter {
	struct mutex lock;
	struct cond changed;
	size_t ok, failed, unavailable;
};

static void counted(void *arg, const struct rpc_answer *answer)
{
	struct counter *n = arg;
	LOCKED(&n->lock);

	if (answer->err == NULL)
		n->ok++;
	else if (answer->err->kind == ERR_UNAVAILABLE)
		n->unavailable++;
	else
		n->failed++;
	cond_broadcast(&n->changed);
}

static void counter_init(struct counter *n)
{
	*n = (struct counter){ 0 };
	mutex_init(&n->lock, RANK_task);
	cond_init(&n->changed);
}

/* With a loop of its own the channel moves only while somebody calls. */
static void counter_wait(struct world *w, struct counter *n, size_t want)
{
	int64_t until = clock_mono_ns() + 60 * NS_PER_S;

	mutex_lock(&n->lock);
	while (n->ok + n->failed + n->unavailable < want) {
		if (w->mode->own_loop) {
			mutex_unlock(&n->lock);
			assert_ok(call(w, "EchoNow", "x", 0, NULL), &w->err);
			mutex_lock(&n->lock);
			assert_true(clock_mono_ns() < until);
		} else {
			assert_true(cond_wait_until(&n->changed, &n->lock, until));
		}
	}
	mutex_unlock(&n->lock);
}

static void a_thousand_waits_hold_no_worker(void **state)
{
	struct world *w = begin_with(state, 2, NULL);
	Google__Protobuf__Any *any = toy_any(&w->arena, "x", 0);
	struct counter n;

	counter_init(&n);
	for (int i = 0; i < 1000; i++)
		channel_start(w->c, &w->ctx, TOY, i % 2 ? "Park" : "ParkNow", &any->base,
				counted, &n);
	assert_ok(call(w, "EchoNow", "x", 0, NULL), &w->err);
	toy_wait(w->toy, &w->toy->parked_count, 1000);
	assert_ok(call(w, "Echo", "x", 0, NULL), &w->err);
	assert_ok(call(w, "EchoNow", "x", 0, NULL), &w->err);
	assert_int_equal(n.ok, 0);
	toy_finish_parked(w->toy, NULL);
	counter_wait(w, &n, 1000);
	assert_int_equal(n.ok, 1000);
	end(w);
}

static void calls_beyond_the_queue_are_turned_away(void **state)
{
	struct world *w = begin_with(state, 1, NULL);
	Google__Protobuf__Any *any = toy_any(&w->arena, "x", 0);
	struct counter n;

	counter_init(&n);
	channel_start(w->c, &w->ctx, TOY, "Block", &any->base, counted, &n);
	assert_ok(call(w, "EchoNow", "x", 0, NULL), &w->err);
	toy_wait(w->toy, &w->toy->blocked, 1);
	for (int i = 0; i < TOY_QUEUE + 50; i++)
		channel_start(w->c, &w->ctx, TOY, "Echo", &any->base, counted, &n);
	counter_wait(w, &n, 50);
	assert_int_equal(n.unavailable, 50);
	assert_int_equal(n.ok, 0);
	assert_ok(call(w, "EchoNow", "x", 0, NULL), &w->err);
	channel_unref(take_ptr(w->c));
	end(w);
	assert_int_equal(n.ok, 0);
}

struct pusher {
	struct world *w;
	struct rpc_stream *s;
	size_t count;
	atomic_size_t sent;
};

static void *push(void *arg)
{
	struct pusher *p = arg;

	for (size_t i = 0; i < p->count; i++) {
		send_any(p->w, p->s, "x", MIB);
		atomic_fetch_add(&p->sent, 1);
	}
	return NULL;
}

/* There is no event for "blocked": nothing moves for a while. */
static size_t settled(const atomic_size_t *value)
{
	size_t last = SIZE_MAX;
	struct timespec pause = { 0, 200 * 1000 * 1000 };

	while (atomic_load(value) != last) {
		last = atomic_load(value);
		nanosleep(&pause, NULL);
	}
	return last;
}

static void a_slow_server_slows_the_client(void **state)
{
	struct world *w = begin(state);
	struct pusher p = { .w = w, .count = 64 };
	Google__Protobuf__Any *any;
	unsigned long thread;

	p.s = open_stream(w, "Slow");
	assert_int_equal(thread_start(&thread, push, &p, "pusher"), 0);
	assert_true(settled(&p.sent) < 12);
	/* the others go on, unless the protocol has one queue for all */
	if (w->mode->grpc && !w->mode->own_loop)
		assert_ok(call(w, "Echo", "x", 100000, NULL), &w->err);
	toy_wait(w->toy, &w->toy->blocked, 1);
	mutex_lock(&w->toy->lock);
	w->toy->may_receive = true;
	cond_broadcast(&w->toy->changed);
	mutex_unlock(&w->toy->lock);
	thread_join(thread);
	assert_ok(rpc_stream_close_send(p.s, &w->err), &w->err);
	assert_int_equal(recv_any(w, p.s, &any), 1);
	assert_true(w->toy->received >= 64 * MIB);
	rpc_stream_free(p.s);
	end(w);
}

static size_t sent_settled(struct toy *t)
{
	size_t last = SIZE_MAX, now = 0;
	struct timespec pause = { 0, 200 * 1000 * 1000 };

	while (now != last) {
		last = now;
		nanosleep(&pause, NULL);
		LOCKED(&t->lock);
		now = t->sent;
	}
	return last;
}

static void a_slow_client_slows_the_server(void **state)
{
	struct world *w = begin(state);
	struct rpc_stream *s = open_stream(w, "Count");
	Google__Protobuf__Any *any;

	send_any(w, s, "64", MIB);
	assert_ok(rpc_stream_close_send(s, &w->err), &w->err);
	assert_int_equal(recv_any(w, s, &any), 1);
	assert_true(sent_settled(w->toy) < 16);
	for (int i = 1; i < 64; i++) {
		assert_int_equal(recv_any(w, s, &any), 1);
		assert_int_equal(any->value.len, MIB);
	}
	assert_int_equal(recv_any(w, s, &any), 0);
	rpc_stream_free(s);
	end(w);
}

static void feeding_stops_at_the_queue_limit(void **state)
{
	struct world *w = begin(state);
	struct rpc_stream *s = open_stream(w, "Feed");

	send_any(w, s, "x", 1000);
	assert_ok(rpc_stream_close_send(s, &w->err), &w->err);
	if (w->mode->own_loop)
		assert_ok(call(w, "EchoNow", "x", 0, NULL), &w->err);
	toy_wait(w->toy, &w->toy->parked_count, 1);
	assert_true(w->toy->sent >= 60 && w->toy->sent <= 70);
	rpc_stream_free(s);
	end(w);
}

static void answers_over_the_limit_fail_alone(void **state)
{
	struct world *w = begin(state);

	if (w->mode->grpc) {
		assert_int_equal(call(w, "Big", "16777216", 0, NULL), -1);
		expect(w, ERR_EXHAUSTED,
				"grpc: trying to send message larger than max (16777226 vs. "
				"16777216)");
		assert_ok(call(w, "Big", "16777000", 0, NULL), &w->err);
	} else {
		assert_int_equal(call(w, "Big", "4194304", 0, NULL), -1);
		expect(w, ERR_EXHAUSTED,
				"message length 4194319 exceed maximum message size of "
				"4194304");
		assert_ok(call(w, "Big", "4190000", 0, NULL), &w->err);
	}
	end(w);
}

static void requests_over_the_limit_fail_alone(void **state)
{
	struct world *w = begin(state);

	if (w->mode->grpc) {
		assert_int_equal(call(w, "Echo", "x", 16 * MIB, NULL), -1);
		expect(w, ERR_EXHAUSTED,
				"grpc: received message larger than max (16777224 vs. "
				"16777216)");
	} else {
		assert_int_equal(call(w, "Echo", "x", 4 * MIB, NULL), -1);
		assert_int_equal(w->err.kind, ERR_EXHAUSTED);
		err_clear(&w->err);
	}
	assert_ok(call(w, "Echo", "x", 3 * MIB, NULL), &w->err);
	end(w);
}

static void told(void *arg)
{
	struct counter *n = arg;
	LOCKED(&n->lock);

	n->ok++;
	cond_broadcast(&n->changed);
}

static void a_stopped_server_ends_calls_and_channels(void **state)
{
	struct world *w = begin(state);
	struct rpc_stream *s = open_stream(w, "Feed");
	Google__Protobuf__Any *any;
	struct counter n;
	int rc;

	counter_init(&n);
	channel_on_close(w->c, told, &n);
	send_any(w, s, "x", 0);
	assert_ok(rpc_stream_close_send(s, &w->err), &w->err);
	assert_int_equal(recv_any(w, s, &any), 1);
	assert_false(channel_is_closed(w->c));
	toy_stop(take_ptr(w->s));
	while ((rc = recv_any(w, s, &any)) == 1)
		continue;
	assert_int_equal(rc, -1);
	assert_int_equal(w->err.kind, ERR_UNAVAILABLE);
	err_clear(&w->err);
	assert_int_equal(call(w, "Echo", "x", 0, NULL), -1);
	assert_int_equal(w->err.kind, ERR_UNAVAILABLE);
	if (!w->mode->grpc)
		assert_string_equal(err_text(&w->err), "ttrpc: closed");
	err_clear(&w->err);
	assert_true(channel_is_closed(w->c));
	mutex_lock(&n.lock);
	while (n.ok == 0)
		cond_wait(&n.changed, &n.lock);
	mutex_unlock(&n.lock);
	channel_on_close(w->c, told, &n); /* late, and still told */
	if (w->mode->own_loop)
		assert_int_equal(call(w, "Echo", "x", 0, NULL), -1);
	err_clear(&w->err);
	mutex_lock(&n.lock);
	while (n.ok == 1)
		cond_wait(&n.changed, &n.lock);
	mutex_unlock(&n.lock);
	rpc_stream_free(s);
	end(w);
}

static void closing_a_channel_is_told_to_everybody(void **state)
{
	struct world *w = begin(state);
	struct counter n;

	counter_init(&n);
	assert_ok(call(w, "Echo", "x", 0, NULL), &w->err);
	channel_on_close(w->c, told, &n);
	channel_close(w->c);
	assert_int_equal(call(w, "Echo", "x", 0, NULL), -1);
	assert_int_equal(w->err.kind, ERR_UNAVAILABLE);
	err_clear(&w->err);
	mutex_lock(&n.lock);
	while (n.ok == 0)
		cond_wait(&n.changed, &n.lock);
	mutex_unlock(&n.lock);
	assert_true(channel_is_closed(w->c));
	channel_close(w->c); /* once more is fine */
	end(w);
}

struct busy {
	struct world *w;
	unsigned seed;
	size_t done;
};

/* Each of these may fail by cancellation, and must not by anything else. */
static void one_of_many(struct busy *b, struct ctx *ctx, struct arena *a)
{
	struct channel *c = b->w->c;
	struct err err = { 0 };
	Google__Protobuf__Any *any;
	struct rpc_stream *s = NULL;
	ProtobufCMessage *m;

	switch (rand_r(&b->seed) % 5) {
	case 0:
		(void)!toy_call(c, ctx, "Echo", "x", 100, a, &any, &err);
		break;
	case 1:
		(void)!toy_call(c, ctx, "EchoNow", "x", 100, a, &any, &err);
		break;
	case 2: /* left in the middle */
		if (channel_stream(c, ctx, TOY, "Count", &s, &err) == 0 &&
				rpc_stream_send(s, &toy_any(a, "100", 3000)->base, &err) == 0 &&
				rpc_stream_close_send(s, &err) == 0)
			(void)!rpc_stream_recv(s, ANY, a, &m, &err);
		break;
	case 3:
		if (channel_stream(c, ctx, TOY, "Chat", &s, &err) == 0 &&
				rpc_stream_send(s, &toy_any(a, "x", 9)->base, &err) == 0)
			(void)!rpc_stream_recv(s, ANY, a, &m, &err);
		break;
	default:
		(void)!toy_call(c, ctx, "Park", "x", 0, a, &any, &err);
		break;
	}
	rpc_stream_free(s);
	if (err.kind != ERR_NONE && err.kind != ERR_CANCELED && err.kind != ERR_DEADLINE)
		fail_msg("%s", err_text(&err));
	err_clear(&err);
}

static void *be_busy(void *arg)
{
	struct busy *b = arg;
	struct arena a;

	arena_init(&a, SIZE_MAX);
	for (int i = 0; i < 150; i++) {
		struct ctx ctx = { .deadline_ns = clock_mono_ns() + 5 * NS_PER_MS };

		ctx.cancel = cancel_new();
		if (i % 7 == 0)
			cancel_fire(ctx.cancel);
		one_of_many(b, &ctx, &a);
		cancel_fire(ctx.cancel);
		cancel_unref(ctx.cancel);
		arena_reset(&a);
	}
	arena_done(&a);
	return NULL;
}

static void many_threads_share_a_channel(void **state)
{
	struct world *w = begin(state);
	struct busy busy[6];
	unsigned long threads[6];

	if (w->mode->own_loop) { /* one thread at a time, says the contract */
		end(w);
		return;
	}
	for (unsigned i = 0; i < 6; i++) {
		busy[i] = (struct busy){ .w = w, .seed = i };
		assert_int_equal(thread_start(&threads[i], be_busy, &busy[i], "busy"), 0);
	}
	for (unsigned i = 0; i < 6; i++)
		thread_join(threads[i]);
	assert_ok(call(w, "Echo", "x", 0, NULL), &w->err);
	end(w);
}

static void nobody_listening_is_unavailable(void **state)
{
	struct world *w = begin(state);
	struct channel *c;
	char want[200];

	assert_int_equal(channel_open_ttrpc(w->loop, "/nonexistent/sock", &w->ctx, &c, &w->err),
			-1);
	snprintf(want, sizeof(want),
			"dial unix /nonexistent/sock: connect: no such file or directory");
	assert_int_equal(w->err.sys, 2);
	expect(w, ERR_UNAVAILABLE, want);
	assert_int_equal(channel_peer_pid(w->c), getpid());
	end(w);
}

struct stranger {
	struct toy_server *s;
	ssize_t got;
};

static void *connect_as_other(void *arg)
{
	struct stranger *x = arg;
	char byte;
	int fd;

	/* the bare call changes this thread only */
	assert_int_equal(syscall(SYS_setresgid, -1, 65534, -1), 0);
	fd = toy_connect_raw(x->s->ttrpc);
	x->got = read(fd, &byte, 1);
	close(fd);
	return NULL;
}

static void ttrpc_peers_of_another_user_are_turned_away(void **state)
{
	struct world *w = begin(state);
	struct stranger x = { .s = w->s, .got = -1 };
	unsigned long thread;

	if (geteuid() != 0) {
		end(w);
		skip();
	}
	assert_int_equal(thread_start(&thread, connect_as_other, &x, "stranger"), 0);
	thread_join(thread);
	assert_int_equal(x.got, 0);
	assert_ok(call(w, "EchoNow", "x", 0, NULL), &w->err);
	end(w);
}

static void connections_beyond_the_limit_wait(void **state)
{
	struct rpc_limits limits = { .max_connections = 1 };
	struct world *w = begin_with(state, 2, &limits);
	struct channel *second;
	Google__Protobuf__Any *any;

	assert_ok(call(w, "EchoNow", "x", 0, NULL), &w->err);
	second = dial(w);
	w->ctx.deadline_ns = clock_mono_ns() + 50 * NS_PER_MS;
	assert_int_equal(toy_call(second, &w->ctx, "EchoNow", "x", 0, &w->arena, &any, &w->err),
			-1);
	expect(w, ERR_DEADLINE, "context deadline exceeded");
	w->ctx.deadline_ns = 0;
	channel_unref(w->c);
	w->c = second;
	assert_ok(call(w, "EchoNow", "x", 0, NULL), &w->err);
	end(w);
}

/* A peer that greets as a server does, and then nothing more but what "answers" lets it: one
 * PING after another. */
struct mute {
	int fd;
	size_t answers, pings;
	unsigned long thread;
};

static bool read_all(int fd, void *room, size_t size)
{
	unsigned char *p = room;

	while (size > 0) {
		ssize_t n = read(fd, p, size);

		if (n <= 0)
			return false;
		p += n;
		size -= (size_t)n;
	}
	return true;
}

static void *be_mute(void *arg)
{
	static const unsigned char settings[9] = { 0, 0, 0, 4, 0, 0, 0, 0, 0 };
	struct mute *m = arg;
	unsigned char head[9], body[16384], pong[17] = { 0, 0, 8, 6, 1 };

	if (!read_all(m->fd, body, 24) || write(m->fd, settings, 9) != 9)
		return NULL;
	while (read_all(m->fd, head, 9) &&
			read_all(m->fd, body,
					(size_t)head[0] << 16 | (size_t)head[1] << 8 |
							head[2])) {
		if (head[3] != 6 || (head[4] & 1))
			continue;
		m->pings++;
		memcpy(pong + 9, body, 8);
		if (m->answers > 0 && write(m->fd, pong, 17) == 17)
			m->answers--;
	}
	return NULL;
}

static void a_peer_gone_silent_is_unavailable(void **state)
{
	const struct mode *mode = *state;
	struct mute m = { .answers = 2 };
	struct channel *good;
	struct world *w;
	int pair[2];

	if (!mode->grpc)
		return;
	w = begin(state);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
	m.fd = pair[1];
	assert_int_equal(thread_start(&m.thread, be_mute, &m, "mute"), 0);
	good = w->c;
	w->c = channel_adopt_grpc(w->loop, pair[0]);
	grpc_client_keepalive(w->c, 20, 1000);
	assert_int_equal(call(w, "Echo", "a", 0, NULL), -1);
	expect(w, ERR_UNAVAILABLE, "keepalive ping failed to receive ACK within timeout");
	assert_int_equal(call(w, "Echo", "a", 0, NULL), -1);
	assert_int_equal(w->err.kind, ERR_UNAVAILABLE);
	err_clear(&w->err);
	channel_unref(w->c);
	w->c = good;
	end(w);
	thread_join(m.thread);
	assert_int_equal(m.pings, 3);
	close(pair[1]);
}

static const struct mode modes[] = {
	{ "ttrpc, own loop", false, true },
	{ "ttrpc, loop thread", false, false },
	{ "grpc, own loop", true, true },
	{ "grpc, loop thread", true, false },
};

static const struct CMUnitTest rules[] = {
	TEST(unary_calls_answer),
	TEST(errors_keep_kind_and_text),
	TEST(errors_keep_what_was_joined_to_them),
	TEST(reports_tell_method_and_status),
	TEST(namespace_and_lease_travel),
	TEST(unknown_methods_are_unimplemented),
	TEST(server_streams_end_cleanly),
	TEST(failing_streams_deliver_first),
	TEST(empty_server_streams_end),
	TEST(client_streams_answer_once),
	TEST(client_streams_may_be_empty),
	TEST(bidi_streams_talk_back_and_forth),
	TEST(the_server_may_end_a_bidi_stream),
	TEST(a_deadline_ends_the_call_on_both_sides),
	TEST(cancelling_ends_the_call),
	TEST(freeing_a_stream_cancels_it),
	TEST(a_lost_client_cancels_its_calls),
	TEST(who_parked_a_lost_call_may_keep_it_longer_than_the_server_lives),
	TEST(a_thousand_waits_hold_no_worker),
	TEST(calls_beyond_the_queue_are_turned_away),
	TEST(a_slow_server_slows_the_client),
	TEST(a_slow_client_slows_the_server),
	TEST(feeding_stops_at_the_queue_limit),
	TEST(answers_over_the_limit_fail_alone),
	TEST(requests_over_the_limit_fail_alone),
	TEST(a_stopped_server_ends_calls_and_channels),
	TEST(closing_a_channel_is_told_to_everybody),
	TEST(many_threads_share_a_channel),
	TEST(a_peer_gone_silent_is_unavailable),
	TEST(nobody_listening_is_unavailable),
	TEST(ttrpc_peers_of_another_user_are_turned_away),
	TEST(connections_beyond_the_limit_wait),
};

int main(void)
{
	struct CMUnitTest tests[ARRAY_LEN(rules)];
	int failed = 0;

	for (size_t m = 0; m < ARRAY_LEN(modes); m++) {
		memcpy(tests, rules, sizeof(rules));
		for (size_t i = 0; i < ARRAY_LEN(rules); i++)
			tests[i].initial_state = (void *)&modes[m];
		failed += cmocka_run_group_tests_name(modes[m].name, tests, NULL, NULL);
	}
	return failed;
}
