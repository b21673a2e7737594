/* SPDX-License-Identifier: Apache-2.0 */
#include "api/typeurl.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "api/arena.h"
#include "api/pb/empty.pb-c.h"
#include "api/pb/event.pb-c.h"
#include "api/pb/images.pb-c.h"
#include "api/pb/runc.pb-c.h"
#include "base/err.h"

static void packed_with_the_bare_name(void **state)
{
	AUTO_ARENA struct arena a = { 0 };
	Event__TaskPaused event = EVENT__TASK_PAUSED__INIT;
	Images__ImageDelete gone = IMAGES__IMAGE_DELETE__INIT;
	Google__Protobuf__Any *any;

	arena_init(&a, 0);
	event.container_id = "c";
	any = any_pack(&a, &event.base);
	assert_string_equal(any->type_url, "containerd.events.TaskPaused");
	assert_int_equal(any->value.len, 3);
	assert_memory_equal(any->value.data,
			"\x0a\x01"
			"c",
			3);
	assert_string_equal(any_pack(&a, &gone.base)->type_url,
			"containerd.services.images.v1.ImageDelete");
}

static void unpacked_only_under_the_exact_name(void **state)
{
	AUTO_ARENA struct arena a = { 0 };
	AUTO_ERR struct err err = { 0 };
	Runc__Options options = RUNC__OPTIONS__INIT;
	ProtobufCMessage *message;
	Google__Protobuf__Any *any;

	arena_init(&a, 10000);
	options.binary_name = "crun";
	any = any_pack(&a, &options.base);
	assert_true(any_is(any, &runc__options__descriptor));
	assert_int_equal(any_unpack(any, &runc__options__descriptor, &a, NULL, &message, &err),
			0);
	assert_string_equal(((Runc__Options *)message)->binary_name, "crun");

	any->type_url = arena_strdup(&a, "type.googleapis.com/containerd.runc.v1.Options");
	assert_false(any_is(any, &runc__options__descriptor));
	assert_int_equal(any_unpack(any, &runc__options__descriptor, &a, NULL, &message, &err),
			-1);
	assert_string_equal(err_text(&err),
			"can't unmarshal type "
			"\"type.googleapis.com/containerd.runc.v1.Options\" "
			"to output \"containerd.runc.v1.Options\"");
}

static void absent_unpacks_as_empty(void **state)
{
	AUTO_ARENA struct arena a = { 0 };
	AUTO_ERR struct err err = { 0 };
	ProtobufCMessage *message;

	arena_init(&a, 10000);
	assert_int_equal(any_unpack(NULL, &runc__options__descriptor, &a, NULL, &message, &err),
			0);
	assert_string_equal(((Runc__Options *)message)->binary_name, "");
	assert_false(any_is(NULL, &runc__options__descriptor));
}

static void found_behind_any_prefix(void **state)
{
	assert_ptr_equal(typeurl_find("containerd.events.TaskExit"),
			&event__task_exit__descriptor);
	assert_ptr_equal(typeurl_find("type.googleapis.com/google.protobuf.Empty"),
			&google__protobuf__empty__descriptor);
	assert_ptr_equal(typeurl_find("a/b/containerd.runc.v1.Options"),
			&runc__options__descriptor);
	assert_null(typeurl_find("containerd.events.TaskExi"));
	assert_null(typeurl_find("containerd.events.TaskExit/"));
	assert_null(typeurl_find(""));
	assert_null(typeurl_find(TYPEURL_SPEC));
}

static void json_urls_are_told_apart(void **state)
{
	assert_true(typeurl_is_json(TYPEURL_SPEC));
	assert_true(typeurl_is_json(
			"types.containerd.io/opencontainers/runtime-spec/1/features/Features"));
	assert_false(typeurl_is_json("containerd.runc.v1.Options"));
}

static void an_unknown_type_is_not_found(void **state)
{
	AUTO_ARENA struct arena a = { 0 };
	AUTO_ERR struct err err = { 0 };
	ProtobufCMessage *message;

	arena_init(&a, 10000);
	assert_int_equal(any_unpack_known(any_wrap(&a, "x.Y", "", 0), &a, NULL, &message, &err),
			-1);
	assert_int_equal(err.kind, ERR_NOT_FOUND);
	assert_string_equal(err_text(&err), "type with url x.Y: not found");
}

static void a_known_type_is_decoded(void **state)
{
	AUTO_ARENA struct arena a = { 0 };
	AUTO_ERR struct err err = { 0 };
	ProtobufCMessage *message;
	Google__Protobuf__Any *any;

	arena_init(&a, 10000);
	any = any_wrap(&a, "containerd.events.TaskStart", "\x10\x2a", 2);
	assert_int_equal(any_unpack_known(any, &a, NULL, &message, &err), 0);
	assert_ptr_equal(message->descriptor, &event__task_start__descriptor);
	assert_int_equal(((Event__TaskStart *)message)->pid, 42);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(packed_with_the_bare_name),
		cmocka_unit_test(unpacked_only_under_the_exact_name),
		cmocka_unit_test(absent_unpacks_as_empty),
		cmocka_unit_test(found_behind_any_prefix),
		cmocka_unit_test(json_urls_are_told_apart),
		cmocka_unit_test(an_unknown_type_is_not_found),
		cmocka_unit_test(a_known_type_is_decoded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
