/* SPDX-License-Identifier: Apache-2.0 */
/* Connections that change servers, and clients that do not notice. */
#include "rpc/handover.h"

#include "toy.h"
#include "unit/unit.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/ctx.h"
#include "base/mem.h"
#include "rpc/server_priv.h"

#define MOVES	6
#define RECORDS 16

struct given {
	enum rpc_wire wire;
	int fd;
	struct buf record;
};

/* A client, and the servers that serve it one after the other. */
struct world {
	struct toy_server *servers[MOVES + 1];
	size_t now;
	struct channel *channel;
	struct arena arena;
	struct given given[RECORDS];
	size_t count;
	enum rpc_quiet quiet;
	size_t connections;
};

static struct toy_server *current(struct world *w)
{
	return w->servers[w->now];
}

static void expect_echo(struct world *w, const char *text, size_t size)
{
	struct ctx ctx = { .deadline_ns = clock_mono_ns() + 20 * NS_PER_S };
	Google__Protobuf__Any *any = NULL;
	struct err err = { 0 };

	assert_ok(toy_call(w->channel, &ctx, "Echo", text, size, &w->arena, &any, &err), &err);
	assert_string_equal(any->type_url, text);
	assert_int_equal(any->value.len, size);
}

static struct world *begin(bool is_ttrpc)
{
	struct world *w = xzalloc(sizeof(*w));
	struct ctx ctx = { 0 };
	struct err err = { 0 };

	w->servers[0] = toy_serve(4, NULL, grpc_listen);
	arena_init(&w->arena, SIZE_MAX);
	if (is_ttrpc)
		assert_ok(channel_open_ttrpc(NULL, current(w)->ttrpc, &ctx, &w->channel, &err),
				&err);
	else
		assert_ok(channel_open_grpc(NULL, current(w)->grpc, &ctx, &w->channel, &err),
				&err);
	/* Listening sockets do not move here: it must have been accepted. */
	expect_echo(w, "begin", 1);
	return w;
}

static void end(struct world *w)
{
	channel_unref(w->channel);
	for (size_t i = 0; i <= w->now; i++)
		toy_stop(w->servers[i]);
	arena_done(&w->arena);
	free(w);
}

static bool take(void *arg, enum rpc_wire wire, int own_fd, const struct buf *record)
{
	struct world *w = arg;
	struct given *g = &w->given[w->count++];

	assert_true(w->count <= RECORDS);
	*g = (struct given){ wire, own_fd, { .limit = SIZE_MAX } };
	buf_add(&g->record, record->data, record->size);
	return true;
}

static bool decline(void *arg, enum rpc_wire wire, int own_fd, const struct buf *record)
{
	struct world *w = arg;

	w->count++;
	close_fd(&own_fd);
	return false;
}

static void drop(struct world *w)
{
	for (size_t i = 0; i < w->count; i++) {
		close_fd(&w->given[i].fd);
		buf_done(&w->given[i].record);
	}
	w->count = 0;
}

static void hold_all(void *arg)
{
	struct world *w = arg;

	rpc_server_hold(current(w)->server, RPC_HOLD_ALL);
}

static void look(void *arg)
{
	struct world *w = arg;

	w->quiet = rpc_server_quiet(current(w)->server);
}

static void give(void *arg)
{
	struct world *w = arg;

	rpc_server_give(current(w)->server, take, w);
}

static void let_go(void *arg)
{
	struct world *w = arg;

	rpc_server_hold(current(w)->server, RPC_HOLD_NONE);
}

static void forget(void *arg)
{
	struct toy_server *s = arg;

	rpc_server_drop_given(s->server);
}

static void adopt(void *arg)
{
	struct world *w = arg;
	struct err err = { 0 };

	for (size_t i = 0; i < w->count; i++) {
		struct given *g = &w->given[i];
		int (*fn)(struct rpc_server * s, int own_fd, const void *record, size_t size,
				struct err *err) =
				g->wire == RPC_WIRE_GRPC ? grpc_adopt : ttrpc_adopt;

		assert_ok(fn(current(w)->server, take_fd(&g->fd), g->record.data,
					  g->record.size, &err),
				&err);
	}
}

/* Holds the server that serves now, until everything can be given. */
static void silence(struct world *w)
{
	int64_t until = clock_mono_ns() + 20 * NS_PER_S;

	toy_on_loop(current(w), hold_all, w);
	do {
		toy_on_loop(current(w), look, w);
		assert_true(clock_mono_ns() < until);
	} while (w->quiet != RPC_QUIET);
	toy_on_loop(current(w), give, w);
}

static void move(struct world *w)
{
	struct toy_server *old = current(w);

	silence(w);
	w->servers[++w->now] = toy_serve(4, NULL, grpc_listen);
	toy_on_loop(current(w), hold_all, w);
	toy_on_loop(current(w), adopt, w);
	toy_on_loop(old, forget, old);
	toy_on_loop(current(w), let_go, w);
	drop(w);
}

static struct rpc_stream *start(struct world *w, const char *method)
{
	struct ctx ctx = { .deadline_ns = clock_mono_ns() + 60 * NS_PER_S };
	struct rpc_stream *s = NULL;
	struct err err = { 0 };

	assert_ok(channel_stream(w->channel, &ctx, TOY, method, &s, &err), &err);
	return s;
}

static void send(struct world *w, struct rpc_stream *s, const char *text, size_t size)
{
	struct err err = { 0 };

	assert_ok(rpc_stream_send(s, &toy_any(&w->arena, text, size)->base, &err), &err);
}

static struct rpc_stream *ask(
		struct world *w, const char *method, const char *text, size_t size)
{
	struct rpc_stream *s = start(w, method);
	struct err err = { 0 };

	send(w, s, text, size);
	assert_ok(rpc_stream_close_send(s, &err), &err);
	return s;
}

static const Google__Protobuf__Any *hear(struct world *w, struct rpc_stream *s)
{
	ProtobufCMessage *m = NULL;
	struct err err = { 0 };
	int rc = rpc_stream_recv(s, &google__protobuf__any__descriptor, &w->arena, &m, &err);

	assert_true(rc >= 0 || (print_error("%s\n", err_text(&err)), false));
	assert_int_equal(rc, 1);
	return (const Google__Protobuf__Any *)m;
}

static void expect_end(struct world *w, struct rpc_stream *s)
{
	ProtobufCMessage *m = NULL;
	struct err err = { 0 };

	assert_int_equal(rpc_stream_recv(s, &google__protobuf__any__descriptor, &w->arena, &m,
					 &err),
			0);
	rpc_stream_free(s);
}

static void a_connection_without_calls_moves(void **state)
{
	struct world *w = begin(false);

	expect_echo(w, "before", 10);
	for (int i = 0; i < MOVES; i++) {
		move(w);
		expect_echo(w, "after", 100000);
		expect_echo(w, "again", 10);
	}
	assert_int_equal(w->servers[1]->toy.reports, 2);
	end(w);
}

static void a_ttrpc_connection_moves(void **state)
{
	struct world *w = begin(true);

	for (int i = 0; i < MOVES; i++) {
		expect_echo(w, "here", 100);
		move(w);
	}
	expect_echo(w, "there", 100000);
	end(w);
}

static void count_connections(void *arg)
{
	struct world *w = arg;

	w->connections = current(w)->server->conn_count;
}

static void a_connection_that_has_said_nothing_moves(void **state)
{
	struct world *w = begin(false);
	int fd = toy_connect_raw(current(w)->grpc);
	int64_t until = clock_mono_ns() + 20 * NS_PER_S;

	while (w->connections < 2 && clock_mono_ns() < until)
		toy_on_loop(current(w), count_connections, w);
	move(w);
	move(w);
	channel_unref(w->channel);
	w->channel = channel_adopt_grpc(NULL, fd);
	expect_echo(w, "first word", 10);
	move(w);
	expect_echo(w, "second word", 10);
	end(w);
}

static void what_waits_is_asked_again_and_answered_once(void **state)
{
	struct world *w = begin(false);
	struct rpc_stream *first = ask(w, "Park", "x", 10);
	struct rpc_stream *second;

	expect_echo(w, "runs the loop", 1); /* so that Park was sent, too */
	toy_wait(&w->servers[0]->toy, &w->servers[0]->toy.parked_count, 1);
	second = ask(w, "ParkNow", "y", 10);
	expect_echo(w, "on the same connection", 1);
	for (int i = 0; i < 3; i++) {
		move(w);
		toy_wait(&current(w)->toy, &current(w)->toy.parked_count, 2);
		expect_echo(w, "meanwhile", 1);
	}
	toy_finish_parked(&w->servers[1]->toy, NULL); /* by one who is not asked any more */
	toy_finish_parked(&current(w)->toy, NULL);
	assert_string_equal(hear(w, first)->type_url, "parked");
	assert_string_equal(hear(w, second)->type_url, "parked");
	expect_end(w, first);
	expect_end(w, second);
	end(w);
}

/* Far more than windows and queues hold, so that the sender is stopped again and again. */
static void a_download_goes_on_where_it_was(void **state)
{
	struct world *w = begin(false);
	struct rpc_stream *s = ask(w, "Count", "300", 64 * 1024);

	for (int i = 0; i < 300; i++) {
		assert_int_equal(atoi(hear(w, s)->type_url), i);
		arena_reset(&w->arena);
		if (i % 50 == 10)
			move(w);
		if (i % 20 == 3)
			expect_echo(w, "beside", 1000);
	}
	expect_end(w, s);
	end(w);
}

static void a_talk_goes_on_where_it_was(void **state)
{
	struct world *w = begin(false);
	struct rpc_stream *s = start(w, "Chat");

	for (int i = 0; i < MOVES; i++) {
		const char *text = arena_printf(&w->arena, "%d", i);

		send(w, s, text, 300 * 1024);
		assert_string_equal(hear(w, s)->type_url, text);
		move(w);
	}
	send(w, s, "bye", 0);
	expect_end(w, s);
	end(w);
}

/* What was sent, and not read by anybody, moves with its windows. */
static void messages_on_their_way_move_along(void **state)
{
	struct world *w = begin(false);
	struct rpc_stream *s = start(w, "Chat");

	for (int i = 0; i < MOVES; i++) {
		for (int k = 0; k < 5; k++)
			send(w, s, arena_printf(&w->arena, "%d-%d", i, k), 100 * 1024);
		move(w);
		expect_echo(w, "beside", 1);
		for (int k = 0; k < 5; k++)
			assert_string_equal(hear(w, s)->type_url,
					arena_printf(&w->arena, "%d-%d", i, k));
	}
	send(w, s, "bye", 0);
	expect_end(w, s);
	end(w);
}

static void subscribers_get_what_is_queued_once(void **state)
{
	struct world *w = begin(false);
	struct rpc_stream *s = ask(w, "Feed", "x", 30 * 1024);
	size_t sent, heard = 0;

	(void)hear(w, s);
	toy_wait(&w->servers[0]->toy, &w->servers[0]->toy.parked_count, 1);
	move(w);
	toy_wait(&current(w)->toy, &current(w)->toy.parked_count, 1);
	sent = w->servers[0]->toy.sent + current(w)->toy.sent;
	toy_finish_parked(&current(w)->toy, NULL);
	for (heard = 1; heard < sent; heard++)
		assert_int_equal(hear(w, s)->value.len, 30 * 1024);
	expect_end(w, s);
	end(w);
}

static void who_goes_on_after_all_has_lost_nothing(void **state)
{
	struct world *w = begin(false);
	struct rpc_stream *parked = ask(w, "Park", "x", 10);
	struct rpc_stream *talk = start(w, "Chat");
	struct rpc_stream *count = ask(w, "Count", "100", 64 * 1024);
	struct rpc_stream *held;

	send(w, talk, "a", 10);
	assert_string_equal(hear(w, talk)->type_url, "a");
	assert_string_equal(hear(w, count)->type_url, "0");
	toy_wait(&current(w)->toy, &current(w)->toy.parked_count, 1);
	for (int i = 0; i < 3; i++) {
		silence(w);
		held = ask(w, "Echo", "held", 10);
		toy_on_loop(current(w), let_go, w);
		drop(w);
		assert_string_equal(hear(w, held)->type_url, "held");
		expect_end(w, held);
		send(w, talk, "b", 10);
		assert_string_equal(hear(w, talk)->type_url, "b");
	}
	for (int i = 1; i < 100; i++)
		assert_int_equal(atoi(hear(w, count)->type_url), i);
	expect_end(w, count);
	toy_finish_parked(&current(w)->toy, NULL);
	assert_string_equal(hear(w, parked)->type_url, "parked");
	expect_end(w, parked);
	send(w, talk, "bye", 0);
	expect_end(w, talk);
	end(w);
}

static void hold_slow(void *arg)
{
	struct world *w = arg;

	rpc_server_hold(current(w)->server, RPC_HOLD_SLOW);
}

static void slow_calls_wait_and_others_pass(void **state)
{
	struct world *w = begin(false);
	struct rpc_stream *s;

	toy_on_loop(current(w), hold_slow, w);
	s = ask(w, "EchoLate", "late", 10);
	expect_echo(w, "passes", 10);
	move(w);
	expect_echo(w, "passes there", 10);
	assert_string_equal(hear(w, s)->type_url, "late");
	expect_end(w, s);
	end(w);
}

/* Asked twice, it might be done twice. */
static void what_cannot_be_asked_again_stays(void **state)
{
	struct world *w = begin(false);
	struct rpc_stream *s = ask(w, "ParkHere", "x", 10);
	int64_t until;

	expect_echo(w, "sent", 1);
	toy_on_loop(current(w), hold_all, w);
	toy_on_loop(current(w), look, w);
	assert_int_equal(w->quiet, RPC_NEARLY);
	until = clock_mono_ns() + 20 * NS_PER_S;
	while (w->quiet != RPC_QUIET && clock_mono_ns() < until)
		toy_on_loop(current(w), look, w);
	toy_on_loop(current(w), give, w);
	assert_int_equal(w->count, 0);
	toy_finish_parked(&current(w)->toy, NULL);
	assert_string_equal(hear(w, s)->type_url, "parked");
	expect_end(w, s);
	toy_on_loop(current(w), let_go, w);
	end(w);
}

static void give_in_vain(void *arg)
{
	struct world *w = arg;

	rpc_server_give(current(w)->server, decline, w);
	rpc_server_drop_given(current(w)->server);
}

static void what_nobody_takes_stays(void **state)
{
	struct world *w = begin(false);

	silence(w);
	drop(w);
	toy_on_loop(current(w), let_go, w);
	toy_on_loop(current(w), hold_all, w);
	do
		toy_on_loop(current(w), look, w);
	while (w->quiet != RPC_QUIET);
	toy_on_loop(current(w), give_in_vain, w);
	assert_int_equal(w->count, 1);
	w->count = 0;
	toy_on_loop(current(w), let_go, w);
	expect_echo(w, "still here", 10);
	end(w);
}

static void broken_records_are_refused(void **state)
{
	struct world *w = begin(false);
	struct rpc_stream *s = ask(w, "Park", "x", 10);
	struct loop *loop = loop_new();
	struct rpc_server *taker = rpc_server_new(loop, NULL, NULL, NULL);
	struct given *g;

	rpc_server_add(taker, RPC_GRPC, &toy_service, &current(w)->toy);
	rpc_server_hold(taker, RPC_HOLD_ALL);
	expect_echo(w, "sent", 1);
	toy_wait(&current(w)->toy, &current(w)->toy.parked_count, 1);
	silence(w);
	assert_int_equal(w->count, 1);
	g = &w->given[0];
	for (size_t size = 0; size < g->record.size; size++) {
		struct err err = { 0 };

		assert_int_equal(grpc_adopt(taker, g->fd, g->record.data, size, &err), -1);
		err_clear(&err);
	}
	/* Whatever a byte says, there is an answer. */
	for (size_t at = 0; at < g->record.size; at++) {
		struct err err = { 0 };
		int fd = dup(g->fd);
		char before = g->record.data[at];

		g->record.data[at] = (char)(before ^ 0x81);
		if (grpc_adopt(taker, fd, g->record.data, g->record.size, &err) < 0)
			close_fd(&fd);
		g->record.data[at] = before;
		err_clear(&err);
	}
	rpc_server_free(taker);
	loop_free(loop);
	toy_on_loop(current(w), let_go, w);
	drop(w);
	toy_finish_parked(&current(w)->toy, NULL);
	assert_string_equal(hear(w, s)->type_url, "parked");
	expect_end(w, s);
	end(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_connection_without_calls_moves),
		cmocka_unit_test(a_ttrpc_connection_moves),
		cmocka_unit_test(a_connection_that_has_said_nothing_moves),
		cmocka_unit_test(what_waits_is_asked_again_and_answered_once),
		cmocka_unit_test(a_download_goes_on_where_it_was),
		cmocka_unit_test(a_talk_goes_on_where_it_was),
		cmocka_unit_test(messages_on_their_way_move_along),
		cmocka_unit_test(subscribers_get_what_is_queued_once),
		cmocka_unit_test(who_goes_on_after_all_has_lost_nothing),
		cmocka_unit_test(slow_calls_wait_and_others_pass),
		cmocka_unit_test(what_cannot_be_asked_again_stays),
		cmocka_unit_test(what_nobody_takes_stays),
		cmocka_unit_test(broken_records_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
