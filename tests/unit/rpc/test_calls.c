/* SPDX-License-Identifier: Apache-2.0 */
/* Clients and servers of both transports, through real sockets: what is said arrives. */
#include "calls_world.h"
#include "unit/unit.h"

#include <stdio.h>

#include "base/err_details.h"

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

int main(void)
{
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
	};

	return run_rules(rules, ARRAY_LEN(rules));
}
