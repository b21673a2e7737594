/* SPDX-License-Identifier: Apache-2.0 */
/* Many calls and much data: queues, limits, slow peers, and threads that share a channel. */
#include "calls_world.h"
#include "unit/unit.h"

#include <stdlib.h>
#include <time.h>

#include "base/cancel.h"
#include "base/clock.h"
#include "base/thread.h"

#define MIB ((size_t)1 << 20)

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

static void rest(void *arg)
{
	rpc_server_rest(arg);
}

/* Memory that is used again shows nothing of what it held. */
static void answers_that_are_packed_are_whole(void **state)
{
	static const size_t sizes[] = { 300000, 0, 200000, 9000, 100, 400000, 8191, 33000 };
	struct world *w = begin(state);

	for (size_t i = 0; i < 3 * ARRAY_LEN(sizes); i++) {
		size_t size = sizes[i % ARRAY_LEN(sizes)];
		Google__Protobuf__Any *any, *want = toy_any(&w->arena, "", size);

		memset(want->value.data, (int)i, size);
		assert_ok(channel_call(w->c, &w->ctx, TOY, "Pack", &want->base, ANY, &w->arena,
					  (ProtobufCMessage **)&any, &w->err),
				&w->err);
		assert_int_equal(any->value.len, size);
		assert_memory_equal(any->value.data, want->value.data, size);
		if (i % 7 == 0)
			toy_on_loop(w->s, rest, w->s->server);
		arena_reset(&w->arena);
	}
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

int main(void)
{
	static const struct CMUnitTest rules[] = {
		TEST(a_thousand_waits_hold_no_worker),
		TEST(calls_beyond_the_queue_are_turned_away),
		TEST(a_slow_server_slows_the_client),
		TEST(a_slow_client_slows_the_server),
		TEST(feeding_stops_at_the_queue_limit),
		TEST(answers_over_the_limit_fail_alone),
		TEST(requests_over_the_limit_fail_alone),
		TEST(answers_that_are_packed_are_whole),
		TEST(many_threads_share_a_channel),
	};

	return run_rules(rules, ARRAY_LEN(rules));
}
