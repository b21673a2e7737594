/* SPDX-License-Identifier: Apache-2.0 */
#include "oci/reference.h"

#include <string.h>

#include "base/auto.h"
#include "base/mem.h"
#include "base/str.h"
#include "unit/unit.h"

#define HEX64 "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

static void docker_names_are_completed(void **state)
{
	static const char *const cases[][2] = {
		{ "busybox", "docker.io/library/busybox" },
		{ "a/b", "docker.io/a/b" },
		{ "index.docker.io/x:1", "docker.io/library/x:1" },
		{ "docker.io/x", "docker.io/library/x" },
		{ "localhost/x", "localhost/x" },
		{ "host.tld/a/b:v1.0", "host.tld/a/b:v1.0" },
		{ "host:5000/a", "host:5000/a" },
		{ "Host/a", "Host/a" },
		{ "[::1]:5000/a:t", "[::1]:5000/a:t" },
		{ "x@sha256:" HEX64, "docker.io/library/x@sha256:" HEX64 },
		{ "x:t@sha256:" HEX64, "docker.io/library/x:t@sha256:" HEX64 },
		{ "a--b/c__d/e.f", "docker.io/a--b/c__d/e.f" },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		AUTO_ERR struct err err = { 0 };
		AUTO_REF_NAME struct ref_name n = { 0 };
		AUTO_FREE char *text = NULL;

		assert_ok(ref_name_parse(cases[i][0], &n, &err), &err);
		text = ref_name_text(&n);
		assert_string_equal(text, cases[i][1]);
	}
}

static void names_outside_the_grammar_are_refused(void **state)
{
	static const char *const bad[] = { "", "Busybox", "a/B", "-host.tld/x", "host.tld:x/y",
		"a//b", "a:", "a:.t", "a@sha256:123", "a___b", "a..b", "a b", HEX64,
		"host.tld/", "a:t:u", "a@md5:" HEX64 };

	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		AUTO_ERR struct err err = { 0 };
		AUTO_REF_NAME struct ref_name n = { 0 };

		if (ref_name_parse(bad[i], &n, &err) == 0)
			fail_msg("accepted: %s", bad[i]);
	}
}

static void names_are_at_most_255_characters(void **state)
{
	AUTO_ERR struct err err = { 0 };
	AUTO_REF_NAME struct ref_name n = { 0 };
	AUTO_FREE char *text = xzalloc(300);

	memset(text, 'a', 255 - strlen("docker.io/library/"));
	assert_ok(ref_name_parse(text, &n, &err), &err);
	memset(text, 'a', 256 - strlen("docker.io/library/"));
	assert_fails(ref_name_parse(text, &n, &err), &err, ERR_INVALID);
}

static void an_id_or_digest_is_a_reference_but_no_name(void **state)
{
	AUTO_ERR struct err err = { 0 };

	assert_ok(ref_any_check(HEX64, &err), &err);
	assert_ok(ref_any_check("sha256:" HEX64, &err), &err);
	assert_fails(ref_any_check("UPPER", &err), &err, ERR_INVALID);
}

static void upper_case_is_named_in_the_error(void **state)
{
	AUTO_ERR struct err err = { 0 };
	AUTO_REF_NAME struct ref_name n = { 0 };

	assert_int_equal(ref_name_parse("FOO:x", &n, &err), -1);
	assert_string_equal(err_text(&err), "invalid reference format: repository name "
					    "(library/FOO) must be lowercase");
}

static void familiar_names_lose_what_was_added(void **state)
{
	static const char *const cases[][2] = {
		{ "docker.io/library/busybox:1", "busybox:1" },
		{ "docker.io/a/b", "a/b" },
		{ "host.tld/library/x", "host.tld/library/x" },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		AUTO_ERR struct err err = { 0 };
		AUTO_REF_NAME struct ref_name n = { 0 };
		AUTO_FREE char *text = NULL;

		assert_ok(ref_name_parse(cases[i][0], &n, &err), &err);
		text = ref_name_familiar(&n);
		assert_string_equal(text, cases[i][1]);
	}
}

static void containerd_names_get_nothing_added(void **state)
{
	static const char *const cases[][4] = {
		/* text, locator, object, digest */
		{ "docker.io/library/alpine:latest", "docker.io/library/alpine", "latest", "" },
		{ "host:5000/a//b/../c", "host:5000/a/c", "", "" },
		{ "h/r@sha256:" HEX64, "h/r", "@sha256:" HEX64, "sha256:" HEX64 },
		{ "h/r:t@sha256:" HEX64, "h/r", "t@sha256:" HEX64, "sha256:" HEX64 },
		{ "nope", "nope", "", "" },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		AUTO_ERR struct err err = { 0 };
		AUTO_REF_SPEC struct ref_spec s = { 0 };

		assert_ok(ref_spec_parse(cases[i][0], &s, &err), &err);
		assert_string_equal(s.locator, cases[i][1]);
		assert_string_equal(s.object, cases[i][2]);
		assert_string_equal(ref_spec_digest(&s), cases[i][3]);
	}
}

static void containerd_names_need_a_host_that_an_url_may_have(void **state)
{
	AUTO_ERR struct err err = { 0 };
	AUTO_REF_SPEC struct ref_spec s = { 0 };

	assert_int_equal(ref_spec_parse("alpine:latest", &s, &err), -1);
	assert_string_equal(err_text(&err), "parse \"dummy://alpine:latest\": invalid port "
					    "\":latest\" after host");
	err_clear(&err);
	assert_int_equal(ref_spec_parse("/x", &s, &err), -1);
	assert_string_equal(err_text(&err), "hostname required");
	err_clear(&err);
	assert_int_equal(ref_spec_parse("http://h/x", &s, &err), -1);
	assert_string_equal(err_text(&err), "invalid reference");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(docker_names_are_completed),
		TEST(names_outside_the_grammar_are_refused),
		TEST(names_are_at_most_255_characters),
		TEST(an_id_or_digest_is_a_reference_but_no_name),
		TEST(upper_case_is_named_in_the_error),
		TEST(familiar_names_lose_what_was_added),
		TEST(containerd_names_get_nothing_added),
		TEST(containerd_names_need_a_host_that_an_url_may_have),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
