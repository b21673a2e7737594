/* SPDX-License-Identifier: Apache-2.0 */
/* The filter language of reference 01 §4.9. */
#include "unit/unit.h"

#include <stdlib.h>
#include <string.h>

#include "base/attr.h"
#include "base/labels.h"
#include "base/mem.h"
#include "base/str.h"
#include "core/filter.h"

/* An object with the fields id, name, empty and labels. */
struct thing {
	const char *id, *name;
	struct labels labels;
};

static bool thing_field(void *object, char *const *path, size_t n, const char **ret_value)
{
	struct thing *t = object;

	if (n == 1 && str_eq(path[0], "id"))
		*ret_value = t->id;
	else if (n == 1 && str_eq(path[0], "name"))
		*ret_value = t->name;
	else if (n == 1 && str_eq(path[0], "empty"))
		*ret_value = "";
	else if (n == 2 && str_eq(path[0], "deep") && str_eq(path[1], "er"))
		*ret_value = "down";
	else if (n >= 2 && str_eq(path[0], "labels"))
		return filter_label(&t->labels, path, n, ret_value);
	else
		return false;
	return *ret_value != NULL;
}

static bool matches_any(const char *const *filters, struct thing *t)
{
	AUTO(filter_free) struct filter *f = NULL;
	AUTO_ERR struct err err = { 0 };
	bool matched;

	assert_ok(filter_parse((char *const *)filters, &f, &err), &err);
	matched = filter_match(f, thing_field, t, &err);
	assert_int_equal(err.kind, ERR_NONE);
	return matched;
}

static bool matches_thing(const char *text, struct thing *t)
{
	const char *const filters[] = { text, NULL };

	return matches_any(filters, t);
}

static bool matches(const char *text)
{
	struct thing t = { "abc", "docker.io/library/alpine:latest", { 0 } };
	bool matched;

	labels_set(&t.labels, "foo", "bar");
	labels_set(&t.labels, "foo.bar", "omg_asdf.asdf-qwer");
	labels_set(&t.labels, "very complex/label-key", "value, with comma");
	labels_set(&t.labels, "empty", "");
	matched = matches_thing(text, &t);
	labels_done(&t.labels);
	return matched;
}

static void presence_needs_the_field(void **state)
{
	assert_true(matches("id"));
	assert_true(matches("empty"));
	assert_false(matches("missing"));
	assert_true(matches("labels.foo"));
	assert_true(matches("labels.empty"));
	assert_false(matches("labels.nope"));
	assert_true(matches("deep.er"));
}

static void equal_needs_presence_and_value(void **state)
{
	assert_true(matches("id==abc"));
	assert_false(matches("id==ab"));
	assert_false(matches("id==abcd"));
	assert_true(matches("empty==\"\""));
	assert_false(matches("missing==\"\""));
	assert_false(matches("missing==x"));
}

static void different_takes_an_absent_field_as_empty(void **state)
{
	assert_true(matches("id!=x"));
	assert_false(matches("id!=abc"));
	assert_true(matches("missing!=x"));
	assert_false(matches("missing!=\"\""));
}

static void label_paths_join_with_dots(void **state)
{
	assert_true(matches("labels.foo.bar==omg_asdf.asdf-qwer"));
	assert_true(matches("labels.\"foo.bar\"==omg_asdf.asdf-qwer"));
	assert_true(matches("labels.\"very complex/label-key\"==\"value, with comma\""));
	assert_true(matches("labels.\"very complex\\u002flabel\\x2dkey\""));
}

static void selectors_of_one_string_must_all_match(void **state)
{
	assert_true(matches("id==abc,labels.foo==bar"));
	assert_false(matches("id==abc,labels.foo==baz"));
	/* The Go client sends a blank behind the comma. */
	assert_true(matches("id==abc, labels.foo==bar"));
	assert_true(matches("  id == abc,\t labels.foo == bar"));
}

static void one_matching_string_is_enough(void **state)
{
	struct thing t = { "abc", "n", { 0 } };
	const char *const either[] = { "id==x", "name==n", NULL };
	const char *const none[] = { "id==x", "name==y", NULL };
	const char *const with_empty[] = { "id==x", "", NULL };
	const char *const empty[] = { NULL };

	assert_true(matches_any(either, &t));
	assert_false(matches_any(none, &t));
	assert_true(matches_any(with_empty, &t));
	assert_true(matches_any(empty, &t));
	assert_true(matches_any(NULL, &t));
}

static void values_run_to_the_comma(void **state)
{
	struct thing t = { "a", "a.b/c:d=e|f\"g-~!", { 0 } };

	assert_true(matches_thing("name==a.b/c:d=e|f\"g-~!,id==a", &t));
	t.name = "größe";
	assert_true(matches_thing("name==größe", &t));
	t.name = "=x";
	assert_true(matches_thing("name==\"=x\"", &t));
}

static void quoted_values_unescape(void **state)
{
	struct thing t = { "a", "\a\b\f\n\r\t\v\\\"", { 0 } };

	assert_true(matches_thing("name==\"\\a\\b\\f\\n\\r\\t\\v\\\\\\\"\"", &t));
	t.name = "S\xc3\xa4\xf0\x9f\x98\x80";
	assert_true(matches_thing("name==\"\\123\\u00e4\\U0001F600\"", &t));
	assert_true(matches_thing("name==\"S\\303\\xa4\\U0001F600\"", &t));
	/* A NUL does not end the value, and so equals nothing. */
	t.name = "a";
	assert_false(matches_thing("name==\"a\\x00b\"", &t));
	assert_true(matches_thing("name!=\"a\\x00b\"", &t));
}

static void expressions_search_unanchored(void **state)
{
	assert_true(matches("name~=alpine"));
	assert_true(matches("name~=^docker\\.io/"));
	assert_true(matches("name~=|^docker.io/|"));
	assert_true(matches("name~=/alpine:[a-z]+$/"));
	assert_true(matches("name~=\"^docker\\\\.io\""));
	assert_false(matches("name~=^alpine"));
	assert_true(matches("missing~=^$"));
	assert_false(matches("missing~=x"));
}

/* §4.9: filters seen from real clients. */
static void filters_of_known_clients_work(void **state)
{
	struct thing t = { "abc", "sha256:0123456789abcdef", { 0 } };

	assert_true(matches("name==docker.io/library/alpine:latest"));
	assert_true(matches("name==\"docker.io/library/alpine:latest\""));
	assert_true(matches_thing("name~=\"^sha256:0123[0-9a-fA-F]{12}$\"", &t));
	assert_false(matches_thing("name~=\"^sha256:0123[0-9a-fA-F]{13}$\"", &t));
	assert_false(matches("name~=^sha256:docker\\.io/library/alpine:latest.*$"));
	assert_true(matches("id~=^ab.*$"));
	t.name = "/tasks/exit";
	t.id = "moby";
	assert_true(matches_thing("id==moby,name~=|^/tasks/|", &t));
	assert_true(matches_thing("name==\"/tasks/exit\"", &t));
}

static void invalid_expressions_never_match(void **state)
{
	static const char *const bad[] = { "(", ")", "a**", "*", "[", "[z-a]", "\\8", "(?=a)",
		"(?!a)", "(?<=a)", "(?<!a)", "(a)\\1", "(?R)", "(?1)", "a*+", "a++", "(?>a)",
		"(*ACCEPT)", "\\Z", "\\K", "\\C", "(?#x)", "(?|a)", "(?P=n)", "\\k<n>",
		"a{1001}", "a{2,1}", "(?x)a", "\\c", "\\x{110000}", "\\pq", "[[:nope:]]",
		"[\\8]", "\\", "(?(1)a)", "(?&n)", "(?C)", "\\N", "\\h", "\\R", "\\X", "\\G",
		"\\g1", "x{2}{3}" };

	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		AUTO_FREE char *f = xasprintf("name~=%s", bad[i]);

		if (strchr(bad[i], ',') != NULL)
			continue;
		if (matches(f))
			fail_msg("%s matched", f);
	}
}

static bool search(const char *expression, const char *text)
{
	AUTO_FREE char *f = xasprintf("name~=%s", expression);
	struct thing t = { "a", text, { 0 } };

	return matches_thing(f, &t);
}

static void expressions_follow_re2(void **state)
{
	assert_true(search("^\\d+$", "123"));
	assert_true(search("(?i)ABC", "xabcx"));
	assert_true(search("a.*?b", "axxb"));
	assert_true(search("^(?:a|b){2}$", "ab"));
	assert_true(search("^(?P<n>a)(?<m>b)$", "ab"));
	assert_true(search("\\.\\+\\*\\?\\(\\)\\|\\[\\]\\{\\}\\^\\$", ".+*?()|[]{}^$"));
	/* Go's $ is the very end, not before a last newline. */
	assert_false(search("a$", "a\n"));
	assert_true(search("(?m)a$", "a\nb"));
	assert_false(search("^b", "a\nb"));
	assert_true(search("(?m)^b", "a\nb"));
	/* Go's \s has no vertical tab, and its \v is one. */
	assert_false(search("\\s", "\v"));
	assert_true(search("^\\v$", "\v"));
	assert_true(search("[\\S]", "\v"));
	assert_true(search("\\pL\\p{Greek}", "aα"));
	assert_true(search("^[[:alpha:]]+[[:^alpha:]]$", "ab1"));
	assert_true(search("^[^a]$", "\n"));
	assert_false(search("^.$", "\n"));
	assert_true(search("(?s)^.$", "\n"));
	assert_true(search("^a{x$", "a{x"));
	assert_true(search("^\\Qa.b\\E+$", "a.bb"));
	assert_true(search("[]a]", "]"));
	assert_true(search("[\\d-z]", "-"));
	assert_true(search("^\\x41\\x{42}\\103\\012$", "ABC\n"));
	assert_true(search("^*a", "a"));
	assert_true(search("^ä$", "ä"));
	assert_true(search("(?i)^Ä$", "ä"));
	assert_true(search("\\bword\\b", "a word b"));
}

static void hostile_expressions_are_cut_off(void **state)
{
	AUTO(filter_free) struct filter *f = NULL;
	AUTO_ERR struct err err = { 0 };
	const char *const filters[] = { "name~=^(a+)+$", NULL };
	char text[2001];
	struct thing t = { "a", text, { 0 } };

	memset(text, 'a', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	text[1999] = 'b';
	assert_ok(filter_parse((char *const *)filters, &f, &err), &err);
	assert_true(filter_has_regex(f));
	assert_false(filter_match(f, thing_field, &t, &err));
	assert_int_equal(err.kind, ERR_EXHAUSTED);
}

static void check_error(const char *text, const char *want)
{
	AUTO(filter_free) struct filter *f = NULL;
	AUTO_ERR struct err err = { 0 };
	const char *const filters[] = { text, NULL };

	if (filter_parse((char *const *)filters, &f, &err) == 0)
		fail_msg("%s parsed", text);
	assert_int_equal(err.kind, ERR_INVALID);
	assert_string_equal(err_text(&err), want);
}

#define BAD "filters: parse error: "
#define END ": invalid argument"

static void errors_have_the_originals_words(void **state)
{
	check_error("id=abc", BAD "[id >|=|< abc]: unsupported operator \"=\"" END);
	check_error("id===abc", BAD "[id >|=|< ==abc]: unsupported operator \"===\"" END);
	check_error("id==", BAD "[id==]: expected value or quoted" END);
	check_error("id==,a", BAD "[id== >|,|< a]: expected value or quoted" END);
	check_error("==a", BAD "[ >|=|< =a]: expected field or quoted" END);
	check_error("id ", BAD "[id ]: expected an operator (\"==\"|\"!=\"|\"~=\")" END);
	check_error("id ,name", BAD
			"[id  >|,|< name]: expected an operator (\"==\"|\"!=\"|\"~=\")" END);
	check_error("id==a ,b", BAD "[id==a >| |< ,b]: unexpected input:  " END);
	check_error("id==a ", BAD "[id==a >| |< ]: unexpected input:  " END);
	check_error("id,", BAD "[id,]: expected field or quoted" END);
	check_error("topic==/tasks/exit",
			BAD "[topic== >|/|< tasks/exit]: invalid quote encountered" END);
}

static void quotes_are_checked(void **state)
{
	check_error("id==\"abc", BAD "[id== >|\"|< abc]: quoted literal not terminated" END);
	check_error("id==|abc|", BAD "[id== >|||< abc|]: invalid quote encountered" END);
	check_error("|id|==a", BAD "[ >|||< id|==a]: invalid quote encountered" END);
	check_error("id==\"\\d\"", BAD "[id== >|\"|< \\d\"]: illegal escape sequence" END);
	check_error("id==\"\\x4g\"",
			BAD "[id== >|\"|< \\x4g\"]: illegal numeric escape sequence" END);
	check_error("labels.a/b", BAD "[labels.a >|/|< b]: quoted literal not terminated" END);
	check_error("id==\"\\UFFFFFFFF\"", BAD "[id== >|\"|< \\UFFFFFFFF\"]: unquoting failed: "
					       "quote syntax error" END);
	check_error("labels.\"a\\x00b\"", BAD
			"[labels. >|\"|< a\\x00b\"]: unquoting failed: quote syntax error" END);
}

static void pinned_is_the_only_value_a_field_can_have(void **state)
{
	static const struct {
		const char *text, *want;
	} cases[] = {
		{ "name==a", "a" },
		{ "id==x,name==a", "a" },
		{ "name!=a", NULL },
		{ "name~=a", NULL },
		{ "name", NULL },
		{ "labels.name==a", NULL },
		{ "", NULL },
	};
	AUTO_ERR struct err err = { 0 };

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		AUTO(filter_free) struct filter *f = NULL;
		const char *const filters[] = { cases[i].text, NULL };

		assert_ok(filter_parse((char *const *)filters, &f, &err), &err);
		if (!str_eq(filter_pinned(f, "name"), cases[i].want))
			fail_msg("%s", cases[i].text);
	}
}

static void two_alternatives_pin_nothing(void **state)
{
	AUTO(filter_free) struct filter *f = NULL;
	AUTO_ERR struct err err = { 0 };
	const char *const filters[] = { "name==a", "name==b", NULL };

	assert_ok(filter_parse((char *const *)filters, &f, &err), &err);
	assert_null(filter_pinned(f, "name"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(presence_needs_the_field),
		TEST(equal_needs_presence_and_value),
		TEST(different_takes_an_absent_field_as_empty),
		TEST(label_paths_join_with_dots),
		TEST(selectors_of_one_string_must_all_match),
		TEST(one_matching_string_is_enough),
		TEST(values_run_to_the_comma),
		TEST(quoted_values_unescape),
		TEST(expressions_search_unanchored),
		TEST(filters_of_known_clients_work),
		TEST(invalid_expressions_never_match),
		TEST(expressions_follow_re2),
		TEST(hostile_expressions_are_cut_off),
		TEST(errors_have_the_originals_words),
		TEST(quotes_are_checked),
		TEST(pinned_is_the_only_value_a_field_can_have),
		TEST(two_alternatives_pin_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
