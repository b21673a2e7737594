/* SPDX-License-Identifier: Apache-2.0 */
#include "rpc/ttrpc/ttrpc_frame_priv.h"

#include "unit/unit.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

struct seen {
	size_t count;
	struct ttrpc_frame frames[8];
	unsigned char bytes[8][64];
};

static void note(void *arg, const struct ttrpc_frame *f)
{
	struct seen *s = arg;

	assert_true(s->count < 8);
	if (f->data != NULL && f->size <= 64)
		memcpy(s->bytes[s->count], f->data, f->size);
	s->frames[s->count++] = *f;
}

static const unsigned char three[] = {
	0, 0, 0, 3, 0, 0, 0, 1, 1, 2, 'a', 'b', 'c', /* request, open */
	0, 0, 0, 0, 0, 0, 1, 3, 3, 5,		     /* empty data, closing */
	0, 0, 0, 1, 0x80, 0, 0, 1, 9, 0, 'z',	     /* a type nobody knows */
};

static void check_three(const struct seen *s)
{
	assert_int_equal(s->count, 3);
	assert_int_equal(s->frames[0].stream, 1);
	assert_int_equal(s->frames[0].type, TTRPC_REQUEST);
	assert_int_equal(s->frames[0].flags, TTRPC_REMOTE_OPEN);
	assert_int_equal(s->frames[0].size, 3);
	assert_memory_equal(s->bytes[0], "abc", 3);
	assert_int_equal(s->frames[1].stream, 0x103);
	assert_int_equal(s->frames[1].size, 0);
	assert_non_null(s->frames[1].data);
	assert_int_equal(s->frames[1].flags, TTRPC_REMOTE_CLOSED | TTRPC_NO_DATA);
	assert_int_equal(s->frames[2].stream, 0x80000001);
	assert_memory_equal(s->bytes[2], "z", 1);
}

static void frames_come_whole_wherever_they_are_cut(void **state)
{
	for (size_t cut = 0; cut <= sizeof(three); cut++) {
		for (size_t cut2 = cut; cut2 <= sizeof(three); cut2++) {
			struct ttrpc_reader r = { 0 };
			struct seen s = { 0 };

			ttrpc_read(&r, three, cut, note, &s);
			ttrpc_read(&r, three + cut, cut2 - cut, note, &s);
			ttrpc_read(&r, three + cut2, sizeof(three) - cut2, note, &s);
			check_three(&s);
			ttrpc_reader_done(&r);
		}
	}
}

static void frames_come_whole_byte_by_byte(void **state)
{
	struct ttrpc_reader r = { 0 };
	struct seen s = { 0 };

	for (size_t i = 0; i < sizeof(three); i++) {
		AUTO_FREE unsigned char *byte = xmemdup(three + i, 1);

		ttrpc_read(&r, byte, 1, note, &s);
	}
	check_three(&s);
	ttrpc_reader_done(&r);
}

static void large_frames_are_put_together(void **state)
{
	size_t size = TTRPC_MAX;
	unsigned char *wire = xzalloc(TTRPC_HEADER + size);
	struct ttrpc_reader r = { 0 };
	struct seen s = { 0 };

	memcpy(wire, (unsigned char[]){ 0, 0x40, 0, 0, 0, 0, 0, 5, 3, 0 }, TTRPC_HEADER);
	for (size_t at = 0; at < TTRPC_HEADER + size; at += 50000) {
		size_t n = TTRPC_HEADER + size - at;

		ttrpc_read(&r, wire + at, n < 50000 ? n : 50000, note, &s);
	}
	assert_int_equal(s.count, 1);
	assert_int_equal(s.frames[0].size, TTRPC_MAX);
	assert_non_null(s.frames[0].data);
	ttrpc_reader_done(&r);
	free(wire);
}

static void too_long_frames_are_skipped_exactly(void **state)
{
	size_t size = TTRPC_MAX + 1;
	unsigned char *wire = xzalloc(TTRPC_HEADER + size + sizeof(three));
	struct ttrpc_reader r = { 0 };
	struct seen s = { 0 };

	memcpy(wire, (unsigned char[]){ 0, 0x40, 0, 1, 0, 0, 0, 7, 1, 0 }, TTRPC_HEADER);
	memcpy(wire + TTRPC_HEADER + size, three, sizeof(three));
	for (size_t at = 0, end = TTRPC_HEADER + size + sizeof(three); at < end; at += 4096)
		ttrpc_read(&r, wire + at, end - at < 4096 ? end - at : 4096, note, &s);
	assert_int_equal(s.count, 4);
	assert_int_equal(s.frames[0].stream, 7);
	assert_int_equal(s.frames[0].size, size);
	assert_null(s.frames[0].data);
	assert_null(r.body);
	assert_memory_equal(s.bytes[1], "abc", 3);
	ttrpc_reader_done(&r);
	free(wire);
}

static void an_announced_length_takes_no_memory_before_it_comes(void **state)
{
	struct ttrpc_reader r = { 0 };
	struct seen s = { 0 };

	ttrpc_read(&r, (unsigned char[]){ 0, 0x3f, 0xff, 0xff, 0, 0, 0, 1, 1, 0, 'x' }, 11,
			note, &s);
	assert_true(r.body_room <= 65536);
	ttrpc_reader_done(&r);
}

static void messages_are_framed_in_place(void **state)
{
	static const unsigned char want[] = { 0, 0, 0, 2, 0, 0, 0, 9, 3, 4, 'h', 'i' };
	struct rpc_msg *m = rpc_msg_new("hi", 2);

	ttrpc_frame_message(m, 9, TTRPC_DATA, TTRPC_NO_DATA);
	assert_int_equal(rpc_msg_wire_size(m), sizeof(want));
	assert_memory_equal(rpc_msg_wire(m), want, sizeof(want));
	rpc_msg_free(m);
}

static void an_empty_answer_is_an_empty_envelope(void **state)
{
	static const unsigned char want[] = { 0, 0, 0, 0, 0, 0, 0, 1, 2, 0 };
	struct rpc_msg *m = rpc_msg_new(NULL, 0);

	ttrpc_frame_response(m, 1);
	assert_int_equal(rpc_msg_wire_size(m), sizeof(want));
	assert_memory_equal(rpc_msg_wire(m), want, sizeof(want));
	rpc_msg_free(m);
}

static void answers_carry_their_length(void **state)
{
	struct rpc_msg *m = rpc_msg_new(NULL, 300);

	ttrpc_frame_response(m, 1);
	assert_int_equal(rpc_msg_wire_size(m), TTRPC_HEADER + 3 + 300);
	assert_memory_equal(rpc_msg_wire(m) + TTRPC_HEADER, "\x12\xac\x02", 3);
	rpc_msg_free(m);
}

static void failures_carry_code_and_message(void **state)
{
	static const unsigned char want[] = { 0, 0, 0, 16, 0, 0, 0, 3, 2, 0, 0x0a, 14, 0x08, 5,
		0x12, 10, 'n', 'o', ' ', 's', 'u', 'c', 'h', ' ', 'i', 'd' };
	struct err err = { 0 };
	struct rpc_msg *m;

	err_plain(&err, ERR_NOT_FOUND, "no such id");
	m = ttrpc_frame_status(3, &err);
	assert_int_equal(rpc_msg_wire_size(m), sizeof(want));
	assert_memory_equal(rpc_msg_wire(m), want, sizeof(want));
	rpc_msg_free(m);
	err_clear(&err);
}

static void failure_texts_are_valid_utf8(void **state)
{
	struct err err = { 0 };
	struct rpc_msg *m;

	err_plain(&err, ERR_UNKNOWN, "a\xff\xc3(\xe2\x82\xac");
	m = ttrpc_frame_status(3, &err);
	assert_non_null(memmem(rpc_msg_wire(m), rpc_msg_wire_size(m),
			"a\xef\xbf\xbd\xef\xbf\xbd(\xe2\x82\xac", 11));
	rpc_msg_free(m);
	err_clear(&err);
}

static void output_is_cut_as_the_socket_wants(void **state)
{
	struct ttrpc_out o;
	char got[64];
	size_t n = 0;

	ttrpc_out_init(&o);
	o.current = rpc_msg_new("hello", 5);
	ttrpc_frame_message(o.current, 1, TTRPC_DATA, 0);
	while (o.current != NULL)
		n += ttrpc_out_copy(&o, got + n, 4);
	assert_int_equal(n, 15);
	assert_memory_equal(got + 10, "hello", 5);
	ttrpc_out_done(&o);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(frames_come_whole_wherever_they_are_cut),
		TEST(frames_come_whole_byte_by_byte),
		TEST(large_frames_are_put_together),
		TEST(too_long_frames_are_skipped_exactly),
		TEST(an_announced_length_takes_no_memory_before_it_comes),
		TEST(messages_are_framed_in_place),
		TEST(an_empty_answer_is_an_empty_envelope),
		TEST(answers_carry_their_length),
		TEST(failures_carry_code_and_message),
		TEST(failure_texts_are_valid_utf8),
		TEST(output_is_cut_as_the_socket_wants),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
