/* SPDX-License-Identifier: Apache-2.0 */
/* The head of a request: what is understood and how the rest is refused. */
#include "unit/unit.h"

#include <string.h>

#include "base/auto.h"
#include "base/mem.h"
#include "metrics/http_request.h"

static int parse(const char *text, struct http_request *r)
{
	return http_request_parse(text, strlen(text), r);
}

static void path_comes_without_query(void **state)
{
	struct http_request r;

	assert_int_equal(parse("GET /v1/metrics?x=1 HTTP/1.1\r\nHost: a\r\n\r\n", &r), 200);
	assert_string_equal(r.path, "/v1/metrics");
	assert_false(r.is_head);
	assert_int_equal(parse("HEAD / HTTP/1.0\r\n\r\n", &r), 200);
	assert_true(r.is_head);
}

static void half_a_head_needs_more(void **state)
{
	static const char text[] = "GET /a HTTP/1.1\r\nHost: a\r\n\r\n";
	struct http_request r;

	for (size_t i = 0; i < sizeof(text) - 1; i++)
		assert_int_equal(http_request_parse(text, i, &r), 0);
	assert_int_equal(http_request_parse(text, sizeof(text) - 1, &r), 200);
}

static void the_rest_is_refused(void **state)
{
	struct http_request r;

	assert_int_equal(parse("POST / HTTP/1.1\r\n\r\n", &r), 405);
	assert_int_equal(parse("GET / HTTP/2.0\r\n\r\n", &r), 505);
	assert_int_equal(parse("GET / \r\n\r\n", &r), 505);
	assert_int_equal(parse("GET /\r\n\r\n", &r), 400);
	assert_int_equal(parse("GET\r\n\r\n", &r), 400);
	assert_int_equal(parse("\r\n\r\n", &r), 400);
	assert_int_equal(parse("GET http://x/ HTTP/1.1\r\n\r\n", &r), 400);
	assert_int_equal(parse("GET /\x01 HTTP/1.1\r\n\r\n", &r), 400);
	assert_int_equal(http_request_parse("GET /\0a HTTP/1.1\r\n\r\n", 20, &r), 400);
}

static void lengths_are_bounded(void **state)
{
	AUTO_FREE char *text = xzalloc(3 * HTTP_MAX_HEAD);
	struct http_request r;

	memset(text, 'a', HTTP_MAX_HEAD);
	assert_int_equal(parse(text, &r), 431);
	memcpy(text, "GET /", 5);
	strcpy(text + 5 + HTTP_MAX_PATH, " HTTP/1.1\r\n\r\n");
	assert_int_equal(parse(text, &r), 414);
	strcpy(text + 4 + HTTP_MAX_PATH, " HTTP/1.1\r\n\r\n");
	assert_int_equal(parse(text, &r), 200);
	assert_int_equal(strlen(r.path), HTTP_MAX_PATH);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(path_comes_without_query),
		TEST(half_a_head_needs_more),
		TEST(the_rest_is_refused),
		TEST(lengths_are_bounded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
