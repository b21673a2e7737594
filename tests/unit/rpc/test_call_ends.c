/* SPDX-License-Identifier: Apache-2.0 */
/* How calls and connections end: deadlines, cancellation, peers that go or are not let in. */
#include "calls_world.h"
#include "unit/unit.h"

#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/cancel.h"
#include "base/clock.h"
#include "base/thread.h"
#include "rpc/call.h"
#include "rpc/grpc/grpc_client_priv.h"
#include "rpc/server_priv.h"

static size_t begun(struct toy *t)
{
	return toy_look(t, &t->blocked) + toy_look(t, &t->parked_count);
}

/* With more and more time, until the handler has begun before the deadline. */
static void call_beyond_deadline(struct world *w, const char *method)
{
	size_t before = begun(w->toy);

	for (int64_t ms = 50; begun(w->toy) == before; ms *= 2) {
		w->ctx.deadline_ns = clock_mono_ns() + ms * NS_PER_MS;
		assert_int_equal(call(w, method, "x", 0, NULL), -1);
		expect(w, ERR_DEADLINE, "context deadline exceeded");
	}
}

static void a_deadline_ends_the_call_on_both_sides(void **state)
{
	struct world *w = begin(state);
	static const char *const methods[] = { "Block", "Park", "ParkNow" };

	for (size_t i = 0; i < 3; i++) {
		call_beyond_deadline(w, methods[i]);
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

int main(void)
{
	static const struct CMUnitTest rules[] = {
		TEST(a_deadline_ends_the_call_on_both_sides),
		TEST(cancelling_ends_the_call),
		TEST(freeing_a_stream_cancels_it),
		TEST(a_lost_client_cancels_its_calls),
		TEST(who_parked_a_lost_call_may_keep_it_longer_than_the_server_lives),
		TEST(a_stopped_server_ends_calls_and_channels),
		TEST(closing_a_channel_is_told_to_everybody),
		TEST(a_peer_gone_silent_is_unavailable),
		TEST(nobody_listening_is_unavailable),
		TEST(ttrpc_peers_of_another_user_are_turned_away),
		TEST(connections_beyond_the_limit_wait),
	};

	return run_rules(rules, ARRAY_LEN(rules));
}
