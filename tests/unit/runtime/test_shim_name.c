/* SPDX-License-Identifier: Apache-2.0 */
#include "unit/unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/mem.h"
#include "base/str.h"
#include "runtime/shim_name.h"

static void runtime_names_become_binaries(void **state)
{
	static const struct {
		const char *runtime, *name; /* NULL: refused */
	} rows[] = { { "io.containerd.runc.v2", "containerd-shim-runc-v2" },
		{ "io.containerd.kata-qemu.v2", "containerd-shim-kata-qemu-v2" },
		{ "a.b", "containerd-shim-a-b" }, { "/usr/bin/x", "/usr/bin/x" }, { "", NULL },
		{ "runc", NULL }, { ".runc.v2", NULL }, { "a/b.c", NULL }, { "./a.b", NULL } };

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		AUTO_ERR struct err err = { 0 };
		AUTO_FREE char *name = NULL;

		assert_int_equal(shim_name_of_runtime(rows[i].runtime, &name, &err),
				rows[i].name == NULL ? -1 : 0);
		if (rows[i].name != NULL)
			assert_string_equal(name, rows[i].name);
	}
}

static void refusals_are_the_original_s_words(void **state)
{
	AUTO_ERR struct err err = { 0 };
	char *name = NULL;

	assert_int_equal(shim_find_binary("", "/nowhere", &name, &err), -1);
	assert_string_equal(err_text(&err), "no runtime name");
	err_clear(&err);
	assert_int_equal(shim_find_binary("io.x.v9", "/nowhere", &name, &err), -1);
	assert_string_equal(err_text(&err),
			"runtime \"io.x.v9\" binary not installed \"containerd-shim-x-v9\": "
			"file does not exist");
	err_clear(&err);
	assert_int_equal(shim_find_binary("/nowhere/shim", NULL, &name, &err), -1);
	assert_string_equal(err_text(&err),
			"invalid custom binary path: stat /nowhere/shim: no such file or "
			"directory");
}

static void binaries_are_found_in_the_path(void **state)
{
	char dir[] = "/tmp/ctrd-name-XXXXXX";
	AUTO_ERR struct err err = { 0 };
	AUTO_FREE char *file = NULL, *found = NULL, *path = NULL;

	assert_non_null(mkdtemp(dir));
	file = xasprintf("%s/containerd-shim-x-v1", dir);
	path = xasprintf("/nowhere:%s", dir);
	fclose(fopen(file, "w"));
	assert_int_equal(chmod(file, 0755), 0);
	assert_ok(shim_find_binary("io.x.v1", path, &found, &err), &err);
	assert_string_equal(found, file);
	(void)unlink(file);
	(void)rmdir(dir);
}

/* sha256 of "/run/containerd/containerd.sock/default/redis". */
static void the_socket_is_where_runc_shims_listen(void **state)
{
	AUTO_FREE char *path = shim_socket_path("/run/containerd/s",
			"/run/containerd/containerd.sock", "default", "redis");

	assert_string_equal(path,
			"/run/containerd/s/"
			"f6b99128c07bdbd0902363ba979c22f8ef053e683a7ce24dd016a1ab17092c33");
}

static void annotations_name_the_group(void **state)
{
	static const struct {
		const char *spec, *group;
	} rows[] = { { "{}", "id" }, { "", "id" }, { "garbage", "id" },
		{ "{\"annotations\":{\"io.kubernetes.cri.sandbox-id\":\"pod\"}}", "pod" },
		{ "{\"annotations\":{\"io.kubernetes.cri.sandbox-id\":\"pod\","
		  "\"io.containerd.runc.v2.group\":\"g\"}}",
				"g" },
		{ "{\"annotations\":{\"io.containerd.runc.v2.group\":7}}", "id" } };

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		AUTO_FREE char *group = shim_group_of(rows[i].spec, strlen(rows[i].spec), "id");

		assert_string_equal(group, rows[i].group);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(runtime_names_become_binaries),
		TEST(refusals_are_the_original_s_words),
		TEST(binaries_are_found_in_the_path),
		TEST(the_socket_is_where_runc_shims_listen),
		TEST(annotations_name_the_group),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
