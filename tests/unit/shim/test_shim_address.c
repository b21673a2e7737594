/* SPDX-License-Identifier: Apache-2.0 */
#include "shim/shim_address.h"

#include "base/auto.h"
#include "unit/unit.h"

static void assert_joined(char *own_got, const char *want)
{
	AUTO_FREE char *got = own_got;

	assert_string_equal(got, want);
}

static void paths_are_joined_and_cleaned_as_go_does(void **state)
{
	assert_joined(shim_join("/a/", "/b", "c", NULL), "/a/b/c");
	assert_joined(shim_join("/a//b/./c/..", NULL), "/a/b");
	assert_joined(shim_join("/..", "a", NULL), "/a");
	assert_joined(shim_join("../..", "..", "x", NULL), "../../../x");
	assert_joined(shim_join("a/b", "../../..", NULL), "..");
	assert_joined(shim_join("a", "..", NULL), ".");
	assert_joined(shim_join("", "a", "", NULL), "a");
	assert_joined(shim_join("", "", NULL), "");
	assert_joined(shim_join("/", NULL), "/");
}

/* sha256sum of "/run/containerd/containerd.sock/default/redis" */
static void the_socket_is_where_others_compute_it(void **state)
{
	assert_joined(shim_socket_path(SHIM_SOCKET_DIR, "/run/containerd/containerd.sock",
				      "default", "redis"),
			"/run/containerd/s/"
			"f6b99128c07bdbd0902363ba979c22f8ef053e683a7ce24dd016a1ab17092c33");
	assert_joined(shim_debug_socket_path(SHIM_SOCKET_DIR, "/run/containerd/containerd.sock",
				      "default", "redis"),
			"/run/containerd/s/"
			"85cbbbc9c96db79a9641bc82285af17595410e5a369bb0c244c9ca49fda8de87");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(paths_are_joined_and_cleaned_as_go_does),
		TEST(the_socket_is_where_others_compute_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
