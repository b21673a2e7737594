/* SPDX-License-Identifier: Apache-2.0 */
#include "text/json.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/str.h"
#include "text/json_out.h"
#include "text/json_span.h"

static struct json *parse(const char *text)
{
	AUTO_ERR struct err err = { 0 };
	struct json *j = NULL;

	assert_int_equal(json_parse(text, strlen(text), &j, &err), 0);
	return j;
}

static void lookups_of_what_is_not_there_give_nothing(void **state)
{
	AUTO(json_free) struct json *j = parse("{\"a\":[1,\"x\",null],\"b\":{\"c\":true}}");
	int64_t n = 0;

	assert_null(json_get(json_get(j, "none"), "deeper"));
	assert_null(json_text(json_get(j, "a")));
	assert_null(json_item(json_get(j, "a"), 3));
	assert_false(json_i64(json_item(json_get(j, "a"), 1), &n));
	assert_true(json_i64(json_item(json_get(j, "a"), 0), &n));
	assert_int_equal(n, 1);
	assert_true(json_bool(json_get(json_get(j, "b"), "c")));
	assert_int_equal(json_count(json_get(j, "a")), 3);
	assert_int_equal(json_count(NULL), 0);
	assert_true(json_is(json_item(json_get(j, "a"), 2), JSON_KIND_NULL));
}

static void members_come_in_the_order_of_the_document(void **state)
{
	AUTO(json_free) struct json *j = parse("{\"z\":1,\"a\":2,\"m\":3,\"z\":4}");
	struct json_member m = { 0 };
	char seen[8] = "";
	int64_t n = 0;

	while (json_next(j, &m))
		strncat(seen, m.key, 1);
	assert_string_equal(seen, "zam");
	assert_true(json_i64(json_get(j, "z"), &n));
	assert_int_equal(n, 4);
}

static void hostile_documents_are_refused_with_a_reason(void **state)
{
	static const struct {
		const char *text;
		enum err_kind kind;
	} rows[] = {
		{ "", ERR_INVALID },
		{ "{", ERR_INVALID },
		{ "[1,]", ERR_INVALID },
		{ "{\"a\":\"\\u0000\"}", ERR_INVALID },
		{ "\"\xff\"", ERR_INVALID },
		{ "1 2", ERR_INVALID },
		{ "18446744073709551615", ERR_INVALID },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		AUTO_ERR struct err err = { 0 };
		struct json *j = NULL;

		assert_int_equal(json_parse(rows[i].text, strlen(rows[i].text), &j, &err), -1);
		assert_int_equal(err.kind, rows[i].kind);
		assert_non_null(strstr(err_text(&err), "JSON line"));
	}
}

static void fill(char *text, const char *unit, size_t times)
{
	for (size_t i = 0; i < times; i++)
		memcpy(text + i * strlen(unit), unit, strlen(unit));
}

static void size_depth_and_count_are_bounded(void **state)
{
	static const struct {
		const char *unit;
		size_t times;
	} rows[] = { { "[", JSON_MAX_DEPTH + 1 }, { " ", JSON_MAX_BYTES + 1 },
		{ "[],", JSON_MAX_VALUES + 1 } };

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		AUTO_ERR struct err err = { 0 };
		size_t size = rows[i].times * strlen(rows[i].unit) + 1;
		AUTO_FREE char *text = xzalloc(size + 1);
		struct json *j = NULL;

		text[0] = '[';
		fill(text + 1, rows[i].unit, rows[i].times);
		assert_int_equal(json_parse(text, size, &j, &err), -1);
		assert_int_equal(err.kind, ERR_EXHAUSTED);
	}
}

static const char *const limit_path[] = { "process", "rlimits", NULL };

static void spans_keep_numbers_that_no_parser_can_hold(void **state)
{
	static const char doc[] =
			"{ \"process\": {\"rlimits\":[{\"hard\":18446744073709551615}] } }";
	AUTO_ERR struct err err = { 0 };
	struct json_span span = { 0 };

	assert_int_equal(json_span_find(doc, strlen(doc), limit_path, &span, &err), 1);
	assert_int_equal(span.size, strlen("[{\"hard\":18446744073709551615}]"));
	assert_memory_equal(span.data, "[{\"hard\":18446744073709551615}]", span.size);
}

static void the_last_of_equal_keys_counts(void **state)
{
	static const char doc[] = "{\"a\":1,\"\\u0061\":2}";
	AUTO_ERR struct err err = { 0 };
	const char *const path[] = { "a", NULL };
	struct json_span span = { 0 };

	assert_int_equal(json_span_find(doc, strlen(doc), path, &span, &err), 1);
	assert_memory_equal(span.data, "2", 1);
}

static void patches_leave_every_other_byte_alone(void **state)
{
	static const struct {
		const char *doc, *a, *b, *want;
	} rows[] = {
		{ "{\"a\" : {\"b\": 1 , \"c\":1e2}}", "a", "b",
				"{\"a\" : {\"b\": NEW , \"c\":1e2}}" },
		{ "{\"a\":{ }}", "a", "b", "{\"a\":{\"b\":NEW }}" },
		{ "{\"a\":{\"c\":0.10}\n}", "a", "b", "{\"a\":{\"c\":0.10,\"b\":NEW}\n}" },
		{ "{}", "a", "b", "{\"a\":{\"b\":NEW}}" },
		{ "{\"x\":\"}\"}", "a", NULL, "{\"x\":\"}\",\"a\":NEW}" },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		AUTO_ERR struct err err = { 0 };
		AUTO_BUF struct buf out = { .limit = 4096 };
		const char *const path[] = { rows[i].a, rows[i].b, NULL };

		assert_int_equal(json_span_set(rows[i].doc, strlen(rows[i].doc), path, "NEW",
						 &out, &err),
				0);
		assert_string_equal(out.data, rows[i].want);
	}
}

static void a_patch_below_something_else_than_an_object_fails(void **state)
{
	AUTO_ERR struct err err = { 0 };
	AUTO_BUF struct buf out = { .limit = 4096 };
	const char *const path[] = { "a", "b", NULL };

	assert_int_equal(json_span_set("{\"a\":[]}", 8, path, "1", &out, &err), -1);
	assert_int_equal(err.kind, ERR_INVALID);
}

static void items_of_an_array_come_one_by_one(void **state)
{
	const struct json_span array = { "[1, {\"a\":[2]} ,\"]\"]", 20 };
	AUTO_ERR struct err err = { 0 };
	struct json_span item = { 0 };
	size_t at = 0;

	assert_int_equal(json_span_next(&array, &at, &item, &err), 1);
	assert_memory_equal(item.data, "1", item.size);
	assert_int_equal(json_span_next(&array, &at, &item, &err), 1);
	assert_memory_equal(item.data, "{\"a\":[2]}", item.size);
	assert_int_equal(json_span_next(&array, &at, &item, &err), 1);
	assert_memory_equal(item.data, "\"]\"", item.size);
	assert_int_equal(json_span_next(&array, &at, &item, &err), 0);
}

static void output_is_escaped_as_go_does(void **state)
{
	AUTO_BUF struct buf out = { .limit = 4096 };

	json_add_quoted(&out, "a\"\\\n\t\x01<&>\xe2\x80\xa8\xff\xc3\xa9\x7f");
	assert_string_equal(out.data, "\"a\\\"\\\\\\n\\t\\u0001\\u003c\\u0026\\u003e\\u2028"
				      "\\ufffd\xc3\xa9\x7f\"");
}

static void output_is_indented_as_go_does(void **state)
{
	AUTO_BUF struct buf out = { .limit = 4096 };
	struct json_out o;

	json_out_init(&o, &out, "  ");
	json_out_object(&o);
	json_out_member(&o, "a", "x");
	json_out_member_if(&o, "gone", "");
	json_out_key(&o, "b");
	json_out_array(&o);
	json_out_u64(&o, UINT64_MAX);
	json_out_bool(&o, true);
	json_out_end(&o);
	json_out_key(&o, "c");
	json_out_object(&o);
	json_out_end(&o);
	json_out_key(&o, "d");
	json_out_strv(&o, NULL);
	json_out_end(&o);
	assert_string_equal(out.data,
			"{\n  \"a\": \"x\",\n  \"b\": [\n    18446744073709551615,\n"
			"    true\n  ],\n  \"c\": {},\n  \"d\": []\n}");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lookups_of_what_is_not_there_give_nothing),
		cmocka_unit_test(members_come_in_the_order_of_the_document),
		cmocka_unit_test(hostile_documents_are_refused_with_a_reason),
		cmocka_unit_test(size_depth_and_count_are_bounded),
		cmocka_unit_test(spans_keep_numbers_that_no_parser_can_hold),
		cmocka_unit_test(the_last_of_equal_keys_counts),
		cmocka_unit_test(patches_leave_every_other_byte_alone),
		cmocka_unit_test(a_patch_below_something_else_than_an_object_fails),
		cmocka_unit_test(items_of_an_array_come_one_by_one),
		cmocka_unit_test(output_is_escaped_as_go_does),
		cmocka_unit_test(output_is_indented_as_go_does),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
