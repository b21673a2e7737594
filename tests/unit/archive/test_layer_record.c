/* SPDX-License-Identifier: Apache-2.0 */
#include "unit/unit.h"

#include <string.h>

#include "archive/layer_record.h"
#include "base/auto.h"
#include "base/mem.h"

#define FRAME 8 /* bytes in front of a body */

struct records {
	struct buf out;
	struct layer_parser parser;
	struct layer_record r;
	struct err err;
};

#define RECORDS_INIT                                                                           \
	{                                                                                      \
		.out = {.limit = SIZE_MAX }                                                    \
	}

static void done(struct records *s)
{
	buf_done(&s->out);
	layer_parser_done(&s->parser);
	err_clear(&s->err);
}

static ssize_t parse(struct records *s, size_t size)
{
	/* A copy of exactly that size, so that reading over its end is seen. */
	AUTO_FREE char *copy = xmalloc(size);
	ssize_t n;

	if (size > 0)
		memcpy(copy, s->out.data, size);
	n = layer_record_parse(&s->parser, copy, size, &s->r, &s->err);

	err_clear(&s->err);
	return n;
}

static const struct tar_xattr attributes[] = { { "user.a", "1\0", 2 }, { "user.b", "", 0 } };

static struct tar_entry sample(void)
{
	return (struct tar_entry){ .type = TAR_FILE,
		.path = "a/b",
		.link = "",
		.mode = 04755,
		.uid = 1,
		.gid = 2,
		.size = 100,
		.data_size = 100,
		.mtime = { -5, 999999999 },
		.atime = { 7, 8 },
		.has_atime = true,
		.major = 3,
		.minor = 4,
		.xattrs = attributes,
		.xattr_count = 2 };
}

static void entries_arrive_as_they_were_sent(void **state)
{
	struct records s = RECORDS_INIT;
	struct tar_entry e = sample();

	layer_put_entry(&s.out, &e);
	for (size_t i = 0; i < s.out.size; i++)
		assert_int_equal(parse(&s, i), 0); /* not all there yet */
	assert_int_equal(layer_record_parse(&s.parser, s.out.data, s.out.size, &s.r, &s.err),
			s.out.size);
	assert_int_equal(s.r.type, LAYER_ENTRY);
	assert_int_equal(s.r.entry.type, TAR_FILE);
	assert_string_equal(s.r.entry.path, "a/b");
	assert_string_equal(s.r.entry.link, "");
	assert_int_equal(s.r.entry.mode, 04755);
	assert_int_equal(s.r.entry.uid, 1);
	assert_int_equal(s.r.entry.gid, 2);
	assert_int_equal(s.r.entry.size, 100);
	assert_int_equal(s.r.entry.mtime.tv_sec, -5);
	assert_int_equal(s.r.entry.mtime.tv_nsec, 999999999);
	assert_true(s.r.entry.has_atime);
	assert_int_equal(s.r.entry.major, 3);
	assert_int_equal(s.r.entry.xattr_count, 2);
	assert_string_equal(s.r.entry.xattrs[0].name, "user.a");
	assert_int_equal(s.r.entry.xattrs[0].size, 2);
	assert_int_equal(s.r.entry.xattrs[1].size, 0);
	done(&s);
}

static void ranges_and_failures_arrive_as_they_were_sent(void **state)
{
	struct records s = RECORDS_INIT;
	AUTO_ERR struct err err = { 0 };

	layer_put_extent(&s.out, 1, 2, 3);
	assert_true(layer_record_parse(&s.parser, s.out.data, s.out.size, &s.r, &s.err) > 0);
	assert_int_equal(s.r.type, LAYER_EXTENT);
	assert_int_equal(s.r.at, 1);
	assert_int_equal(s.r.offset, 2);
	assert_int_equal(s.r.size, 3);
	buf_clear(&s.out);
	(void)err_set(&err, ERR_EXHAUSTED, "too much");
	layer_put_failure(&s.out, &err);
	assert_true(layer_record_parse(&s.parser, s.out.data, s.out.size, &s.r, &s.err) > 0);
	assert_int_equal(s.r.type, LAYER_FAILED);
	assert_int_equal(s.r.fail_kind, ERR_EXHAUSTED);
	assert_string_equal(s.r.failure, "too much: resource exhausted");
	done(&s);
}

/* Where fields stand in the body of an entry. */
enum {
	AT_MODE = FRAME + 4,
	AT_UID = FRAME + 8,
	AT_HAS_ATIME = FRAME + 24,
	AT_MTIME_NS = FRAME + 48,
	AT_SIZE = FRAME + 56,
	AT_PATH_SIZE = FRAME + 72,
	AT_LINK_SIZE = FRAME + 76,
	AT_XATTR_COUNT = FRAME + 80,
	AT_PATH = FRAME + 88,
};

static void a_changed_field_is_refused(void **state)
{
	static const struct {
		size_t at;
		uint32_t value;
	} changes[] = {
		{ 0, 0 },			/* magic and type */
		{ 4, UINT32_MAX },		/* size of the frame */
		{ 4, LAYER_MAX_BODY + 1 },	/* the same */
		{ AT_MODE, 010000 },		/* a mode with a file type in it */
		{ AT_UID, UINT32_MAX },		/* "do not change" */
		{ AT_HAS_ATIME, 2 },		/* no boolean */
		{ AT_MTIME_NS, 1000000000 },	/* no fraction */
		{ AT_SIZE, 99 },		/* less than its data */
		{ AT_SIZE, 101 },		/* more, and not sparse */
		{ AT_SIZE + 4, 0x80000000 },	/* negative */
		{ AT_PATH_SIZE, 2 },		/* not at its 0 */
		{ AT_PATH_SIZE, 4 },		/* over its 0 */
		{ AT_PATH_SIZE, UINT32_MAX },	/* out of the frame */
		{ AT_LINK_SIZE, TAR_MAX_PATH }, /* the same */
		{ AT_XATTR_COUNT, 1 },		/* bytes left over */
		{ AT_XATTR_COUNT, 3 },		/* bytes missing */
		{ AT_XATTR_COUNT, 100000 },	/* too many */
		{ AT_PATH, 0 },			/* a 0 in the name */
		{ AT_PATH + 5, 9999 },		/* an attribute's name */
		{ AT_PATH + 9, UINT32_MAX },	/* its value */
	};

	for (size_t i = 0; i < ARRAY_LEN(changes); i++) {
		struct records s = RECORDS_INIT;
		struct tar_entry e = sample();

		layer_put_entry(&s.out, &e);
		assert_true(changes[i].at + 4 <= s.out.size);
		memcpy(s.out.data + changes[i].at, &changes[i].value, 4);
		if (parse(&s, s.out.size) >= 0)
			fail_msg("change %zu was not seen", i);
		done(&s);
	}
}

static void ranges_that_overflow_are_refused(void **state)
{
	struct records s = RECORDS_INIT;

	layer_put_extent(&s.out, 0, INT64_MAX, 1);
	assert_int_equal(parse(&s, s.out.size), -1);
	buf_clear(&s.out);
	layer_put_extent(&s.out, UINT64_MAX, 0, 1);
	assert_int_equal(parse(&s, s.out.size), -1);
	done(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(entries_arrive_as_they_were_sent),
		TEST(ranges_and_failures_arrive_as_they_were_sent),
		TEST(a_changed_field_is_refused),
		TEST(ranges_that_overflow_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
