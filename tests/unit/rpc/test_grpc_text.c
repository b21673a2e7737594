/* SPDX-License-Identifier: Apache-2.0 */
#include "rpc/grpc/grpc_text_priv.h"

#include "unit/unit.h"

#include <stdlib.h>
#include <string.h>

#include "api/arena.h"
#include "api/pb.h"
#include "api/typeurl.h"
#include "base/auto.h"
#include "base/base64.h"
#include "base/clock.h"
#include "base/err_details.h"
#include "base/mem.h"
#include "rpc/grpc/grpc_reader_priv.h"
#include "rpc/rpc_status_priv.h"

static void expect_encoded(const char *text, const char *want)
{
	AUTO_FREE char *got = grpc_message_encode(text, 1000);

	assert_string_equal(got, want);
}

static void messages_are_percent_encoded(void **state)
{
	expect_encoded("", "");
	expect_encoded("plain ~text!", "plain ~text!");
	expect_encoded("100%", "100%25");
	expect_encoded("a\nb\x7f", "a%0Ab%7F");
	expect_encoded("\xc3\xa4", "%C3%A4");
	expect_encoded("\xe2\x82\xac", "%E2%82%AC");
	expect_encoded("x\xff", "x%EF%BF%BD");
}

static void long_messages_are_cut_between_characters(void **state)
{
	AUTO_FREE char *got = grpc_message_encode("\xc3\xa4\xc3\xa4\xc3\xa4", 15);

	assert_string_equal(got, "%C3%A4%C3%A4");
}

static void expect_decoded(const char *text, const char *want)
{
	AUTO_FREE char *got = grpc_message_decode(text, strlen(text));

	assert_string_equal(got, want);
}

static void decoding_is_lenient(void **state)
{
	expect_decoded("a%20b%25", "a b%");
	expect_decoded("%c3%A4", "\xc3\xa4");
	expect_decoded("%", "%");
	expect_decoded("%4", "%4");
	expect_decoded("%zz%41", "%zzA");
}

static void expect_timeout(int64_t ns, const char *want)
{
	char got[GRPC_TIMEOUT_SIZE];

	grpc_timeout_format(ns, got);
	assert_string_equal(got, want);
}

static void timeouts_take_the_finest_unit_that_fits(void **state)
{
	expect_timeout(-5, "0n");
	expect_timeout(0, "0n");
	expect_timeout(99999999, "99999999n");
	expect_timeout(100000001, "100001u");
	expect_timeout(10 * NS_PER_S, "10000000u");
	expect_timeout(100 * NS_PER_S, "100000m");
	expect_timeout(INT64_MAX, "2562048H");
}

static void expect_parsed(const char *text, int64_t want)
{
	int64_t ns = -1;

	assert_true(grpc_timeout_parse(text, &ns));
	assert_true(ns == want);
}

static void timeouts_are_read_in_all_units(void **state)
{
	static const char *const bad[] = { "", "1", "u", "123456789u", "1x", "1uu", "-1u",
		" 1u", "1.5S" };
	int64_t ns;

	expect_parsed("699958u", 699958000);
	expect_parsed("0n", 0);
	expect_parsed("5S", 5 * NS_PER_S);
	expect_parsed("2M", 120 * NS_PER_S);
	expect_parsed("99999999H", INT64_MAX);
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		assert_false(grpc_timeout_parse(bad[i], &ns));
}

static const unsigned char two[] = { 0, 0, 0, 0, 3, 'a', 'b', 'c', 0, 0, 0, 0, 0 };

/* Feeds a piece; the sizes of the messages that came out go to "sizes". */
static void feed(struct grpc_reader *r, const unsigned char *data, size_t size, size_t *sizes,
		size_t *count)
{
	struct err err = { 0 };

	while (size > 0) {
		struct rpc_msg *m = NULL;
		int rc = grpc_read(r, &data, &size, &m, &err);

		assert_true(rc >= 0);
		if (rc == 0)
			continue;
		sizes[(*count)++] = m->size;
		if (m->size > 0)
			assert_memory_equal(rpc_msg_payload(m), "abc", 3);
		rpc_msg_free(m);
	}
}

/* One message of zeros, in pieces. The caller's. */
static struct rpc_msg *feed_large(struct grpc_reader *r, size_t size)
{
	static const unsigned char zeros[16384];
	unsigned char prefix[GRPC_PREFIX] = { 0, 0, (unsigned char)(size >> 16),
		(unsigned char)(size >> 8), (unsigned char)size };
	const unsigned char *data = prefix;
	size_t left = sizeof(prefix);
	struct rpc_msg *m = NULL;
	struct err err = { 0 };

	assert_int_equal(grpc_read(r, &data, &left, &m, &err), 0);
	for (size_t done = 0; m == NULL; done += sizeof(zeros)) {
		assert_true(done < size);
		data = zeros;
		left = size - done < sizeof(zeros) ? size - done : sizeof(zeros);
		assert_true(grpc_read(r, &data, &left, &m, &err) >= 0);
	}
	assert_int_equal(m->size, size);
	return m;
}

static void a_large_message_uses_the_memory_that_is_there(void **state)
{
	struct grpc_reader r = { .limit = 1 << 22 };
	struct rpc_msg *first = feed_large(&r, 400000), *second, *third;

	assert_true(r.is_large);
	r.spare = first;
	second = feed_large(&r, 300000);
	assert_ptr_equal(second, first);
	assert_null(r.spare);
	r.spare = second;
	third = feed_large(&r, 500000); /* more than there is room for */
	assert_ptr_not_equal(third, second);
	assert_ptr_equal(r.spare, second);
	rpc_msg_free(third);
	rpc_msg_free(feed_large(&r, 100));
	assert_false(r.is_large);
	grpc_reader_done(&r); /* with the spare */
}

static void messages_come_whole_wherever_they_are_cut(void **state)
{
	for (size_t cut = 0; cut <= sizeof(two); cut++) {
		struct grpc_reader r = { .limit = 3 };
		size_t sizes[4], count = 0;

		feed(&r, two, cut, sizes, &count);
		feed(&r, two + cut, sizeof(two) - cut, sizes, &count);
		assert_int_equal(count, 2);
		assert_int_equal(sizes[0], 3);
		assert_int_equal(sizes[1], 0);
		assert_false(grpc_reader_is_inside(&r));
		grpc_reader_done(&r);
	}
}

static int read_one(const unsigned char *data, size_t size, struct err *err)
{
	struct grpc_reader r = { .limit = 100 };
	struct rpc_msg *m = NULL;
	int rc = grpc_read(&r, &data, &size, &m, err);

	rpc_msg_free(m);
	grpc_reader_done(&r);
	return rc;
}

static void unacceptable_messages_are_refused_by_their_prefix(void **state)
{
	struct err err = { 0 };

	assert_int_equal(read_one((const unsigned char[]){ 0, 0, 0, 0, 101 }, 5, &err), -1);
	assert_int_equal(err.kind, ERR_EXHAUSTED);
	assert_string_equal(
			err_text(&err), "grpc: received message larger than max (101 vs. 100)");
	err_clear(&err);
	assert_fails(read_one((const unsigned char[]){ 0, 255, 255, 255, 255 }, 5, &err), &err,
			ERR_EXHAUSTED);
	assert_fails(read_one((const unsigned char[]){ 1, 0, 0, 0, 1 }, 5, &err), &err,
			ERR_INTERNAL);
	assert_fails(read_one((const unsigned char[]){ 2, 0, 0, 0, 1 }, 5, &err), &err,
			ERR_INTERNAL);
}

/* grpc-go 1.33 wrote this, of status.New(NotFound, …).WithDetails() and one more detail. */
static const char go_details[] =
		"CAUSK3RoaW5nIGE6IG5vdCBmb3VuZApwYXJ0IGE6IGludmFsaWQgYXJndW1lbnQaPQoldHlwZS5n"
		"b29nbGVhcGlzLmNvbS9nb29nbGUucnBjLlN0YXR1cxIUCAMSEGludmFsaWQgYXJndW1lbnQaEAoJ"
		"dC52MS5Ob3RlEgMBAP8";

static void details_are_the_bytes_that_go_sends(void **state)
{
	AUTO_ERR struct err err = { 0 }, other = { 0 };
	AUTO_FREE char *text = NULL;

	err_set(&err, ERR_NOT_FOUND, "thing a");
	err_set(&other, ERR_INVALID, "part a");
	err_join(&err, &other);
	err_add_detail(&err, "t.v1.Note", "\1\0\377", 3);
	text = grpc_details_encode(&err, 1000);
	assert_string_equal(text, go_details);
}

static void details_that_go_sends_are_read(void **state)
{
	AUTO_ERR struct err err = { 0 };

	grpc_status_read(5, "shorter", go_details, &err);
	assert_int_equal(err.kind, ERR_NOT_FOUND);
	assert_string_equal(err_text(&err),
			"thing a: not found\npart a: invalid argument\ninvalid argument");
	assert_int_equal(err_detail_count(&err), 2);
	assert_int_equal(err_detail_at(&err, 0)->kind, ERR_INVALID);
	assert_string_equal(err_detail_at(&err, 1)->type_url, "t.v1.Note");
	assert_memory_equal(err_detail_at(&err, 1)->data, "\1\0\377", 3);
}

static void check_status(int code, const char *details, enum err_kind kind, const char *text)
{
	AUTO_ERR struct err err = { 0 };

	grpc_status_read(code, "msg", details, &err);
	assert_int_equal(err.kind, kind);
	assert_string_equal(err_text(&err), text);
	assert_int_equal(err_detail_count(&err), 0);
}

static void details_that_do_not_fit_are_told(void **state)
{
	check_status(6, NULL, ERR_EXISTS, "msg");
	check_status(6, "/////w", ERR_EXISTS, "msg"); /* no Status */
	check_status(6, "CAUSAW", ERR_EXISTS, "msg"); /* cut off */
	check_status(6, "CAU*", ERR_INTERNAL,
			"transport: malformed grpc-status-details-bin: illegal base64 data at "
			"input byte 3");
	check_status(6, "CAUSAWE", ERR_INTERNAL,
			"grpc-status-details-bin mismatch: grpc-status=6, "
			"grpc-message=\"msg\", "
			"grpc-status-details-bin=5");
	check_status(5, "CAUSAWE", ERR_NOT_FOUND, "a");
	check_status(5, "CAUSAWE=", ERR_NOT_FOUND, "a");
	check_status(0, NULL, ERR_NONE, "");
}

/* A Status in a Status in … */
static char *nested(unsigned depth)
{
	AUTO_ERR struct err err = { 0 };
	AUTO_ARENA struct arena arena;
	Rpc__Status *status;

	arena_init(&arena, 0);
	err_plain(&err, ERR_UNKNOWN, "0");
	status = rpc_status_out(&err, 100, &arena);
	for (unsigned i = 1; i <= depth; i++) {
		Rpc__Status *outer = ARENA_NEW(&arena, Rpc__Status, rpc__status);

		outer->code = 2;
		outer->message = arena_printf(&arena, "%u", i);
		outer->n_details = 1;
		outer->details = arena_alloc(&arena, sizeof(Google__Protobuf__Any *));
		outer->details[0] = any_pack(&arena, &status->base);
		status = outer;
	}
	size_t size;
	const void *bytes = pb_encode_arena(&status->base, &arena, &size);

	return base64_encode(bytes, size, BASE64_BARE);
}

static void details_in_details_are_read_to_a_limit(void **state)
{
	AUTO_ERR struct err err = { 0 };
	AUTO_FREE char *text = nested(3), *deep = nested(500);

	grpc_status_read(2, "", text, &err);
	assert_string_equal(err_text(&err), "3\n2\n1\n0");
	assert_int_equal(err_detail_count(&err), 3);
	err_clear(&err);
	grpc_status_read(2, "", deep, &err);
	assert_string_equal(err_text(&err), "500\n499\n498\n497");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(messages_are_percent_encoded),
		TEST(long_messages_are_cut_between_characters),
		TEST(decoding_is_lenient),
		TEST(timeouts_take_the_finest_unit_that_fits),
		TEST(timeouts_are_read_in_all_units),
		TEST(messages_come_whole_wherever_they_are_cut),
		TEST(a_large_message_uses_the_memory_that_is_there),
		TEST(unacceptable_messages_are_refused_by_their_prefix),
		TEST(details_are_the_bytes_that_go_sends),
		TEST(details_that_go_sends_are_read),
		TEST(details_that_do_not_fit_are_told),
		TEST(details_in_details_are_read_to_a_limit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
