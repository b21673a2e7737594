/* SPDX-License-Identifier: Apache-2.0 */
#include "text/toml.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/str.h"
#include "base/thread.h"

static struct toml_value *parse(const char *text)
{
	AUTO_ERR struct err err = { 0 };
	struct toml_value *t = NULL;

	if (toml_parse("t.toml", text, strlen(text), &t, &err) < 0)
		fail_msg("%s", err_text(&err));
	return t;
}

static void values_know_their_place(void **state)
{
	AUTO(toml_free) struct toml_value *t = parse("a = 1\n\n[b]\n  c = ['x', 'y']\n");
	struct toml_value *c = toml_dig(t, "b", "c", NULL);

	assert_int_equal(toml_line(c), 4);
	assert_int_equal(toml_column(c), 3);
	assert_string_equal(toml_file(c), "t.toml");
	assert_string_equal(toml_text(toml_at(c, 1)), "y");
	assert_int_equal(toml_line(toml_at(c, 1)), 4);
	assert_int_equal(toml_line(toml_find(t, "b")), 3);
}

static void every_kind_is_read_and_printed_back(void **state)
{
	static const char text[] = "array = ['a', 1, true]\n"
				   "big = -9223372036854775808\n"
				   "float = 0.02\n"
				   "quoted = \"it's\\n\"\n"
				   "text = 'C:\\x'\n"
				   "when = 1979-05-27T07:32:00Z\n"
				   "whole = 100.0\n"
				   "\n"
				   "[empty]\n"
				   "\n"
				   "[plugins]\n"
				   "  [plugins.'io.x.v1']\n"
				   "    a = false\n"
				   "\n"
				   "    [plugins.'io.x.v1'.inner]\n"
				   "\n"
				   "    [[plugins.'io.x.v1'.list]]\n"
				   "      k = 1\n"
				   "\n"
				   "    [[plugins.'io.x.v1'.list]]\n";
	AUTO(toml_free) struct toml_value *t = parse(text);
	AUTO_BUF struct buf out = { .limit = 4096 };

	toml_print(t, &out);
	assert_string_equal(out.data, text);
}

static void faults_name_row_and_column(void **state)
{
	static const struct {
		const char *text;
		const char *want;
	} rows[] = {
		{ "a = 1\nb = \n", "failed to unmarshal TOML at row 2 column " },
		{ "a = 1\na = 2\n", "failed to unmarshal TOML at row 2 column " },
		{ "a = 99999999999999999999\n", "failed to unmarshal TOML at row 1 column " },
		{ "a = \"\\u0000\"\n", "NUL in a string" },
		{ "\"\\u0000\" = 1\n", "NUL in a key" },
		{ "a = '\xff'\n", "failed to unmarshal TOML at row 1 column " },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		AUTO_ERR struct err err = { 0 };
		struct toml_value *t = NULL;

		assert_int_equal(toml_parse("t", rows[i].text, strlen(rows[i].text), &t, &err),
				-1);
		assert_int_equal(err.kind, ERR_INVALID);
		assert_non_null(strstr(err_text(&err), rows[i].want));
	}
}

static char *repeat(const char *head, const char *unit, size_t times, const char *tail)
{
	AUTO_BUF struct buf b = { .limit = SIZE_MAX };

	buf_add_str(&b, head);
	for (size_t i = 0; i < times; i++)
		buf_add_str(&b, unit);
	buf_add_str(&b, tail);
	return buf_take_str(&b);
}

struct attempt {
	const char *text;
	int rc;
	enum err_kind kind;
};

static void *try_parse(void *arg)
{
	struct attempt *a = arg;
	AUTO_ERR struct err err = { 0 };
	AUTO(toml_free) struct toml_value *t = NULL;

	a->rc = toml_parse("t", a->text, strlen(a->text), &t, &err);
	a->kind = err.kind;
	return NULL;
}

/* On a worker's small stack, where endless recursion shows at once. */
static struct attempt on_small_stack(const char *text)
{
	struct attempt a = { .text = text };
	unsigned long thread = 0;

	assert_int_equal(thread_start(&thread, try_parse, &a, "toml"), 0);
	thread_join(thread);
	return a;
}

static void depth_is_refused_before_the_parser_recurses(void **state)
{
	AUTO_FREE char *header = repeat("[a", ".a", 300000, "]\n");
	AUTO_FREE char *dotted = repeat("x = ''''''''\na", ".a", 300000, " = 1\n");
	AUTO_FREE char *arrays = repeat("a = ", "[", 250, "");
	AUTO_FREE char *tables = repeat("", "a.a.a = {", 30, "");
	AUTO_FREE char *in_text = repeat("a = '", ".", 5000, "'\nb = \"\"\"\n[[[\n\"\"\"");

	assert_int_equal(on_small_stack(header).rc, -1);
	assert_int_equal(on_small_stack(dotted).rc, -1);
	assert_int_equal(on_small_stack(arrays).rc, -1);
	assert_int_equal(on_small_stack(tables).rc, -1);
	assert_int_equal(on_small_stack(in_text).rc, 0);
}

static void the_deepest_allowed_document_fits_a_small_stack(void **state)
{
	AUTO_FREE char *header = repeat("[a", ".a", 30, "]\n");
	AUTO_FREE char *open = repeat(header, "", 0, "a = ");
	AUTO_FREE char *down = repeat(open, "[", TOML_MAX_DEPTH, "1");
	AUTO_FREE char *all = repeat(down, "]", TOML_MAX_DEPTH, "\n");

	assert_int_equal(on_small_stack(all).rc, 0);
}

static void size_and_number_of_values_are_bounded(void **state)
{
	AUTO_FREE char *blanks = repeat("", " ", TOML_MAX_BYTES + 1, "");
	AUTO_FREE char *many = repeat("a = [", "1,", TOML_MAX_VALUES + 1, "]");

	assert_int_equal(on_small_stack(blanks).kind, ERR_EXHAUSTED);
	assert_int_equal(on_small_stack(many).kind, ERR_INVALID);
}

static void merging_goes_into_tables_and_replaces_the_rest(void **state)
{
	AUTO(toml_free) struct toml_value *into = parse("a=1\nl=[1,2]\n[t]\nx=1\ny=2\n");
	AUTO(toml_free) struct toml_value *from = parse("a=0\nl=[3]\nn='new'\n[t]\ny=3\n");
	AUTO(toml_free) struct toml_value *want = parse("a=0\nl=[3]\nn='new'\n[t]\nx=1\ny=3\n");

	toml_merge(into, from);
	assert_true(toml_equal(into, want));
}

static void tables_keep_their_order_through_removal(void **state)
{
	AUTO(toml_free) struct toml_value *t = toml_new_table();

	toml_put(t, "z", toml_new_int(1));
	toml_put(t, "a", toml_new_int(2));
	toml_put(t, "m", toml_new_int(3));
	toml_put(t, "b", toml_new_int(4));
	toml_remove(t, "a");
	toml_put(t, "c", toml_new_int(5));
	assert_int_equal(toml_count(t), 4);
	assert_string_equal(toml_key_at(t, 0), "z");
	assert_string_equal(toml_key_at(t, 1), "m");
	assert_string_equal(toml_key_at(t, 3), "c");
	assert_null(toml_find(t, "a"));
	assert_int_equal(toml_int(toml_find(t, "b")), 4);
	assert_int_equal(toml_int(toml_find(t, "c")), 5);
	assert_int_equal(toml_int(toml_find(t, "z")), 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(values_know_their_place),
		cmocka_unit_test(every_kind_is_read_and_printed_back),
		cmocka_unit_test(faults_name_row_and_column),
		cmocka_unit_test(depth_is_refused_before_the_parser_recurses),
		cmocka_unit_test(the_deepest_allowed_document_fits_a_small_stack),
		cmocka_unit_test(size_and_number_of_values_are_bounded),
		cmocka_unit_test(merging_goes_into_tables_and_replaces_the_rest),
		cmocka_unit_test(tables_keep_their_order_through_removal),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
