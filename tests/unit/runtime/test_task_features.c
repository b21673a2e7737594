/* SPDX-License-Identifier: Apache-2.0 */
#include "unit/unit.h"

#include <string.h>

#include "core/any.h"
#include "runtime/runtime_priv.h"

static bool asks(const char *spec)
{
	struct any any = { true, (char *)"t", (char *)spec, strlen(spec) };

	return task_has_idmapped_mounts(&any);
}

static void idmapped_mounts_are_found_wherever_they_are_asked_for(void **state)
{
	assert_false(asks(""));
	assert_false(asks("{}"));
	assert_false(asks("{\"mounts\":[{\"options\":[\"ro\"]}]}"));
	/* A user namespace is something else. */
	assert_false(asks("{\"linux\":{\"uidMappings\":[{\"size\":1}]},\"mounts\":[{}]}"));
	assert_false(asks("{\"mounts\":[{\"uidMappings\":[]}]}"));
	assert_false(asks("{\"mounts\":null,\"x\":\"idmap\"}"));
	assert_true(asks("{\"mounts\":[{},{\"uidMappings\":[{\"size\":1}]}]}"));
	assert_true(asks("{\"mounts\":[{\"gidMappings\":[{\"size\":1}]}]}"));
	assert_true(asks("{\"mounts\":[{\"options\":[\"bind\",\"idmap\"]}]}"));
	assert_true(asks("{\"mounts\":[{\"options\":[\"ridmap\"]}]}"));
}

static int check(const char *features, struct err *err)
{
	return task_features_have_idmap(features, strlen(features), err);
}

static void only_a_runtime_that_says_so_can_map_mounts(void **state)
{
	AUTO_ERR struct err err = { 0 };

	assert_ok(check("{\"linux\":{\"mountExtensions\":{\"idmap\":{\"enabled\":true}}}}",
				  &err),
			&err);
	assert_int_equal(check("{\"linux\":{\"mountExtensions\":{\"idmap\":{}}}}", &err), -1);
	err_clear(&err);
	assert_int_equal(check("{\"linux\":{}}", &err), -1);
	assert_string_equal(err_text(&err),
			"failed to validate OCI runtime features: idmap mounts not supported: "
			"missing `mountExtensions.idmap` entry in `features` command");
	err_clear(&err);
	assert_int_equal(check("garbage", &err), -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(idmapped_mounts_are_found_wherever_they_are_asked_for),
		TEST(only_a_runtime_that_says_so_can_map_mounts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
