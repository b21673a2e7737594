/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "base/auto.h"
#include "ctrd/ctrd.h"
#include "support/tempdir.h"
#include "unit/unit.h"

static char *process_of(struct ctrd_spec *spec)
{
	return ctrd_spec_process_json(spec, NULL);
}

static void foreign_specs_keep_what_we_do_not_know(void **state)
{
	static const char json[] = "{\"ociVersion\":\"9\",\"x\":{\"y\":18446744073709551615},"
				   "\"process\":{\"cwd\":\"/\",\"z\":1,\"user\":{}}}";
	struct ctrd_spec *spec = NULL;
	AUTO_FREE char *text = NULL;

	assert_int_equal(ctrd_spec_parse(json, strlen(json), &spec, NULL), 0);
	ctrd_spec_set_terminal(spec, 1);
	text = ctrd_spec_json(spec, NULL);
	assert_string_equal(text, "{\"ociVersion\":\"9\",\"process\":{\"terminal\":true,"
				  "\"user\":{},\"cwd\":\"/\",\"z\":1},"
				  "\"x\":{\"y\":18446744073709551615}}");
	ctrd_spec_free(spec);
	assert_int_equal(ctrd_spec_parse("[]", 2, &spec, NULL), -1);
}

static void a_terminal_brings_the_variable_that_names_it(void **state)
{
	struct ctrd_spec *spec = NULL;
	AUTO_FREE char *text = NULL;

	assert_int_equal(ctrd_spec_parse("{}", 2, &spec, NULL), 0);
	assert_int_equal(ctrd_spec_terminal(spec), 0);
	ctrd_spec_add_terminal(spec);
	assert_int_equal(ctrd_spec_terminal(spec), 1);
	text = process_of(spec);
	assert_string_equal(text, "{\"terminal\":true,\"env\":[\"TERM=xterm\"]}");
	ctrd_spec_free(spec);
}

static void users_are_looked_up_in_the_root(void **state)
{
	struct ctrd_spec *spec = NULL;
	struct ctrd_rootfs *root = NULL;
	struct ctrd_error *error = NULL;
	AUTO_FREE char *text = NULL;
	struct tempdir dir;

	tempdir_make(&dir);
	assert_int_equal(mkdirat(dir.fd, "etc", 0755), 0);
	put_file(dir.fd, "etc/passwd", "www:x:33:34::/:\n");
	put_file(dir.fd, "etc/group", "video:x:44:www\n");
	assert_int_equal(ctrd_spec_parse("{}", 2, &spec, NULL), 0);
	assert_int_equal(ctrd_rootfs_of_path(dir.path, &root, NULL), 0);
	assert_int_equal(ctrd_spec_set_user(spec, "www", root, NULL), 0);
	text = process_of(spec);
	assert_string_equal(
			text, "{\"user\":{\"uid\":33,\"gid\":34,\"additionalGids\":[34,44]}}");
	assert_int_equal(ctrd_spec_set_user(spec, "none", root, &error), -1);
	assert_string_equal(ctrd_error_text(error), "no users found");
	ctrd_error_free(error);
	ctrd_rootfs_free(root);
	ctrd_spec_free(spec);
	tempdir_remove(&dir);
}

static void mapped_roots_are_found(void **state)
{
	struct ctrd_spec *spec = NULL;

	assert_int_equal(ctrd_spec_parse("{}", 2, &spec, NULL), 0);
	assert_int_equal(ctrd_spec_root_uid(spec), 0);
	ctrd_spec_add_uid_mapping(spec, 0, 100000, 65536);
	ctrd_spec_add_gid_mapping(spec, 0, 200000, 65536);
	assert_int_equal(ctrd_spec_root_uid(spec), 100000);
	assert_int_equal(ctrd_spec_root_gid(spec), 200000);
	ctrd_spec_free(spec);
}

static void devices_must_be_devices(void **state)
{
	struct ctrd_spec *spec = ctrd_spec_default("ns", "id");
	struct ctrd_error *error = NULL;

	assert_int_equal(ctrd_spec_add_device(spec, "/dev/null", "rwm", NULL), 0);
	assert_int_equal(ctrd_spec_add_device(spec, "/etc/passwd", "rwm", &error), -1);
	assert_non_null(strstr(ctrd_error_text(error), "not a device node"));
	ctrd_error_free(error);
	assert_int_equal(ctrd_spec_add_device(spec, "/dev/nope", "rwm", NULL), -1);
	ctrd_spec_free(spec);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(foreign_specs_keep_what_we_do_not_know),
		TEST(a_terminal_brings_the_variable_that_names_it),
		TEST(users_are_looked_up_in_the_root),
		TEST(mapped_roots_are_found),
		TEST(devices_must_be_devices),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
