/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/shim-runc/runc_spec.h"

#include <string.h>

#include "base/auto.h"
#include "base/buf.h"
#include "unit/unit.h"

static char *group_of(const char *json)
{
	AUTO_ERR struct err err = { 0 };
	char *group;

	assert_ok(runc_spec_group(json, strlen(json), &group, &err), &err);
	return group;
}

static void assert_group(const char *json, const char *want)
{
	AUTO_FREE char *got = group_of(json);

	if (want == NULL)
		assert_null(got);
	else
		assert_string_equal(got, want);
}

static void the_group_is_the_first_annotation_there_is(void **state)
{
	assert_group("{}", NULL);
	assert_group("{\"annotations\":{\"io.kubernetes.cri.sandbox-id\":\"p\"}}", "p");
	assert_group("{\"annotations\":{\"io.kubernetes.cri.sandbox-id\":\"p\","
		     "\"io.containerd.runc.v2.group\":\"g\\u0031\"}}",
			"g1");
	assert_group("{\"annotations\":null}", NULL);
	assert_group("{\"annotations\":{\"io.containerd.runc.v2.group\":7}}", NULL);
}

static void a_malformed_document_is_said_to_be_so(void **state)
{
	AUTO_ERR struct err err = { 0 };
	char *group;

	assert_fails(runc_spec_group("{\"annotations\":", 15, &group, &err), &err, ERR_INVALID);
	assert_null(group);
}

static bool own_pids(const char *json)
{
	return runc_spec_has_own_pids(json, strlen(json));
}

static void pids_are_its_own_only_in_a_new_namespace(void **state)
{
	assert_true(own_pids("{\"linux\":{\"namespaces\":[{\"type\":\"mount\"},{\"type\":"
			     "\"pid\"}]}}"));
	assert_true(own_pids(
			"{\"linux\":{\"namespaces\":[{\"type\":\"pid\",\"path\":\"\"}]}}"));
	assert_false(own_pids(
			"{\"linux\":{\"namespaces\":[{\"type\":\"pid\",\"path\":\"/p\"}]}}"));
	assert_false(own_pids("{\"linux\":{\"namespaces\":[{\"type\":\"mount\"}]}}"));
	assert_false(own_pids("{\"linux\":{\"namespaces\":null}}"));
	assert_false(own_pids("{\"linux\":{}}"));
	assert_false(own_pids("nonsense"));
	assert_false(own_pids(""));
}

static void assert_cgroup(const char *json, const char *want)
{
	AUTO_FREE char *got = runc_spec_cgroup(json, strlen(json));

	if (want == NULL)
		assert_null(got);
	else
		assert_string_equal(got, want);
}

static void a_cgroup_is_told_only_by_its_path(void **state)
{
	assert_cgroup("{\"linux\":{\"cgroupsPath\":\"/ns/id\"}}", "/ns/id");
	assert_cgroup("{\"linux\":{\"cgroupsPath\":\"a.slice:b:c\"}}", NULL);
	assert_cgroup("{\"linux\":{\"cgroupsPath\":7}}", NULL);
	assert_cgroup("{\"linux\":{}}", NULL);
	assert_cgroup("garbage", NULL);
}

static void assert_terminal(const char *json, bool terminal, const char *want)
{
	AUTO_BUF struct buf out = { .limit = 4096 };
	AUTO_ERR struct err err = { 0 };

	assert_ok(runc_spec_set_terminal(json, strlen(json), terminal, &out, &err), &err);
	assert_string_equal(out.data, want);
}

/* RLIM_INFINITY does not fit the integers of JSON libraries. */
static void only_terminal_changes_in_a_process(void **state)
{
	assert_terminal("{\"rlimits\":[{\"hard\":18446744073709551615}], \"terminal\": false}",
			true,
			"{\"rlimits\":[{\"hard\":18446744073709551615}], \"terminal\": true}");
	assert_terminal("{\"cwd\":\"/\"}", false, "{\"cwd\":\"/\",\"terminal\":false}");
	assert_terminal("{}", true, "{\"terminal\":true}");
}

/* Go would take the second one too, and the last one counts. */
static void no_other_spelling_of_terminal_survives(void **state)
{
	AUTO_BUF struct buf out = { .limit = 4096 };
	AUTO_ERR struct err err = { 0 };
	const char *json = "{\"terminal\":true,\"Terminal\":true,\"env\":[\"terminal\"]}";

	assert_ok(runc_spec_set_terminal(json, strlen(json), false, &out, &err), &err);
	assert_null(strcasestr(out.data, "\"terminal\":true"));
	assert_non_null(strstr(out.data, "\"terminal\":false"));
	assert_non_null(strstr(out.data, "[\"terminal\"]"));
}

static void what_is_no_object_is_refused(void **state)
{
	static const char *const bad[] = { "", "7", "[]", "{", "{\"a\":}", "{\"a\"}", "{} x" };
	AUTO_ERR struct err err = { 0 };

	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		AUTO_BUF struct buf out = { .limit = 4096 };

		if (runc_spec_set_terminal(bad[i], strlen(bad[i]), true, &out, &err) == 0)
			fail_msg("taken: %s", bad[i]);
		err_clear(&err);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(the_group_is_the_first_annotation_there_is),
		TEST(a_malformed_document_is_said_to_be_so),
		TEST(pids_are_its_own_only_in_a_new_namespace),
		TEST(a_cgroup_is_told_only_by_its_path),
		TEST(only_terminal_changes_in_a_process),
		TEST(no_other_spelling_of_terminal_survives),
		TEST(what_is_no_object_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
