/* SPDX-License-Identifier: Apache-2.0 */
/* The serving side of gRPC, frame by frame: requests and their answers. */
#include "grpc_side.h"
#include "unit/unit.h"

#include <string.h>

#include "api/pb.h"
#include "base/buf.h"
#include "rpc/grpc/grpc_gzip_priv.h"
#include "rpc/grpc/grpc_reader_priv.h"

static void the_server_speaks_first(void **state)
{
	struct side *s = begin_with(NULL);
	const struct frame *f;

	hear(s);
	f = find(s, NGHTTP2_SETTINGS, 0);
	assert_non_null(f);
	assert_int_equal(f->size, 24);
	f = find(s, NGHTTP2_WINDOW_UPDATE, 0);
	assert_non_null(f);
	assert_int_equal(f->stream, 0);
	assert_true(u32(f->data) >= 4 * 1024 * 1024 - 65535);
	end(s);
}

static void expect_echo(struct side *s, uint32_t stream)
{
	const struct frame *f = find(s, NGHTTP2_HEADERS, 0);

	assert_non_null(f);
	assert_int_equal(f->stream, stream);
	assert_int_equal(f->flags, END_HEADERS);
	expect_in(f->headers, ":status: 200\n");
	expect_in(f->headers, "content-type: application/grpc\n");
	f = find(s, NGHTTP2_DATA, 0);
	assert_non_null(f);
	assert_int_equal(f->flags, 0);
	assert_int_equal(f->data[0], 0);
	assert_int_equal(u32(f->data + 1), f->size - 5);
	assert_null(find(s, NGHTTP2_DATA, 1));
	f = find(s, NGHTTP2_HEADERS, 1);
	assert_non_null(f);
	assert_true(f->flags & END_STREAM);
	assert_string_equal(f->headers, "grpc-status: 0\n");
}

static void an_answer_is_headers_data_and_trailers(void **state)
{
	struct side *s = begin();

	call(s, 1, "Echo", "hello");
	hear(s);
	expect_echo(s, 1);
	assert_int_equal(rpc_server_calls(s->server), 0);
	end(s);
}

static void an_empty_message_is_a_message(void **state)
{
	struct side *s = begin();

	call(s, 1, "Echo", "");
	hear(s);
	expect_echo(s, 1);
	end(s);
}

/* A whole conversation as bytes, cut in two at every place, and into single bytes. */
static void cutting_the_bytes_changes_nothing(void **state)
{
	static const unsigned char headers[] = { 0x83, 0x86, /* POST, http */
		0x04, 0x10, '/', 't', 'o', 'y', '.', 'v', '1', '.', 'T', 'o', 'y', '/', 'E',
		'c', 'h', 'o', 0x0f, 0x10, 0x10, 'a', 'p', 'p', 'l', 'i', 'c', 'a', 't', 'i',
		'o', 'n', '/', 'g', 'r', 'p', 'c' };
	static const unsigned char data[] = { 0, 0, 0, 0, 4, 0x0a, 2, 'h', 'i' };
	struct buf wire = { .limit = SIZE_MAX };

	buf_add_str(&wire, PREFACE);
	buf_add(&wire, "\0\0\0\4\0\0\0\0\0", 9);
	buf_add(&wire, (unsigned char[]){ 0, 0, sizeof(headers), 1, 4, 0, 0, 0, 1 }, 9);
	buf_add(&wire, headers, sizeof(headers));
	buf_add(&wire, (unsigned char[]){ 0, 0, sizeof(data), 0, 1, 0, 0, 0, 1 }, 9);
	buf_add(&wire, data, sizeof(data));
	for (size_t cut = 0; cut <= wire.size; cut++) {
		struct side *s = begin_with(NULL);

		if (cut > 0)
			talk(s, wire.data, cut);
		for (size_t at = cut; at < wire.size;) {
			size_t n = cut == 0 ? 1 : wire.size - cut;

			talk(s, wire.data + at, n);
			at += n;
		}
		hear(s);
		expect_echo(s, 1);
		end(s);
	}
	buf_done(&wire);
}

static void failures_are_trailers_only(void **state)
{
	struct side *s = begin();

	call(s, 1, "Fail", "a%\xc3\xa4");
	expect_status(s, 1, "200", "5", "thing a%25%C3%A4: not found");
	expect_alive(s, 3);
	end(s);
}

static void unknown_paths_are_unimplemented(void **state)
{
	static const char *const rows[][2] = {
		{ "/no.Such/Thing", "unknown service no.Such" },
		{ "/" TOY "/Thing", "unknown method Thing for service " TOY },
		{ "/" TOY "/", "unknown method  for service " TOY },
		{ "//Echo", "unknown service " },
		{ "/a/b/c", "unknown service a/b" },
		{ "/nothing", "malformed method name: \"/nothing\"" },
		{ TOY "/Echo", "malformed method name: \"" TOY "/Echo\"" },
		{ "*", "malformed method name: \"*\"" },
		{ "", "malformed method name: \"\"" },
	};
	struct side *s = begin();
	uint32_t stream = 1;

	for (size_t i = 0; i < ARRAY_LEN(rows); i++, stream += 2) {
		struct request r = { stream, 0, .path = rows[i][0] };

		ask(s, &r);
		say_message(s, stream, END_STREAM, "x");
		expect_status(s, stream, "200", "12", rows[i][1]);
	}
	expect_alive(s, stream);
	end(s);
}

static void what_is_not_grpc_gets_an_http_error(void **state)
{
	struct side *s = begin();
	struct request json = { 1, END_STREAM, .path = "/" TOY "/Echo",
		.type = "application/json" };
	struct request get = { 3, END_STREAM, .path = "/" TOY "/Echo", .method = "GET" };
	struct request timeout = { 5, END_STREAM, .path = "/" TOY "/Echo",
		.extra = { "grpc-timeout", "12" } };
	struct request proto = { 7, 0, .path = "/" TOY "/Fail",
		.type = "application/grpc+proto" };

	ask(s, &json);
	expect_status(s, 1, "415", "3",
			"invalid gRPC request content-type \"application/json\"");
	ask(s, &get);
	expect_status(s, 3, "405", "13", "Received a HEADERS frame with :method \"GET\"");
	ask(s, &timeout);
	expect_status(s, 5, "400", "13", "malformed grpc-timeout: \"12\"");
	ask(s, &proto);
	say_message(s, 7, END_STREAM, "x");
	expect_status(s, 7, "200", "5", "thing x");
	end(s);
}

static void other_codecs_are_not_implemented(void **state)
{
	struct side *s = begin();
	struct request snappy = { 1, 0, .path = "/" TOY "/Echo",
		.extra = { "grpc-encoding", "snappy" } };
	struct request identity = { 3, 0, .path = "/" TOY "/Fail",
		.extra = { "grpc-encoding", "identity" } };

	ask(s, &snappy);
	say_message(s, 1, END_STREAM, "x");
	expect_status(s, 1, "200", "12",
			"grpc: Decompressor is not installed for grpc-encoding \"snappy\"");
	ask(s, &identity);
	say_message(s, 3, END_STREAM, "x");
	expect_status(s, 3, "200", "5", "thing x: not found");
	call(s, 5, "Echo", "x");
	hear(s);
	ask(s, &(struct request){ 7, 0, .path = "/" TOY "/Echo" });
	say(s, NGHTTP2_DATA, END_STREAM, 7, "\1\0\0\0\1x", 6);
	expect_status(s, 7, "200", "13",
			"grpc: compressed flag set with identity or empty encoding");
	end(s);
}

static struct rpc_msg *packed_any(struct side *s, const char *text, size_t size)
{
	struct rpc_msg *m = rpc_msg_pack(&toy_any(&s->arena, text, size)->base);

	grpc_gzip.pack(&m);
	assert_true(m->packed);
	grpc_prefix(m);
	return m;
}

static void ask_in_gzip(struct side *s, uint32_t stream, const char *method)
{
	ask(s, &(struct request){ stream, 0,
			       .path = arena_printf(&s->arena, "/" TOY "/%s", method),
			       .extra = { "grpc-encoding", "gzip" } });
}

static void say_packed(struct side *s, uint32_t stream, const char *text, size_t size)
{
	AUTO(rpc_msg_free) struct rpc_msg *m = packed_any(s, text, size);

	say(s, NGHTTP2_DATA, END_STREAM, stream, rpc_msg_wire(m), rpc_msg_wire_size(m));
}

/* The message in a DATA frame. */
static Google__Protobuf__Any *unpack_any(struct side *s, const struct frame *f)
{
	struct rpc_msg *m = rpc_msg_new(f->data + 5, f->size - 5);
	AUTO_ERR struct err err = { 0 };
	ProtobufCMessage *any;

	assert_int_equal(f->data[0], 1);
	assert_ok(grpc_gzip.unpack(&m, 1 << 20, &err), &err);
	assert_ok(pb_decode(&google__protobuf__any__descriptor, rpc_msg_payload(m), m->size,
				  &s->arena, NULL, &any, &err),
			&err);
	rpc_msg_free(m);
	return (Google__Protobuf__Any *)any;
}

static void gzip_is_answered_with_gzip(void **state)
{
	struct side *s = begin();
	const Google__Protobuf__Any *any;

	ask_in_gzip(s, 1, "Echo");
	say_packed(s, 1, "x", 10000);
	hear(s);
	expect_in(find(s, NGHTTP2_HEADERS, 0)->headers, "grpc-encoding: gzip\n");
	assert_true(find(s, NGHTTP2_DATA, 0)->size < 200);
	any = unpack_any(s, find(s, NGHTTP2_DATA, 0));
	assert_string_equal(any->type_url, "x");
	assert_int_equal(any->value.len, 10000);
	expect_in(find(s, NGHTTP2_HEADERS, 1)->headers, "grpc-status: 0\n");
	ask_in_gzip(s, 3, "Fail");
	say_packed(s, 3, "x", 0);
	expect_status(s, 3, "200", "5", "thing x: not found");
	expect_alive(s, 5);
	end(s);
}

static void plain_messages_may_stand_among_packed_ones(void **state)
{
	struct side *s = begin();

	ask_in_gzip(s, 1, "Echo");
	say_message(s, 1, END_STREAM, "plain");
	hear(s);
	assert_string_equal(unpack_any(s, find(s, NGHTTP2_DATA, 0))->type_url, "plain");
	/* nothing is packed smaller than it is */
	ask_in_gzip(s, 3, "Echo");
	say(s, NGHTTP2_DATA, END_STREAM, 3, "\0\0\0\0\0", 5);
	hear(s);
	assert_int_equal(find(s, NGHTTP2_DATA, 0)->size, 5);
	assert_memory_equal(find(s, NGHTTP2_DATA, 0)->data, "\0\0\0\0\0", 5);
	end(s);
}

static void what_is_no_gzip_is_refused(void **state)
{
	struct side *s = begin();
	AUTO(rpc_msg_free) struct rpc_msg *m = packed_any(s, "x", 10);
	unsigned char cut[200];

	ask_in_gzip(s, 1, "Echo");
	say(s, NGHTTP2_DATA, END_STREAM, 1, "\1\0\0\0\1x", 6);
	expect_status(s, 1, "200", "13", "grpc: failed to ");
	ask_in_gzip(s, 3, "Echo");
	say(s, NGHTTP2_DATA, END_STREAM, 3, "\1\0\0\0\0", 5);
	expect_status(s, 3, "200", "13", "grpc: failed to ");
	memcpy(cut, rpc_msg_wire(m), rpc_msg_wire_size(m) - 4);
	cut[4] -= 4;
	ask_in_gzip(s, 5, "Echo");
	say(s, NGHTTP2_DATA, END_STREAM, 5, cut, rpc_msg_wire_size(m) - 4);
	expect_status(s, 5, "200", "13",
			"grpc: failed to read decompressed data: unexpected EOF");
	expect_alive(s, 7);
	end(s);
}

static void a_gzip_bomb_is_refused(void **state)
{
	struct side *s = begin_limited(&(struct rpc_limits){ .max_recv_message = 1000000 });

	ask_in_gzip(s, 1, "Echo");
	say_packed(s, 1, "x", 1000000);
	expect_status(s, 1, "200", "8",
			"grpc: received message after decompression larger than max 1000000");
	expect_alive(s, 3);
	end(s);
}

struct on_loop {
	struct loop_task task;
	struct side *s;
};

static void say_two_mib(struct loop_task *task)
{
	say_packed(container_of(task, struct on_loop, task)->s, 1, "x", 2 << 20);
}

static void on_the_loop_less_may_be_in_gzip(void **state)
{
	struct side *s = begin();
	struct on_loop on = { .task.run = say_two_mib, .s = s };

	ask_in_gzip(s, 1, "Echo");
	loop_post(s->loop, &on.task);
	expect_status(s, 1, "200", "8",
			"grpc: received message after decompression larger than max 1048576");
	expect_alive(s, 3);
	end(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(the_server_speaks_first),
		TEST(an_answer_is_headers_data_and_trailers),
		TEST(an_empty_message_is_a_message),
		TEST(cutting_the_bytes_changes_nothing),
		TEST(failures_are_trailers_only),
		TEST(unknown_paths_are_unimplemented),
		TEST(what_is_not_grpc_gets_an_http_error),
		TEST(other_codecs_are_not_implemented),
		TEST(gzip_is_answered_with_gzip),
		TEST(plain_messages_may_stand_among_packed_ones),
		TEST(what_is_no_gzip_is_refused),
		TEST(a_gzip_bomb_is_refused),
		TEST(on_the_loop_less_may_be_in_gzip),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
