/* SPDX-License-Identifier: Apache-2.0 */
/* The serving side of ttrpc, byte by byte, without sockets or threads. */
#include "rpc/ttrpc/ttrpc_serve_priv.h"

#include "toy.h"
#include "unit/unit.h"

#include <stdlib.h>
#include <string.h>

#include "api/pb.h"
#include "api/pb/ttrpc.pb-c.h"
#include "base/mem.h"
#include "rpc/ttrpc/ttrpc_frame_priv.h"

#define MAX_FRAMES 2000

struct side {
	struct toy toy;
	struct loop *loop;
	struct rpc_server *server;
	struct ttrpc_conn *conn;
	struct arena arena;
	struct ttrpc_frame frames[MAX_FRAMES];
	size_t count;
};

static void side_start(struct side *s)
{
	*s = (struct side){ 0 };
	toy_init(&s->toy);
	s->loop = loop_new();
	s->server = rpc_server_new(s->loop, NULL, NULL, NULL);
	rpc_server_add(s->server, RPC_TTRPC, &toy_service, &s->toy);
	s->conn = ttrpc_conn_new(s->server);
	arena_init(&s->arena, SIZE_MAX);
}

static void side_end(struct side *s)
{
	if (s->conn != NULL)
		ttrpc_conn_ops.closed(s->conn);
	toy_finish_parked(&s->toy, NULL);
	rpc_server_free(s->server);
	loop_free(s->loop);
	arena_done(&s->arena);
	toy_done(&s->toy);
}

static void say(struct side *s, uint32_t stream, int type, int flags, const void *data,
		size_t size)
{
	struct rpc_msg *m = rpc_msg_new(data, size);

	ttrpc_frame_message(m, stream, (uint8_t)type, (uint8_t)flags);
	assert_true(ttrpc_conn_ops.input(s->conn, rpc_msg_wire(m), rpc_msg_wire_size(m)));
	rpc_msg_free(m);
}

static void request_to(struct side *s, uint32_t stream, int flags, const char *service,
		const char *method, const Google__Protobuf__Any *any)
{
	Ttrpc__Request r = TTRPC__REQUEST__INIT;
	const void *data;
	size_t size;

	r.service = (char *)service;
	r.method = (char *)method;
	if (any != NULL)
		r.payload.data = (void *)pb_encode_arena(&any->base, &s->arena, &r.payload.len);
	data = pb_encode_arena(&r.base, &s->arena, &size);
	say(s, stream, TTRPC_REQUEST, flags, data, size);
}

static void request(struct side *s, uint32_t stream, int flags, const char *method,
		const char *text)
{
	request_to(s, stream, flags, TOY, method,
			text == NULL ? NULL : toy_any(&s->arena, text, 0));
}

static void message(struct side *s, uint32_t stream, int flags, const char *text)
{
	size_t size;
	const void *data =
			pb_encode_arena(&toy_any(&s->arena, text, 0)->base, &s->arena, &size);

	say(s, stream, TTRPC_DATA, flags, data, size);
}

static void note(void *arg, const struct ttrpc_frame *f)
{
	struct side *s = arg;

	assert_true(s->count < MAX_FRAMES);
	s->frames[s->count] = *f;
	s->frames[s->count].data = arena_memdup(&s->arena, f->data, f->size);
	s->count++;
}

/* What the server says now. */
static void hear(struct side *s)
{
	struct ttrpc_reader r = { 0 };
	unsigned char room[100];
	size_t n;

	loop_run_once(s->loop, 0);
	s->count = 0;
	while ((n = ttrpc_conn_ops.output(s->conn, room, sizeof(room))) > 0)
		ttrpc_read(&r, room, n, note, s);
	assert_int_equal(r.header_have, 0);
	ttrpc_reader_done(&r);
}

static Ttrpc__Response *response(struct side *s, size_t i, uint32_t stream)
{
	ProtobufCMessage *m;
	struct err err = { 0 };

	assert_true(i < s->count);
	assert_int_equal(s->frames[i].stream, stream);
	assert_int_equal(s->frames[i].type, TTRPC_RESPONSE);
	assert_int_equal(s->frames[i].flags, 0);
	assert_ok(pb_decode(&ttrpc__response__descriptor, s->frames[i].data, s->frames[i].size,
				  &s->arena, &pb_limits_reply, &m, &err),
			&err);
	return (Ttrpc__Response *)m;
}

static void expect_failure(struct side *s, uint32_t stream, int code, const char *text)
{
	const Ttrpc__Response *r;

	hear(s);
	assert_int_equal(s->count, 1);
	r = response(s, 0, stream);
	assert_non_null(r->status);
	assert_int_equal(r->status->code, code);
	if (strstr(r->status->message, text) == NULL)
		fail_msg("want \"%s\", got \"%s\"", text, r->status->message);
}

static const char *any_text(struct side *s, const void *data, size_t size)
{
	ProtobufCMessage *m;
	struct err err = { 0 };

	assert_ok(pb_decode(&google__protobuf__any__descriptor, data, size, &s->arena, NULL, &m,
				  &err),
			&err);
	return ((Google__Protobuf__Any *)m)->type_url;
}

static void a_unary_call_has_one_answer(void **state)
{
	struct side s;
	const Ttrpc__Response *r;

	side_start(&s);
	request(&s, 1, 0, "Echo", "hello");
	hear(&s);
	assert_int_equal(s.count, 1);
	r = response(&s, 0, 1);
	assert_null(r->status);
	assert_string_equal(any_text(&s, r->payload.data, r->payload.len), "hello");
	assert_int_equal(rpc_server_calls(s.server), 0);
	assert_int_equal(s.toy.reports, 0);
	side_end(&s);
}

static void an_empty_answer_is_a_frame_without_bytes(void **state)
{
	struct side s;

	side_start(&s);
	request(&s, 1, 0, "Echo", NULL);
	hear(&s);
	assert_int_equal(s.count, 1);
	assert_int_equal(s.frames[0].type, TTRPC_RESPONSE);
	assert_int_equal(s.frames[0].size, 0);
	side_end(&s);
}

static void failures_of_handlers_travel_as_status(void **state)
{
	struct side s;

	side_start(&s);
	request(&s, 1, 0, "Fail", "x");
	expect_failure(&s, 1, 5, "thing x: not found");
	side_end(&s);
}

static void stream_ids_are_odd_and_grow(void **state)
{
	struct side s;

	side_start(&s);
	request(&s, 2, 0, "Echo", "x");
	expect_failure(&s, 2, 3, "StreamID must be odd for client initiated streams");
	say(&s, 4, TTRPC_DATA, 0, "", 0);
	expect_failure(&s, 4, 3, "StreamID must be odd for client initiated streams");
	request(&s, 7, 0, "Echo", "x");
	hear(&s);
	assert_null(response(&s, 0, 7)->status);
	request(&s, 7, 0, "Echo", "x");
	expect_failure(&s, 7, 3, "StreamID cannot be re-used and must increment");
	request(&s, 5, 0, "Echo", "x");
	expect_failure(&s, 5, 3, "StreamID cannot be re-used and must increment");
	side_end(&s);
}

static void unknown_services_and_methods_are_unimplemented(void **state)
{
	struct side s;

	side_start(&s);
	request_to(&s, 1, 0, "no.Such", "Thing", NULL);
	expect_failure(&s, 1, 12, "service no.Such");
	request(&s, 3, 0, "Thing", NULL);
	expect_failure(&s, 3, 12, "method Thing");
	side_end(&s);
}

static void broken_requests_fail_alone(void **state)
{
	struct side s;

	side_start(&s);
	say(&s, 1, TTRPC_REQUEST, 0, "\xff\xff\xff", 3);
	expect_failure(&s, 1, 3, "unmarshal request error: ");
	/* service, method, and a payload that is no Any */
	say(&s, 3, TTRPC_REQUEST, 0,
			"\x0a\x0atoy.v1.Toy\x12\x04"
			"Echo\x1a\x02\xff\xff",
			22);
	expect_failure(&s, 3, 13, "ttrpc: error unmarshalling payload: ");
	request(&s, 5, 0, "Echo", "x");
	hear(&s);
	assert_null(response(&s, 0, 5)->status);
	side_end(&s);
}

static void too_long_frames_are_answered_on_their_stream(void **state)
{
	struct side s;
	char *big = xzalloc(TTRPC_MAX + 1);

	side_start(&s);
	say(&s, 1, TTRPC_REQUEST, 0, big, TTRPC_MAX + 1);
	expect_failure(&s, 1, 8,
			"message length 4194305 exceed maximum message size of 4194304");
	side_end(&s);
	free(big);
}

static void answers_over_the_limit_fail_alone(void **state)
{
	struct side s;

	side_start(&s);
	request(&s, 1, 0, "Big", "4194304");
	expect_failure(&s, 1, 8, "exceed maximum message size of 4194304");
	request(&s, 3, 0, "Echo", "x");
	hear(&s);
	assert_null(response(&s, 0, 3)->status);
	side_end(&s);
}

static void unknown_frame_types_are_ignored(void **state)
{
	struct side s;

	side_start(&s);
	say(&s, 1, 9, 0, "abc", 3);
	say(&s, 1, TTRPC_RESPONSE, 0, "", 0);
	hear(&s);
	assert_int_equal(s.count, 0);
	side_end(&s);
}

static void data_for_no_stream_is_refused(void **state)
{
	struct side s;

	side_start(&s);
	message(&s, 1, 0, "x");
	expect_failure(&s, 1, 3, "StreamID is no longer active");
	request(&s, 3, 0, "Echo", "x");
	hear(&s);
	message(&s, 3, 0, "x");
	expect_failure(&s, 3, 3, "StreamID is no longer active");
	side_end(&s);
}

static void data_for_a_unary_call_ends_it(void **state)
{
	struct side s;

	side_start(&s);
	request(&s, 1, 0, "Park", "x");
	hear(&s);
	assert_int_equal(s.count, 0);
	assert_int_equal(rpc_server_calls(s.server), 1);
	message(&s, 1, 0, "x");
	expect_failure(&s, 1, 3, "data handling error");
	assert_int_equal(s.toy.cancelled, 1);
	assert_int_equal(rpc_server_calls(s.server), 0);
	side_end(&s);
}

static void a_server_stream_ends_with_an_empty_frame(void **state)
{
	struct side s;

	side_start(&s);
	request(&s, 1, TTRPC_REMOTE_CLOSED, "Count", "2");
	hear(&s);
	assert_int_equal(s.count, 3);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(s.frames[i].type, TTRPC_DATA);
		assert_int_equal(s.frames[i].flags, 0);
	}
	assert_string_equal(any_text(&s, s.frames[1].data, s.frames[1].size), "1");
	assert_int_equal(s.frames[2].type, TTRPC_DATA);
	assert_int_equal(s.frames[2].flags, TTRPC_REMOTE_CLOSED | TTRPC_NO_DATA);
	assert_int_equal(s.frames[2].size, 0);
	side_end(&s);
}

static void a_failing_server_stream_ends_with_a_status(void **state)
{
	struct side s;
	const Ttrpc__Response *r;

	side_start(&s);
	request(&s, 1, TTRPC_REMOTE_CLOSED, "Count", "1!");
	hear(&s);
	assert_int_equal(s.count, 2);
	r = response(&s, 1, 1);
	assert_int_equal(r->status->code, 10);
	side_end(&s);
}

/* All messages are there before the handler starts, since nothing may block here. */
static void a_client_stream_takes_the_first_message_from_the_request(void **state)
{
	struct side s;
	const Ttrpc__Response *r;

	side_start(&s);
	request(&s, 1, TTRPC_REMOTE_CLOSED, "Sum", "first");
	hear(&s);
	assert_int_equal(s.count, 1);
	r = response(&s, 0, 1);
	assert_string_equal(any_text(&s, r->payload.data, r->payload.len), "1 0");
	request(&s, 3, TTRPC_REMOTE_CLOSED, "Sum", NULL);
	hear(&s);
	r = response(&s, 0, 3);
	assert_string_equal(any_text(&s, r->payload.data, r->payload.len), "0 0");
	side_end(&s);
}

static void a_parked_call_is_answered_when_it_is_finished(void **state)
{
	struct side s;
	struct err err = { 0 };

	side_start(&s);
	request(&s, 1, 0, "Park", "x");
	request(&s, 3, 0, "Park", "x");
	request(&s, 5, 0, "Echo", "x");
	hear(&s);
	assert_int_equal(s.count, 1);
	assert_null(response(&s, 0, 5)->status);
	err_set(&err, ERR_UNAVAILABLE, "gone");
	toy_finish_parked(&s.toy, &err);
	hear(&s);
	assert_int_equal(s.count, 2);
	assert_int_equal(response(&s, 0, 1)->status->code, 14);
	assert_int_equal(response(&s, 1, 3)->status->code, 14);
	err_clear(&err);
	side_end(&s);
}

static void a_lost_connection_cancels_what_is_parked(void **state)
{
	struct side s;

	side_start(&s);
	request(&s, 1, 0, "Park", "x");
	ttrpc_conn_ops.closed(s.conn);
	s.conn = NULL;
	assert_int_equal(s.toy.cancelled, 1);
	assert_int_equal(rpc_server_calls(s.server), 0);
	side_end(&s);
}

static void a_closing_message_with_data_is_refused(void **state)
{
	struct side s;

	side_start(&s);
	request(&s, 1, TTRPC_REMOTE_OPEN, "Feed", "x");
	hear(&s);
	message(&s, 1, TTRPC_REMOTE_CLOSED, "x");
	hear(&s);
	assert_true(s.count > 0);
	assert_int_equal(response(&s, s.count - 1, 1)->status->code, 3);
	side_end(&s);
}

static void cutting_the_bytes_changes_nothing(void **state)
{
	Ttrpc__Request r = TTRPC__REQUEST__INIT;
	struct side s;
	struct rpc_msg *m;

	r.service = (char *)TOY;
	r.method = (char *)"Echo";
	for (size_t cut = 0; cut < 28; cut++) {
		side_start(&s);
		m = rpc_msg_pack(&r.base);
		ttrpc_frame_message(m, 1, TTRPC_REQUEST, 0);
		assert_true(cut < rpc_msg_wire_size(m));
		(void)ttrpc_conn_ops.input(s.conn, rpc_msg_wire(m), cut);
		hear(&s);
		assert_int_equal(s.count, 0);
		for (size_t i = cut; i < rpc_msg_wire_size(m); i++)
			(void)ttrpc_conn_ops.input(s.conn, rpc_msg_wire(m) + i, 1);
		hear(&s);
		assert_int_equal(s.count, 1);
		assert_null(response(&s, 0, 1)->status);
		rpc_msg_free(m);
		side_end(&s);
	}
}

static void a_peer_that_does_not_read_is_not_read(void **state)
{
	struct side s;

	side_start(&s);
	for (uint32_t i = 0; i < 200 && ttrpc_conn_ops.wants_input(s.conn); i++)
		request(&s, i * 2 + 1, 0, "Echo", "x");
	assert_false(ttrpc_conn_ops.wants_input(s.conn));
	while (ttrpc_conn_ops.output(s.conn, (char[100]){ 0 }, 100) > 0)
		continue;
	assert_true(ttrpc_conn_ops.wants_input(s.conn));
	side_end(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_unary_call_has_one_answer),
		TEST(an_empty_answer_is_a_frame_without_bytes),
		TEST(failures_of_handlers_travel_as_status),
		TEST(stream_ids_are_odd_and_grow),
		TEST(unknown_services_and_methods_are_unimplemented),
		TEST(broken_requests_fail_alone),
		TEST(too_long_frames_are_answered_on_their_stream),
		TEST(answers_over_the_limit_fail_alone),
		TEST(unknown_frame_types_are_ignored),
		TEST(data_for_no_stream_is_refused),
		TEST(data_for_a_unary_call_ends_it),
		TEST(a_server_stream_ends_with_an_empty_frame),
		TEST(a_failing_server_stream_ends_with_a_status),
		TEST(a_client_stream_takes_the_first_message_from_the_request),
		TEST(a_parked_call_is_answered_when_it_is_finished),
		TEST(a_lost_connection_cancels_what_is_parked),
		TEST(a_closing_message_with_data_is_refused),
		TEST(cutting_the_bytes_changes_nothing),
		TEST(a_peer_that_does_not_read_is_not_read),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
