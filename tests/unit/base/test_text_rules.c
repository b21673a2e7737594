/* SPDX-License-Identifier: Apache-2.0 */
/* Identifiers, namespaces, digests, time and log lines: forms that clients compare. */
#include "unit/unit.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/ctx.h"
#include "base/digest.h"
#include "base/ident.h"
#include "base/io.h"
#include "base/log.h"

/* Reference 01 §2.4 */
static void identifiers_follow_containerds_rule(void **state)
{
	static const char *const good[] = { "a", "A9", "a.b-c_d", "default", "k8s.io", "0" };
	static const char *const bad[] = { "", ".a", "a.", "a..b", "a_-b", "a/b", "a:b", "a b",
		"\xc3\xbc", "-" };
	AUTO_ERR struct err err = { 0 };

	for (size_t i = 0; i < ARRAY_LEN(good); i++)
		assert_ok(ident_check(good[i], &err), &err);
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		assert_fails(ident_check(bad[i], &err), &err, ERR_INVALID);
}

static void identifiers_end_at_76_characters(void **state)
{
	AUTO_ERR struct err err = { 0 };
	char id[78];

	memset(id, 'a', sizeof(id));
	id[76] = '\0';
	assert_ok(ident_check(id, &err), &err);
	id[76] = 'a';
	id[77] = '\0';
	assert_int_equal(ident_check(id, &err), -1);
	assert_non_null(strstr(err_text(&err),
			"greater than maximum length (76 characters): invalid argument"));
}

/* Reference 01 §2.2 */
static void a_missing_namespace_is_a_failed_precondition(void **state)
{
	AUTO_ERR struct err err = { 0 };
	struct ctx none = { 0 }, bad = { .ns = "a//b" }, good = { .ns = "moby" };

	assert_null(ctx_namespace(&none, &err));
	assert_string_equal(err_text(&err), "namespace is required: failed precondition");
	err_clear(&err);
	assert_null(ctx_namespace(&bad, &err));
	assert_int_equal(err.kind, ERR_INVALID);
	assert_memory_equal(err_text(&err), "namespace validation: ", 22);
	err_clear(&err);
	assert_string_equal(ctx_namespace(&good, &err), "moby");
}

static void a_passed_deadline_stops_work(void **state)
{
	AUTO_ERR struct err err = { 0 };
	struct ctx ctx = { .deadline_ns = 1 };

	assert_true(ctx_done(&ctx, &err));
	assert_string_equal(err_text(&err), "context deadline exceeded");
	assert_int_equal(ctx_left_ns(&ctx), 0);
}

/* Reference 01 §2.6 */
static void digests_are_checked_by_algorithm(void **state)
{
	AUTO_ERR struct err err = { 0 };
	char text[DIGEST_TEXT_SIZE];
	enum digest_alg alg;

	digest_bytes(DIGEST_SHA256, "", 0, text);
	assert_string_equal(text, "sha256:"
				  "e3b0c44298fc1c149afbf4c8996fb924"
				  "27ae41e4649b934ca495991b7852b855");
	assert_ok(digest_check(text, &alg, &err), &err);
	assert_int_equal(alg, DIGEST_SHA256);
	text[10] = 'E';
	assert_fails(digest_check(text, NULL, &err), &err, ERR_INVALID);
	assert_fails(digest_check("sha256:abc", NULL, &err), &err, ERR_INVALID);
	assert_fails(digest_check(":abc", NULL, &err), &err, ERR_INVALID);
	assert_fails(digest_check("sha256:", NULL, &err), &err, ERR_INVALID);
	assert_int_equal(digest_check("md5:abc", NULL, &err), -1);
	assert_non_null(strstr(err_text(&err), "unsupported digest algorithm"));
	err_clear(&err);
	assert_int_equal(digest_check("md5:a/b", NULL, &err), -1);
	assert_non_null(strstr(err_text(&err), "invalid checksum digest format"));
}

static void all_three_algorithms_digest(void **state)
{
	char text[DIGEST_TEXT_SIZE];

	digest_bytes(DIGEST_SHA384, "abc", 3, text);
	assert_memory_equal(text, "sha384:cb00753f45a35e8bb5a03d699ac65007", 39);
	digest_bytes(DIGEST_SHA512, "abc", 3, text);
	assert_memory_equal(text, "sha512:ddaf35a193617abacc417349ae204131", 39);
	assert_int_equal(strlen(text), 7 + 128);
}

static void a_running_digest_can_be_read_and_continued(void **state)
{
	AUTO(digester_free) struct digester *d = digester_new(DIGEST_SHA256);
	char part[DIGEST_TEXT_SIZE], whole[DIGEST_TEXT_SIZE], want[DIGEST_TEXT_SIZE];

	digester_add(d, "ab", 2);
	digester_text(d, part);
	digester_add(d, "c", 1);
	digester_text(d, whole);
	digest_bytes(DIGEST_SHA256, "abc", 3, want);
	assert_string_equal(whole, want);
	assert_string_not_equal(part, want);
}

static void times_have_nine_digits(void **state)
{
	char text[CLOCK_TEXT_SIZE];

	clock_format(1767323045 * NS_PER_S + 6, text);
	assert_string_equal(text, "2026-01-02T03:04:05.000000006Z");
	clock_format_short(1767323045 * NS_PER_S + 120000000, text);
	assert_string_equal(text, "2026-01-02T03:04:05.12Z");
	clock_format_short(1767323045 * NS_PER_S, text);
	assert_string_equal(text, "2026-01-02T03:04:05Z");
	clock_format(-1, text);
	assert_string_equal(text, "1969-12-31T23:59:59.999999999Z");
}

static void read_log_line(int fd, char *line, size_t size)
{
	ssize_t n = read(fd, line, size - 1);

	assert_true(n > 0);
	line[n] = '\0';
}

/* Reference 03 §4.7 */
static void log_lines_look_like_containerds(void **state)
{
	static const char *const pairs[] = { "id", "x y", "error", "a", NULL };
	struct ctx ctx = { .ns = "moby" };
	char line[512];
	int p[2];

	assert_int_equal(pipe2(p, O_CLOEXEC), 0);
	log_setup(p[1], LOG_INFO, false);
	log_fields(&ctx, LOG_WARN, pairs, "hello \"%s\"", "w");
	read_log_line(p[0], line, sizeof(line));
	assert_memory_equal(line, "time=\"20", 8);
	assert_string_equal(line + strlen("time=\"2026-01-02T03:04:05.000000006Z\" "),
			"level=warning msg=\"hello \\\"w\\\"\" error=a id=\"x y\" "
			"namespace=moby\n");
	log_debug(NULL, "not shown");
	log_setup(p[1], LOG_DEBUG, true);
	log_fields(NULL, LOG_INFO, pairs, "m\n");
	read_log_line(p[0], line, sizeof(line));
	assert_memory_equal(line,
			"{\"error\":\"a\",\"id\":\"x "
			"y\",\"level\":\"info\",\"msg\":\"m\\n\",\"time\":\"20",
			61);
	log_setup(2, LOG_INFO, false);
	(void)close(p[0]);
	(void)close(p[1]);
}

static void level_names_are_the_originals(void **state)
{
	enum log_level level;

	assert_true(log_level_parse("warn", &level) && level == LOG_WARN);
	assert_true(log_level_parse("WARNING", &level) && level == LOG_WARN);
	assert_true(log_level_parse("trace", &level) && level == LOG_TRACE);
	assert_false(log_level_parse("loud", &level));
}

static void replacing_a_file_is_all_or_nothing(void **state)
{
	char dir[] = "/tmp/ctrd-test-XXXXXX";
	AUTO_CLOSE int fd = -1;
	AUTO_BUF struct buf b = { .limit = 10 }, small = { .limit = 2 };

	assert_non_null(mkdtemp(dir));
	fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_int_equal(io_replace_file(fd, "f", "one", 3, 0600), 0);
	assert_int_equal(io_replace_file(fd, "f", "two", 3, 0600), 0);
	assert_int_equal(io_read_file(fd, "f", &b), 0);
	assert_string_equal(b.data, "two");
	assert_true(io_read_file(fd, "f", &small) < 0);
	assert_int_equal(unlinkat(fd, "f", 0), 0);
	assert_int_equal(rmdir(dir), 0); /* no temporary file is left */
}

static void times_are_read_with_any_fraction_and_offset(void **state)
{
	char text[CLOCK_TEXT_SIZE];
	int64_t ns;

	assert_true(clock_parse("1970-01-01T00:00:00Z", &ns));
	assert_true(ns == 0);
	assert_true(clock_parse("2024-05-06T07:08:09.123456789+02:00", &ns));
	assert_true(ns == INT64_C(1714972089123456789));
	assert_true(clock_parse("1969-12-31T18:59:59.5-05:00", &ns));
	assert_true(ns == -500 * NS_PER_MS);
	assert_true(clock_parse("2000-02-29T23:59:60.1234567891234Z", &ns));
	clock_format(ns, text);
	assert_string_equal(text, "2000-03-01T00:00:00.123456789Z");
	assert_true(clock_parse("0001-01-01T00:00:00Z", &ns));
	assert_true(ns == CLOCK_UNSET);
	for (int year = 1700; year < 2250; year++) {
		char back[CLOCK_TEXT_SIZE];

		(void)snprintf(text, sizeof(text), "%04d-03-01T12:30:45.000000001Z", year);
		assert_true(clock_parse(text, &ns));
		clock_format(ns, back);
		assert_string_equal(back, text);
	}
}

static void other_times_are_refused(void **state)
{
	static const char *const bad[] = { "", "2024", "2024-05-06", "2024-05-06 07:08:09Z",
		"2024-05-06T07:08:09", "2024-13-06T07:08:09Z", "2024-05-32T07:08:09Z",
		"2024-05-06T24:08:09Z", "2024-05-06T07:08:09.Z", "2024-05-06T07:08:09Zx",
		"2024-05-06T07:08:09+2:00", "2024-05-06T07:08:09+24:00", "9999-05-06T07:08:09Z",
		"-024-05-06T07:08:09Z" };
	int64_t ns;

	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		assert_false(clock_parse(bad[i], &ns));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(identifiers_follow_containerds_rule),
		TEST(identifiers_end_at_76_characters),
		TEST(a_missing_namespace_is_a_failed_precondition),
		TEST(a_passed_deadline_stops_work),
		TEST(digests_are_checked_by_algorithm),
		TEST(all_three_algorithms_digest),
		TEST(a_running_digest_can_be_read_and_continued),
		TEST(times_have_nine_digits),
		TEST(log_lines_look_like_containerds),
		TEST(level_names_are_the_originals),
		TEST(replacing_a_file_is_all_or_nothing),
		TEST(times_are_read_with_any_fraction_and_offset),
		TEST(other_times_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
