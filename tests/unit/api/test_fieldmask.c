/* SPDX-License-Identifier: Apache-2.0 */
#include "api/fieldmask.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>

static void absent_and_empty_are_the_same(void **state)
{
	Google__Protobuf__FieldMask mask = GOOGLE__PROTOBUF__FIELD_MASK__INIT;

	assert_null(fieldmask_or_null(NULL));
	assert_null(fieldmask_or_null(&mask));
	assert_false(fieldmask_has(NULL, "labels"));
}

static void a_path_is_found_whole(void **state)
{
	char one[] = "labels.a", two[] = "spec";
	char *paths[] = { one, two };
	Google__Protobuf__FieldMask mask = GOOGLE__PROTOBUF__FIELD_MASK__INIT;

	mask.n_paths = 2;
	mask.paths = paths;
	assert_ptr_equal(fieldmask_or_null(&mask), &mask);
	assert_true(fieldmask_has(&mask, "spec"));
	assert_true(fieldmask_has(&mask, "labels.a"));
	assert_false(fieldmask_has(&mask, "labels"));
	assert_false(fieldmask_has(&mask, "spec.x"));
}

static void the_key_is_all_behind_the_first_dot(void **state)
{
	assert_string_equal(fieldmask_key("labels.k", "labels"), "k");
	assert_string_equal(fieldmask_key("labels.containerd.io/gc.ref.snapshot.overlayfs",
					    "labels"),
			"containerd.io/gc.ref.snapshot.overlayfs");
	assert_string_equal(fieldmask_key("labels.", "labels"), "");
	assert_null(fieldmask_key("labels", "labels"));
	assert_null(fieldmask_key("labelsx.k", "labels"));
	assert_null(fieldmask_key("extensions.k", "labels"));
	assert_null(fieldmask_key("", "labels"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(absent_and_empty_are_the_same),
		cmocka_unit_test(a_path_is_found_whole),
		cmocka_unit_test(the_key_is_all_behind_the_first_dot),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
