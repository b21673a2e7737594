/* SPDX-License-Identifier: Apache-2.0 */
#include "client/client_import_priv.h"

#include <string.h>

#include "base/auto.h"
#include "unit/unit.h"

static void names_in_archives_are_cleaned_as_go_does(void **state)
{
	static const char *const cases[][2] = {
		{ "a/b", "a/b" },
		{ "./a//b/", "a/b" },
		{ "a/../b", "b" },
		{ "../a", "../a" },
		{ "a/../../b", "../b" },
		{ "../../x/..", "../.." },
		{ "/../a", "/a" },
		{ "/", "/" },
		{ "", "." },
		{ "./", "." },
		{ "a/b/../../c", "c" },
		{ "/a/..", "/" },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		AUTO_FREE char *clean = archive_clean_name(cases[i][0]);

		assert_string_equal(clean, cases[i][1]);
	}
}

static void check_name(const struct import_names *names, const char *full, const char *ref,
		const char *want)
{
	AUTO_LABELS struct labels annotations = { 0 };
	AUTO_FREE char *got = NULL;

	if (full != NULL)
		labels_set(&annotations, "io.containerd.image.name", full);
	if (ref != NULL)
		labels_set(&annotations, "org.opencontainers.image.ref.name", ref);
	got = import_name(names, &annotations);
	if (want == NULL)
		assert_null(got);
	else
		assert_string_equal(got, want);
}

static void names_of_the_archive_are_kept_and_tags_completed(void **state)
{
	struct import_names any = { "import-x", false };

	check_name(&any, "docker.io/library/a:1", "1", "docker.io/library/a:1");
	check_name(&any, NULL, "latest", "import-x:latest");
	check_name(&any, NULL, "host/a:1", "host/a:1");
	check_name(&any, NULL, NULL, NULL);
}

static void a_base_name_lets_only_names_below_it_pass(void **state)
{
	struct import_names base = { "host/a", true };

	check_name(&base, NULL, "latest", "host/a:latest");
	check_name(&base, NULL, "host/a:1", "host/a:1");
	check_name(&base, NULL, "host/a/b", "host/a/b");
	check_name(&base, NULL, "host/a", "host/a");
	check_name(&base, NULL, "host/ab:1", NULL);
	check_name(&base, NULL, "other/x:1", NULL);
	check_name(&base, "other/x:1", NULL, "other/x:1");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(names_in_archives_are_cleaned_as_go_does),
		TEST(names_of_the_archive_are_kept_and_tags_completed),
		TEST(a_base_name_lets_only_names_below_it_pass),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
