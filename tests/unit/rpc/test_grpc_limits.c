/* SPDX-License-Identifier: Apache-2.0 */
/* The serving side of gRPC, frame by frame: what is too much or wrong, and how it ends. */
#include "grpc_side.h"
#include "unit/unit.h"

#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"

static void malformed_headers_reset_the_stream(void **state)
{
	static const char *const rows[][2] = {
		{ ":path", "/again" },
		{ ":weird", "x" },
		{ "Upper", "x" },
		{ "connection", "close" },
		{ "sp ace", "x" },
		{ "x", "bad\1value" },
	};
	struct side *s = begin();
	uint32_t stream = 1;

	for (size_t i = 0; i < ARRAY_LEN(rows); i++, stream += 2) {
		struct request r = { stream, END_STREAM, .path = "/" TOY "/Echo",
			.extra = { rows[i][0], rows[i][1] } };

		ask(s, &r);
		expect_reset(s, stream, NGHTTP2_PROTOCOL_ERROR);
	}
	ask(s, &(struct request){ stream, END_STREAM, .path = NULL });
	expect_reset(s, stream, NGHTTP2_PROTOCOL_ERROR);
	expect_alive(s, stream + 2);
	end(s);
}

static void a_nul_in_a_header_resets_the_stream(void **state)
{
	struct side *s = begin();
	nghttp2_nv nv[5];
	size_t n = 0;

	add_header(nv, &n, ":method", "POST");
	add_header(nv, &n, ":scheme", "http");
	add_header(nv, &n, ":path", "/" TOY "/Echo");
	add_header(nv, &n, "content-type", "application/grpc");
	add_header(nv, &n, "containerd-namespace", "k8s.io");
	nv[4].value = (uint8_t *)"a\0b";
	nv[4].valuelen = 3;
	say_headers(s, 1, END_STREAM, nv, n);
	expect_reset(s, 1, NGHTTP2_PROTOCOL_ERROR);
	end(s);
}

static char *long_text(struct side *s, size_t size)
{
	char *text = arena_alloc(&s->arena, size + 1);

	memset(text, 'a', size);
	return text;
}

static void too_many_headers_are_refused(void **state)
{
	struct side *s = begin();
	struct request fits = { 1, 0, .path = "/" TOY "/Fail",
		.extra = { "x", long_text(s, 15000) } };
	struct request big = { 3, END_STREAM, .path = "/" TOY "/Echo",
		.extra = { "x", long_text(s, 9000), "y", long_text(s, 9000) } };

	ask(s, &fits);
	say_message(s, 1, END_STREAM, "x");
	expect_status(s, 1, "200", "5", "thing x");
	ask(s, &big);
	hear(s);
	assert_true(find(s, NGHTTP2_HEADERS, 0)->flags & END_STREAM);
	expect_in(find(s, NGHTTP2_HEADERS, 0)->headers, "grpc-status: 8\n");
	expect_in(find(s, NGHTTP2_HEADERS, 0)->headers,
			"received header list size larger than max");
	expect_alive(s, 5);
	end(s);
}

/* One header in the table, named a thousand times by one byte each. */
/* From a client that has not taken our settings yet: later there is no table for it. */
static void a_header_bomb_is_cut_off(void **state)
{
	struct side *s = begin_with(NULL);
	unsigned char block[4 + 3000 + 1000] = { 0x40, 1, 'x', 0x7f };
	size_t at = 4, left = 3000 - 127;

	for (; left >= 128; left >>= 7)
		block[at++] = (unsigned char)(left | 128);
	block[at++] = (unsigned char)left;
	memset(block + at, 'a', 3000);
	at += 3000;
	memset(block + at, 0x80 | 62, 900);
	at += 900;
	talk(s, PREFACE, strlen(PREFACE));
	say(s, NGHTTP2_SETTINGS, 0, 0, NULL, 0);
	hear(s);
	say(s, NGHTTP2_HEADERS, END_HEADERS | END_STREAM, 1, block, at);
	expect_reset(s, 1, NGHTTP2_INTERNAL_ERROR);
	end(s);
}

static void messages_over_the_limit_are_refused_by_their_prefix(void **state)
{
	struct rpc_limits limits = { .max_recv_message = 100 };
	struct side *s = begin_with(&limits);

	talk(s, PREFACE, strlen(PREFACE));
	say(s, NGHTTP2_SETTINGS, 0, 0, NULL, 0);
	ask(s, &(struct request){ 1, 0, .path = "/" TOY "/Echo" });
	say(s, NGHTTP2_DATA, 0, 1, "\0\0\0\0\x65", 5);
	expect_status(s, 1, "200", "8", "grpc: received message larger than max (101 vs. 100)");
	assert_non_null(find(s, NGHTTP2_RST_STREAM, 0)); /* and the client may stop */
	expect_alive(s, 3);
	end(s);
}

static void requests_hold_exactly_one_message(void **state)
{
	struct side *s = begin();

	ask(s, &(struct request){ 1, END_STREAM, .path = "/" TOY "/Echo" });
	expect_status(s, 1, "200", "13", "grpc: no message");
	ask(s, &(struct request){ 3, 0, .path = "/" TOY "/Echo" });
	say_message(s, 3, 0, "x");
	say_message(s, 3, END_STREAM, "x");
	expect_status(s, 3, "200", "13", "grpc: more than one message");
	ask(s, &(struct request){ 5, 0, .path = "/" TOY "/Echo" });
	say(s, NGHTTP2_DATA, END_STREAM, 5, "\0\0\0\0\4a", 6);
	expect_status(s, 5, "200", "13", "unexpected EOF");
	ask(s, &(struct request){ 7, 0, .path = "/" TOY "/Echo" });
	say(s, NGHTTP2_DATA, END_STREAM, 7, "\0\0\0\0\2\xff\xff", 7);
	expect_status(s, 7, "200", "13", "grpc: error unmarshalling request: proto: ");
	ask(s, &(struct request){ 9, 0, .path = "/" TOY "/Echo" });
	say(s, NGHTTP2_DATA, END_STREAM, 9, "\0\0\0\0\3\x0a\1\xff", 8);
	expect_status(s, 9, "200", "13", "grpc: error unmarshalling request: proto: ");
	expect_alive(s, 11);
	end(s);
}

static void the_first_of_repeated_headers_counts(void **state)
{
	struct side *s = begin();
	const struct frame *f;

	ask(s, &(struct request){ 1, 0, .path = "/" TOY "/Who",
			       .extra = { "containerd-namespace", "one", "containerd-namespace",
					       "two", "containerd-lease", "l" } });
	say_message(s, 1, END_STREAM, "containerd-namespace");
	hear(s);
	f = find(s, NGHTTP2_DATA, 0);
	assert_non_null(memmem(f->data, f->size, "one l one", 9));
	end(s);
}

static void a_reset_cancels_the_call(void **state)
{
	struct side *s = begin();

	call(s, 1, "Park", "x");
	call(s, 3, "Park", "x");
	assert_int_equal(rpc_server_calls(s->server), 2);
	say(s, NGHTTP2_RST_STREAM, 0, 1, "\0\0\0\x08", 4);
	assert_int_equal(s->toy.cancelled, 1);
	assert_int_equal(rpc_server_calls(s->server), 1);
	toy_finish_parked(&s->toy, NULL);
	hear(s);
	assert_int_equal(find(s, NGHTTP2_DATA, 0)->stream, 3);
	assert_null(find(s, NGHTTP2_DATA, 1));
	expect_alive(s, 5);
	end(s);
}

static void a_reset_before_the_message_starts_nothing(void **state)
{
	struct side *s = begin();

	ask(s, &(struct request){ 1, 0, .path = "/" TOY "/Park" });
	say(s, NGHTTP2_RST_STREAM, 0, 1, "\0\0\0\x08", 4);
	assert_int_equal(s->toy.parked_count, 0);
	assert_int_equal(rpc_server_calls(s->server), 0);
	end(s);
}

static void a_lost_connection_cancels_all_calls(void **state)
{
	struct side *s = begin();

	call(s, 1, "Park", "x");
	call(s, 3, "Park", "x");
	grpc_conn_ops.closed(take_ptr(s->conn));
	assert_int_equal(s->toy.cancelled, 2);
	assert_int_equal(rpc_server_calls(s->server), 0);
	end(s);
}

static void a_deadline_is_answered_in_time(void **state)
{
	struct side *s = begin();

	ask(s, &(struct request){ 1, 0, .path = "/" TOY "/Park",
			       .extra = { "grpc-timeout", "20m" } });
	say_message(s, 1, END_STREAM, "x");
	while (s->toy.cancelled == 0)
		loop_run_once(s->loop, 1000);
	expect_status(s, 1, "200", "4", "context deadline exceeded");
	toy_finish_parked(&s->toy, NULL); /* too late, and harmless */
	hear(s);
	assert_int_equal(s->count, 0);
	expect_alive(s, 3);
	end(s);
}

static void an_answer_in_time_is_not_lost_to_the_deadline(void **state)
{
	struct side *s = begin();
	struct request r = { 1, 0, .path = "/" TOY "/Park",
		.extra = { "grpc-timeout", "50m" } };
	int64_t until;

	ask(s, &r);
	say_message(s, 1, END_STREAM, "x");
	until = clock_mono_ns() + 60 * NS_PER_MS;
	assert_int_equal(s->toy.parked_count, 1);
	toy_finish_parked(&s->toy, NULL);
	/* the timer is due before the loop hears of the answer */
	while (clock_mono_ns() < until)
		continue;
	hear(s);
	assert_non_null(find(s, NGHTTP2_DATA, 0));
	expect_in(find(s, NGHTTP2_HEADERS, 1)->headers, "grpc-status: 0\n");
	end(s);
}

static void streams_beyond_the_limit_are_refused(void **state)
{
	struct rpc_limits limits = { .max_streams = 2 };
	struct side *s = begin_with(&limits);

	talk(s, PREFACE, strlen(PREFACE));
	say(s, NGHTTP2_SETTINGS, 0, 0, NULL, 0);
	call(s, 1, "Park", "x");
	call(s, 3, "Park", "x");
	call(s, 5, "Park", "x");
	expect_reset(s, 5, NGHTTP2_REFUSED_STREAM);
	assert_int_equal(s->toy.parked_count, 2);
	end(s);
}

static void pings_are_answered(void **state)
{
	struct side *s = begin();
	const struct frame *f;

	say(s, NGHTTP2_PING, 0, 0, "\2\4\x10\x10\xe\xe\7\7", 8);
	hear(s);
	f = find(s, NGHTTP2_PING, 0);
	assert_non_null(f);
	assert_int_equal(f->flags, ACK);
	assert_memory_equal(f->data, "\2\4\x10\x10\xe\xe\7\7", 8);
	end(s);
}

/* grpc-go's clients ping after each answer: that must never add up. */
static void pings_between_answers_are_welcome(void **state)
{
	struct side *s = begin();

	for (uint32_t i = 0; i < 50; i++) {
		call(s, i * 2 + 1, "Echo", "x");
		hear(s);
		say(s, NGHTTP2_PING, 0, 0, "12345678", 8);
		hear(s);
		assert_null(find(s, NGHTTP2_GOAWAY, 0));
	}
	assert_true(s->alive);
	end(s);
}

static void idle_pings_are_counted(void **state)
{
	struct side *s = begin();
	const struct frame *f;

	for (int i = 0; i < 3; i++) {
		say(s, NGHTTP2_PING, 0, 0, "12345678", 8);
		hear(s);
		assert_null(find(s, NGHTTP2_GOAWAY, 0));
	}
	say(s, NGHTTP2_PING, 0, 0, "12345678", 8);
	assert_false(s->alive);
	expect_goaway(s, NGHTTP2_ENHANCE_YOUR_CALM);
	f = find(s, NGHTTP2_GOAWAY, 0);
	assert_memory_equal(f->data + 8, "too_many_pings", 14);
	end(s);
}

static void cheap_frames_in_masses_end_the_connection(void **state)
{
	static const struct {
		int type;
		const char *data;
		size_t size;
		uint32_t stream;
	} rows[] = {
		{ NGHTTP2_DATA, "", 0, 1 },
		{ NGHTTP2_PRIORITY, "\0\0\0\0\1", 5, 3 },
		{ NGHTTP2_WINDOW_UPDATE, "\0\0\0\1", 4, 1 },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct side *s = begin();
		int n = 0;

		ask(s, &(struct request){ 1, 0, .path = "/" TOY "/Echo" });
		for (; n < 1000000 && s->alive; n++) {
			say(s, rows[i].type, 0, rows[i].stream, rows[i].data, rows[i].size);
			if (n % 1000 == 0)
				arena_reset(&s->arena);
		}
		assert_in_range(n, 15000, 999999);
		expect_goaway(s, NGHTTP2_ENHANCE_YOUR_CALM);
		end(s);
	}
}

static void streaming_clients_are_no_flood(void **state)
{
	struct side *s = begin();

	ask(s, &(struct request){ 1, 0, .path = "/" TOY "/Echo" });
	say(s, NGHTTP2_DATA, 0, 1, "\0\0\x04\0\0", 5);
	for (int i = 0; i < 100000; i++) {
		say(s, NGHTTP2_DATA, 0, 1, "x", 1);
		if (i % 1000 == 0) {
			arena_reset(&s->arena);
			hear(s);
		}
	}
	assert_true(s->alive);
	end(s);
}

static void garbage_ends_the_connection(void **state)
{
	struct side *s = begin_with(NULL);

	talk(s, "GET / HTTP/1.1\r\n\r\n", 18);
	assert_false(s->alive);
	end(s);
	s = begin();
	say(s, NGHTTP2_CONTINUATION, 0, 1, "xyz", 3);
	expect_goaway(s, NGHTTP2_PROTOCOL_ERROR);
	end(s);
	s = begin();
	say(s, NGHTTP2_HEADERS, END_HEADERS, 1, "\xff\xff\xff\xff\xff\xff\xff", 7);
	expect_goaway(s, NGHTTP2_COMPRESSION_ERROR);
	assert_true(grpc_conn_ops.finished(s->conn));
	end(s);
}

static void unknown_frames_are_ignored(void **state)
{
	struct side *s = begin();

	say(s, 0xbe, 0, 0, "xyz", 3);
	expect_alive(s, 1);
	end(s);
}

static void shutting_down_lets_calls_end(void **state)
{
	struct side *s = begin();
	struct rpc_conn *base = grpc_conn_base(s->conn);
	const struct frame *f;

	call(s, 1, "Park", "x");
	base->ops->shutdown(base);
	hear(s);
	f = find(s, NGHTTP2_GOAWAY, 0);
	assert_int_equal(u32(f->data), 0x7fffffff);
	f = find(s, NGHTTP2_PING, 0);
	assert_non_null(f);
	call(s, 3, "Park", "x"); /* it was on its way */
	say(s, NGHTTP2_PING, ACK, 0, f->data, 8);
	hear(s);
	f = find(s, NGHTTP2_GOAWAY, 0);
	assert_int_equal(u32(f->data), 3);
	assert_int_equal(u32(f->data + 4), NGHTTP2_NO_ERROR);
	call(s, 5, "Park", "x"); /* too late: ignored, the client knows */
	assert_int_equal(s->toy.parked_count, 2);
	assert_false(grpc_conn_ops.finished(s->conn));
	toy_finish_parked(&s->toy, NULL);
	hear(s);
	assert_non_null(find(s, NGHTTP2_DATA, 1));
	assert_true(grpc_conn_ops.finished(s->conn));
	end(s);
}

static void an_idle_connection_shuts_down_at_once(void **state)
{
	struct side *s = begin();
	struct rpc_conn *base = grpc_conn_base(s->conn);

	base->ops->shutdown(base);
	hear(s);
	say(s, NGHTTP2_PING, ACK, 0, find(s, NGHTTP2_PING, 0)->data, 8);
	expect_goaway(s, NGHTTP2_NO_ERROR);
	assert_true(grpc_conn_ops.finished(s->conn));
	end(s);
}

static void set_keepalive(void *arg)
{
	struct toy_server *s = arg;

	s->server->keepalive_ms = 30;
	s->server->keepalive_timeout_ms = 30;
}

static void a_silent_peer_is_asked_and_then_left(void **state)
{
	struct toy_server *s = toy_serve(1, NULL, grpc_listen);
	unsigned char got[200];
	struct buf all = { .limit = SIZE_MAX };
	ssize_t n;
	int fd;

	toy_on_loop(s, set_keepalive, s);
	fd = toy_connect_raw(s->grpc);
	while ((n = read(fd, got, sizeof(got))) > 0)
		buf_add(&all, got, (size_t)n);
	assert_int_equal(n, 0);
	assert_non_null(memmem(all.data, all.size, "alive?", 6));
	close(fd);
	buf_done(&all);
	toy_stop(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(malformed_headers_reset_the_stream),
		TEST(a_nul_in_a_header_resets_the_stream),
		TEST(too_many_headers_are_refused),
		TEST(a_header_bomb_is_cut_off),
		TEST(messages_over_the_limit_are_refused_by_their_prefix),
		TEST(requests_hold_exactly_one_message),
		TEST(the_first_of_repeated_headers_counts),
		TEST(a_reset_cancels_the_call),
		TEST(a_reset_before_the_message_starts_nothing),
		TEST(a_lost_connection_cancels_all_calls),
		TEST(a_deadline_is_answered_in_time),
		TEST(an_answer_in_time_is_not_lost_to_the_deadline),
		TEST(streams_beyond_the_limit_are_refused),
		TEST(pings_are_answered),
		TEST(pings_between_answers_are_welcome),
		TEST(idle_pings_are_counted),
		TEST(cheap_frames_in_masses_end_the_connection),
		TEST(streaming_clients_are_no_flood),
		TEST(garbage_ends_the_connection),
		TEST(unknown_frames_are_ignored),
		TEST(shutting_down_lets_calls_end),
		TEST(an_idle_connection_shuts_down_at_once),
		TEST(a_silent_peer_is_asked_and_then_left),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
