/* SPDX-License-Identifier: Apache-2.0 */
#include "text/jnode.h"

#include <stdio.h>
#include <string.h>

#include "base/auto.h"
#include "base/buf.h"
#include "base/mem.h"
#include "unit/unit.h"

static struct jnode *parse(const char *text)
{
	AUTO_ERR struct err err = { 0 };
	struct jnode *n = NULL;

	assert_ok(jnode_parse(text, strlen(text), &n, &err), &err);
	return n;
}

static void assert_round_trip(const char *text, const char *want)
{
	AUTO(jnode_free) struct jnode *n = parse(text);
	AUTO_FREE char *got = jnode_to_text(n, NULL);

	assert_string_equal(got, want);
}

static void numbers_stay_as_they_were_written(void **state)
{
	assert_round_trip("[18446744073709551615, -0, 1.50, 1e2]",
			"[18446744073709551615,-0,1.50,1e2]");
}

static void order_of_members_is_kept_and_the_last_of_equal_keys_counts(void **state)
{
	assert_round_trip("{\"b\":1,\"a\":2,\"b\":3}", "{\"b\":3,\"a\":2}");
}

static void equal_keys_of_big_objects_count_once_too(void **state)
{
	AUTO_BUF struct buf b = { .limit = SIZE_MAX };
	AUTO(jnode_free) struct jnode *n = NULL;
	int64_t value = 0;

	buf_add_str(&b, "{");
	for (int i = 0; i < 300; i++)
		buf_addf(&b, "\"k%d\":%d,", i % 150, i);
	buf_add_str(&b, "\"end\":null}");
	n = parse(b.data);
	assert_int_equal(jnode_count(n), 151);
	assert_true(jnode_get_i64(n, "k149", &value));
	assert_int_equal(value, 299);
}

static void escapes_are_decoded_and_lone_surrogates_replaced(void **state)
{
	AUTO(jnode_free)
	struct jnode *n = parse("[\"\\u00e9\\n\\/\\ud83d\\ude00\", \"\\ud800x\"]");

	assert_string_equal(jnode_str(jnode_item(n, 0)), "\xc3\xa9\n/\xf0\x9f\x98\x80");
	assert_string_equal(jnode_str(jnode_item(n, 1)), "\xef\xbf\xbdx");
}

static void malformed_documents_are_refused(void **state)
{
	static const char *const bad[] = { "", "{", "[1,]", "{\"a\"}", "{\"a\":1,}", "[1] 2",
		"\"\\q\"", "\"\\u0000\"", "\"\\u12\"", "nul", "{1:2}", "[1 2]", "\"a", "1.2.3",
		"01", "1.", ".5", "-", "+1", "1e", "1e+", "0x1" };

	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		AUTO_ERR struct err err = { 0 };
		struct jnode *n = NULL;

		if (jnode_parse(bad[i], strlen(bad[i]), &n, &err) == 0)
			fail_msg("accepted: %s", bad[i]);
	}
}

static void depth_is_bounded(void **state)
{
	AUTO_ERR struct err err = { 0 };
	char deep[200];
	struct jnode *n = NULL;

	memset(deep, '[', sizeof(deep));
	assert_fails(jnode_parse(deep, sizeof(deep), &n, &err), &err, ERR_EXHAUSTED);
}

static void trees_are_changed_in_place(void **state)
{
	AUTO(jnode_free) struct jnode *n = parse("{\"a\":[1,2,3],\"x\":{}}");
	AUTO_FREE char *text = NULL;

	jnode_remove_at(jnode_get(n, "a"), 1);
	jnode_insert(jnode_get(n, "a"), 0, jnode_text("<&>"));
	jnode_set(n, "x", jnode_u64(UINT64_MAX));
	jnode_append_str(jnode_need_array(jnode_need_object(n, "new"), "list"), "y");
	jnode_remove(n, "none");
	text = jnode_to_text(n, NULL);
	assert_string_equal(text, "{\"a\":[\"\\u003c\\u0026\\u003e\",1,3],"
				  "\"x\":18446744073709551615,\"new\":{\"list\":[\"y\"]}}");
}

static void copies_share_nothing(void **state)
{
	AUTO(jnode_free) struct jnode *n = parse("{\"env\":[\"A=1\"]}");
	AUTO(jnode_free) struct jnode *copy = jnode_copy(n);

	jnode_append_str(jnode_get(copy, "env"), "B=2");
	assert_int_equal(jnode_count(jnode_get(n, "env")), 1);
	assert_int_equal(jnode_count(jnode_get(copy, "env")), 2);
}

static void indentation_is_that_of_go(void **state)
{
	AUTO(jnode_free) struct jnode *n = parse("{\"a\":[],\"b\":{},\"c\":[1,{\"d\":null}]}");
	AUTO_FREE char *text = jnode_to_text(n, "    ");

	assert_string_equal(text, "{\n    \"a\": [],\n    \"b\": {},\n    \"c\": [\n        "
				  "1,\n        {\n"
				  "            \"d\": null\n        }\n    ]\n}");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(numbers_stay_as_they_were_written),
		TEST(order_of_members_is_kept_and_the_last_of_equal_keys_counts),
		TEST(equal_keys_of_big_objects_count_once_too),
		TEST(escapes_are_decoded_and_lone_surrogates_replaced),
		TEST(malformed_documents_are_refused),
		TEST(depth_is_bounded),
		TEST(trees_are_changed_in_place),
		TEST(copies_share_nothing),
		TEST(indentation_is_that_of_go),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
