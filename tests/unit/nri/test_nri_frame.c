/* SPDX-License-Identifier: Apache-2.0 */
#include "unit/unit.h"

#include "base/buf.h"
#include "nri/nri_frame.h"

static void note(void *arg, uint32_t conn, const void *data, size_t size)
{
	struct buf *heard = arg;

	buf_addf(heard, "%u:%.*s ", conn, (int)size, (const char *)data);
}

static bool hear(const char *bytes, size_t size, size_t piece, struct buf *heard)
{
	struct nri_reader r = { 0 };

	for (size_t at = 0; at < size; at += piece)
		if (!nri_read(&r, bytes + at, size - at < piece ? size - at : piece, note,
				    heard))
			return false;
	return true;
}

static void bytes_go_to_the_connection_that_the_header_names(void **state)
{
	static const char bytes[] = "\0\0\0\1\0\0\0\3abc\0\0\0\2\0\0\0\2de\0\0\1\0\0\0\0\1f";
	AUTO_BUF struct buf heard = { .limit = 1000 };

	assert_true(hear(bytes, sizeof(bytes) - 1, sizeof(bytes), &heard));
	assert_string_equal(heard.data, "1:abc 2:de 256:f ");
}

static void it_does_not_matter_how_bytes_come(void **state)
{
	static const char bytes[] = "\0\0\0\1\0\0\0\3abc\0\0\0\2\0\0\0\2de";
	AUTO_BUF struct buf heard = { .limit = 1000 };

	assert_true(hear(bytes, sizeof(bytes) - 1, 1, &heard));
	assert_string_equal(heard.data, "1:a 1:b 1:c 2:d 2:e ");
}

static void an_empty_piece_is_none(void **state)
{
	static const char bytes[] = "\0\0\0\1\0\0\0\0\0\0\0\2\0\0\0\1x";
	AUTO_BUF struct buf heard = { .limit = 1000 };

	assert_true(hear(bytes, sizeof(bytes) - 1, sizeof(bytes), &heard));
	assert_string_equal(heard.data, "2:x ");
}

static void a_piece_is_no_longer_than_a_message(void **state)
{
	static const char most[] = "\0\0\0\1\0\x40\0\x0a", more[] = "\0\0\0\1\0\x40\0\x0b";
	AUTO_BUF struct buf heard = { .limit = 1000 };

	assert_true(hear(most, 8, 8, &heard));
	assert_false(hear(more, 8, 8, &heard));
	assert_false(hear("\0\0\0\1\xff\xff\xff\xff", 8, 1, &heard));
}

static void a_header_reads_as_it_was_written(void **state)
{
	unsigned char header[NRI_FRAME_HEADER];
	AUTO_BUF struct buf heard = { .limit = 1000 };

	nri_frame_header(header, 0x01020304, 1);
	assert_memory_equal(header, "\1\2\3\4\0\0\0\1", 8);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(bytes_go_to_the_connection_that_the_header_names),
		TEST(it_does_not_matter_how_bytes_come),
		TEST(an_empty_piece_is_none),
		TEST(a_piece_is_no_longer_than_a_message),
		TEST(a_header_reads_as_it_was_written),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
