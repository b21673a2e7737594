/* SPDX-License-Identifier: Apache-2.0 */
#include "api/pb.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "api/arena.h"
#include "api/pb/bootstrap.pb-c.h"
#include "api/pb/containers.pb-c.h"
#include "api/pb/task_v3.pb-c.h"
#include "base/buf.h"
#include "base/err.h"

#define BYTES(text) text, sizeof(text) - 1

static void messages_survive_the_round_trip(void **state)
{
	AUTO_BUF struct buf b = { .limit = 1000 };
	AUTO_ARENA struct arena a = { 0 };
	AUTO_ERR struct err err = { 0 };
	TaskV3__KillRequest kill = TASK_V3__KILL_REQUEST__INIT, *back;
	ProtobufCMessage *message;

	arena_init(&a, 10000);
	kill.id = "c1";
	kill.signal = 9;
	kill.all = 1;
	pb_encode(&kill.base, &b);
	assert_int_equal(b.size, 8);
	assert_memory_equal(b.data,
			"\x0a\x02"
			"c1\x18\x09\x20\x01",
			8);
	assert_int_equal(pb_decode(&task_v3__kill_request__descriptor, b.data, b.size, &a, NULL,
					 &message, &err),
			0);
	back = (TaskV3__KillRequest *)message;
	assert_string_equal(back->id, "c1");
	assert_string_equal(back->exec_id, "");
	assert_int_equal(back->signal, 9);
	assert_int_equal(back->all, 1);
}

static void a_field_in_a_oneof_of_one_tells_empty_from_absent(void **state)
{
	AUTO_ARENA struct arena a = { 0 };
	AUTO_ERR struct err err = { 0 };
	ProtobufCMessage *message;
	Bootstrap__BootstrapParams *params;

	arena_init(&a, 10000);
	assert_int_equal(pb_decode(&bootstrap__bootstrap_params__descriptor, BYTES("\x4a\0"),
					 &a, NULL, &message, &err),
			0);
	params = (Bootstrap__BootstrapParams *)message;
	assert_int_equal(params->_socket_dir_case,
			BOOTSTRAP__BOOTSTRAP_PARAMS___SOCKET_DIR_SOCKET_DIR);
	assert_string_equal(params->socket_dir, "");
	assert_int_equal(pb_decode(&bootstrap__bootstrap_params__descriptor, "", 0, &a, NULL,
					 &message, &err),
			0);
	params = (Bootstrap__BootstrapParams *)message;
	assert_int_equal(params->_socket_dir_case,
			BOOTSTRAP__BOOTSTRAP_PARAMS___SOCKET_DIR__NOT_SET);
}

static void check_fault(const void *data, size_t size, enum err_kind kind, const char *text)
{
	AUTO_ARENA struct arena a = { 0 };
	AUTO_ERR struct err err = { 0 };
	ProtobufCMessage *message = NULL;

	arena_init(&a, 10 << 20);
	assert_int_equal(pb_decode(&containers__get_container_request__descriptor, data, size,
					 &a, NULL, &message, &err),
			-1);
	assert_null(message);
	assert_int_equal(err.kind, kind);
	assert_string_equal(err_text(&err), text);
}

static void a_refusal_says_why_and_where(void **state)
{
	check_fault(BYTES("\x0a\x05x"), ERR_INTERNAL,
			"proto: cannot parse invalid wire-format data: "
			"containerd.services.containers.v1.GetContainerRequest.id");
	check_fault(BYTES("\x0a\x01\xff"), ERR_INTERNAL,
			"proto: string field contains invalid UTF-8: "
			"containerd.services.containers.v1.GetContainerRequest.id");
	check_fault(BYTES("\x80"), ERR_INTERNAL,
			"proto: cannot parse invalid wire-format data: "
			"containerd.services.containers.v1.GetContainerRequest");
}

static void unknown_fields_are_sent_on(void **state)
{
	static const char bytes[] = "\x0a\x01x\xa2\x06\x03"
				    "abc\xa8\x06\x05";
	AUTO_BUF struct buf b = { .limit = 1000 };
	AUTO_ARENA struct arena a = { 0 };
	AUTO_ERR struct err err = { 0 };
	ProtobufCMessage *message;

	arena_init(&a, 10000);
	assert_int_equal(pb_decode(&containers__get_container_request__descriptor, BYTES(bytes),
					 &a, NULL, &message, &err),
			0);
	pb_encode(message, &b);
	assert_int_equal(b.size, sizeof(bytes) - 1);
	assert_memory_equal(b.data, bytes, sizeof(bytes) - 1);
}

static void the_arena_bounds_decoding(void **state)
{
	AUTO_ARENA struct arena a = { 0 };
	AUTO_ERR struct err err = { 0 };
	ProtobufCMessage *message;

	arena_init(&a, 40);
	assert_int_equal(pb_decode(&containers__container__descriptor, "", 0, &a, NULL,
					 &message, &err),
			-1);
	assert_int_equal(err.kind, ERR_EXHAUSTED);
}

/* pb_decode() relies on it: what the scan announces is never less than what is taken. */
static void the_scan_announces_enough(void **state)
{
	AUTO_BUF struct buf b = { .limit = 1 << 20 };
	AUTO_ARENA struct arena a = { 0 };
	AUTO_ERR struct err err = { 0 };
	ProtobufCMessage *message;
	struct pb_scan found;

	for (int i = 0; i < 600; i++) {
		buf_add(&b, "\x12\x06\x0a\x01k\x12\x01v", 8);
		buf_add(&b, "\xa0\x06\x07", 3);
		arena_init(&a, SIZE_MAX);
		assert_int_equal(pb_scan(&containers__container__descriptor, b.data, b.size,
						 NULL, &found),
				0);
		assert_int_equal(pb_decode(&containers__container__descriptor, b.data, b.size,
						 &a, NULL, &message, &err),
				0);
		assert_true(a.counted <= found.memory);
		arena_done(&a);
	}
}

static void a_full_buffer_is_remembered(void **state)
{
	AUTO_BUF struct buf b = { .limit = 3 };
	TaskV3__KillRequest kill = TASK_V3__KILL_REQUEST__INIT;

	kill.id = "much too long";
	pb_encode(&kill.base, &b);
	assert_true(b.overflowed);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(messages_survive_the_round_trip),
		cmocka_unit_test(a_field_in_a_oneof_of_one_tells_empty_from_absent),
		cmocka_unit_test(a_refusal_says_why_and_where),
		cmocka_unit_test(unknown_fields_are_sent_on),
		cmocka_unit_test(the_arena_bounds_decoding),
		cmocka_unit_test(the_scan_announces_enough),
		cmocka_unit_test(a_full_buffer_is_remembered),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
