/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/shim-runc/runc_options.h"

#include <string.h>

#include "api/pb.h"
#include "api/pb/runc.pb-c.h"
#include "base/auto.h"
#include "base/buf.h"
#include "unit/unit.h"

static void absent_or_empty_options_are_the_defaults(void **state)
{
	AUTO_RUNC_OPTIONS struct runc_options o = { 0 };
	AUTO_BUF struct buf json = { .limit = 4096 };
	AUTO_ERR struct err err = { 0 };
	AUTO_FREE char *root = NULL;

	assert_ok(runc_options_decode("", NULL, 0, &o, &err), &err);
	assert_ok(runc_options_decode("example.v1.Options", NULL, 0, &o, &err), &err);
	runc_options_to_json(&o, &json);
	assert_string_equal(json.data, "{}");
	assert_string_equal(runc_options_binary(&o), "runc");
	root = runc_options_root(&o, "ns");
	assert_string_equal(root, "/run/containerd/runc/ns");
}

static void options_survive_the_way_through_the_file(void **state)
{
	Runc__Options m = RUNC__OPTIONS__INIT;
	AUTO_RUNC_OPTIONS struct runc_options o = { 0 };
	AUTO_RUNC_OPTIONS struct runc_options back = { 0 };
	AUTO_BUF struct buf bytes = { .limit = 4096 };
	AUTO_BUF struct buf json = { .limit = 4096 };
	AUTO_BUF struct buf again = { .limit = 4096 };
	AUTO_ERR struct err err = { 0 };

	m.no_pivot_root = m.systemd_cgroup = 1;
	m.io_uid = 4294967295U;
	m.binary_name = "/opt/my \"runc\"";
	m.root = "/run/other";
	m.shim_cgroup = "/shims";
	m.criu_work_path = "/w";
	pb_encode(&m.base, &bytes);
	assert_ok(runc_options_decode("containerd.runc.v1.Options", bytes.data, bytes.size, &o,
				  &err),
			&err);
	runc_options_to_json(&o, &json);
	assert_string_equal(json.data,
			"{\"no_pivot_root\":true,\"shim_cgroup\":\"/"
			"shims\",\"io_uid\":4294967295,"
			"\"binary_name\":\"/opt/my \\\"runc\\\"\",\"root\":\"/run/other\","
			"\"systemd_cgroup\":true,\"criu_work_path\":\"/w\"}");
	assert_ok(runc_options_from_json(json.data, json.size, &back, &err), &err);
	runc_options_to_json(&back, &again);
	assert_string_equal(again.data, json.data);
}

static void options_of_another_type_are_refused(void **state)
{
	AUTO_RUNC_OPTIONS struct runc_options o = { 0 };
	AUTO_ERR struct err err = { 0 };

	assert_fails(runc_options_decode("runtimeoptions.v1.Options", "x", 1, &o, &err), &err,
			ERR_INVALID);
	assert_int_equal(runc_options_decode("containerd.runc.v1.Options", "\xff", 1, &o, &err),
			-1);
}

static void any_option_that_is_set_is_no_default(void **state)
{
	struct runc_options o = { 0 };

	assert_true(runc_options_are_default(&o));
	o.io_gid = 1;
	assert_false(runc_options_are_default(&o));
	o.io_gid = 0;
	o.root = (char *)"/r";
	assert_false(runc_options_are_default(&o));
}

static void a_member_of_another_type_is_no_default(void **state)
{
	static const char wrong[] = "{\"root\":5}", none[] = "{\"root\":null,\"more\":5}";
	AUTO_RUNC_OPTIONS struct runc_options o = { 0 };
	AUTO_ERR struct err err = { 0 };

	assert_fails(runc_options_from_json(wrong, sizeof(wrong) - 1, &o, &err), &err,
			ERR_INVALID);
	err_clear(&err);
	assert_ok(runc_options_from_json(none, sizeof(none) - 1, &o, &err), &err);
	assert_null(o.root);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(absent_or_empty_options_are_the_defaults),
		TEST(options_survive_the_way_through_the_file),
		TEST(options_of_another_type_are_refused),
		TEST(any_option_that_is_set_is_no_default),
		TEST(a_member_of_another_type_is_no_default),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
