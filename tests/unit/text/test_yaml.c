/* SPDX-License-Identifier: Apache-2.0 */
#include "text/yaml_read.h"

#include <string.h>

#include "base/auto.h"
#include "base/err.h"
#include "base/mem.h"
#include "unit/unit.h"

static void assert_reads(const char *yaml, const char *json)
{
	AUTO_ERR struct err err = { 0 };
	AUTO(jnode_free) struct jnode *n = NULL;
	AUTO_FREE char *text = NULL;

	assert_int_equal(yaml_parse(yaml, strlen(yaml), &n, &err), 0);
	text = jnode_to_text(n, NULL);
	assert_string_equal(text, json);
}

static void assert_refused(const char *yaml, const char *why)
{
	AUTO_ERR struct err err = { 0 };
	struct jnode *n = NULL;

	assert_int_equal(yaml_parse(yaml, strlen(yaml), &n, &err), -1);
	assert_non_null(strstr(err_text(&err), why));
}

static void collections_become_json(void **state UNUSED)
{
	assert_reads("a:\n  - b: 1\n    c: [x, \"y\"]\n  - {}\nd: text # no\n",
			"{\"a\":[{\"b\":1,\"c\":[\"x\",\"y\"]},{}],\"d\":\"text\"}");
	assert_reads("", "null");
	assert_reads("---\n- 1\n...\n", "[1]");
}

static void plain_scalars_have_types_and_quoted_ones_have_not(void **state UNUSED)
{
	assert_reads("[~, null, yes, Off, true]", "[null,null,true,false,true]");
	assert_reads("[10, -7, 0666, 0o17, 0x1F, 18446744073709551615]",
			"[10,-7,438,15,31,18446744073709551615]");
	assert_reads("[1.5, 10M, 1.2.3, 99999999999999999999999]",
			"[1.5,\"10M\",\"1.2.3\",99999999999999999999999]");
	assert_reads("['10', \"yes\", '']", "[\"10\",\"yes\",\"\"]");
}

static void what_bombs_are_made_of_is_refused(void **state UNUSED)
{
	assert_refused("a: &x [1]\nb: *x\n", "line 1: anchors and tags");
	assert_refused("a: !!binary aGk=\n", "anchors and tags");
	assert_refused("*x\n", "aliases");
	assert_refused("a: 1\na: 2\n", "a key stands twice");
	assert_refused("[1]: 2\n", "a key is no text");
	assert_refused("--- 1\n--- 2\n", "more than one document");
	assert_refused("a: [1\nb: 2", "line 2");
	assert_refused("\"a\\0b\"", "NUL");
}

static void depth_is_bounded(void **state UNUSED)
{
	char deep[400];

	memset(deep, '[', sizeof(deep) - 1);
	deep[sizeof(deep) - 1] = '\0';
	assert_refused(deep, "nested too deep");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(collections_become_json),
		cmocka_unit_test(plain_scalars_have_types_and_quoted_ones_have_not),
		cmocka_unit_test(what_bombs_are_made_of_is_refused),
		cmocka_unit_test(depth_is_bounded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
