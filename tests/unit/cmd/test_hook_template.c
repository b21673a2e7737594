/* SPDX-License-Identifier: Apache-2.0 */
/* Reference 02 §8.1: the templates of "containerd oci-hook". */
#include "unit/unit.h"

#include <string.h>

#include "base/auto.h"
#include "base/buf.h"
#include "base/str.h"
#include "cmd/containerd/hook_template.h"

static const char *annotation(const void *arg, const char *key)
{
	return str_eq(key, "a \"key\"") ? "value" : NULL;
}

static const struct hook_state state = { "c1", "/b", "/b/rootfs", "created", 42, annotation,
	NULL };

static void gives(const char *text, const char *want)
{
	AUTO_BUF struct buf out = { .limit = 1024 };
	AUTO_ERR struct err err = { 0 };

	assert_ok(hook_template_expand(text, strlen(text), &state, &out, &err), &err);
	assert_string_equal(out.size > 0 ? out.data : "", want);
}

static void refused(const char *text)
{
	AUTO_BUF struct buf out = { .limit = 1024 };
	AUTO_ERR struct err err = { 0 };

	assert_fails(hook_template_expand(text, strlen(text), &state, &out, &err), &err,
			ERR_INVALID);
}

static void text_without_actions_stays(void **unused)
{
	gives("", "");
	gives("a } }} { b", "a } }} { b");
}

static void functions_give_the_state(void **unused)
{
	gives("{{id}} {{ bundle }} {{rootfs}} {{\tpid\n}} {{status}}",
			"c1 /b /b/rootfs 42 created");
}

static void annotations_are_found_by_quoted_key(void **unused)
{
	gives("<{{annotation \"a \\\"key\\\"\"}}>", "<value>");
	gives("<{{annotation `a \"key\"`}}>", "<value>");
	gives("<{{annotation \"none\"}}>", "<>");
	gives("{{\"}}\"}}", "}}");
}

static void trim_markers_take_blanks_of_the_text(void **unused)
{
	gives("a \n {{- id -}} \t b", "ac1b");
	gives("a {{/* not shown */}} b", "a  b");
	gives("a {{- /* not shown */ -}} b", "ab");
}

static void what_is_not_understood_is_an_error(void **unused)
{
	refused("{{");
	refused("{{id");
	refused("{{id}");
	refused("{{}}");
	refused("{{nope}}");
	refused("{{id id}}");
	refused("{{annotation}}");
	refused("{{annotation id}}");
	refused("{{annotation \"x}}");
	refused("{{annotation \"\\q\"}}");
	refused("{{.}}");
	refused("{{-id}}");
	refused("{{id-}}");
	refused("{{/* }}");
}

static void the_result_is_bounded(void **unused)
{
	AUTO_BUF struct buf out = { .limit = 4 };
	AUTO_ERR struct err err = { 0 };

	assert_fails(hook_template_expand("{{rootfs}}", 10, &state, &out, &err), &err,
			ERR_INVALID);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(text_without_actions_stays),
		TEST(functions_give_the_state),
		TEST(annotations_are_found_by_quoted_key),
		TEST(trim_markers_take_blanks_of_the_text),
		TEST(what_is_not_understood_is_an_error),
		TEST(the_result_is_bounded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
