/* SPDX-License-Identifier: Apache-2.0 */
#include "client/client_message_priv.h"

#include <string.h>

#include "api/pb/cgroups_v1.pb-c.h"
#include "api/pb/containers.pb-c.h"
#include "api/pb/event.pb-c.h"
#include "base/auto.h"
#include "ctrd/ctrd.h"
#include "unit/unit.h"

static void empty_members_are_left_out(void **state)
{
	Event__TaskExit exit = EVENT__TASK_EXIT__INIT;
	AUTO_FREE char *json = message_json(&exit.base, NULL);

	assert_string_equal(json, "{}");
}

static void times_are_seconds_and_nanos(void **state)
{
	Event__TaskExit exit = EVENT__TASK_EXIT__INIT;
	Google__Protobuf__Timestamp when = GOOGLE__PROTOBUF__TIMESTAMP__INIT;
	AUTO_FREE char *json = NULL;

	when.seconds = 12;
	when.nanos = 5;
	exit.container_id = "a<b";
	exit.exit_status = 137;
	exit.exited_at = &when;
	json = message_json(&exit.base, NULL);
	assert_string_equal(json, "{\"container_id\":\"a\\u003cb\",\"exit_status\":137,"
				  "\"exited_at\":{\"seconds\":12,\"nanos\":5}}");
}

static void maps_are_sorted_and_the_last_of_equal_keys_counts(void **state)
{
	Event__NamespaceUpdate update = EVENT__NAMESPACE_UPDATE__INIT;
	Event__NamespaceUpdate__LabelsEntry entries[3];
	Event__NamespaceUpdate__LabelsEntry *list[3];
	static const char *const keys[] = { "b", "a", "b" }, *const values[] = { "1", "2",
		"3" };
	AUTO_FREE char *json = NULL;

	for (size_t i = 0; i < 3; i++) {
		event__namespace_update__labels_entry__init(&entries[i]);
		entries[i].key = keys[i];
		entries[i].value = values[i];
		list[i] = &entries[i];
	}
	update.name = "n";
	update.labels = list;
	update.n_labels = 3;
	json = message_json(&update.base, NULL);
	assert_non_null(strstr(json, "\"labels\":{\"a\":\"2\",\"b\":"));
	assert_null(strstr(json, "\"b\":\"1\",\"b\":"));
}

static void bytes_are_base64(void **state)
{
	Google__Protobuf__Any any = GOOGLE__PROTOBUF__ANY__INIT;
	uint8_t bytes[] = { 0xff, 0x00, 0x10, 0x83 };
	AUTO_FREE char *json = NULL;

	any.type_url = (char *)"t";
	any.value.data = bytes;
	any.value.len = 4;
	json = message_json(&any.base, NULL);
	assert_string_equal(json, "{\"type_url\":\"t\",\"value\":\"/wAQgw==\"}");
}

static void numbers_are_found_by_path(void **state)
{
	CgroupsV1__Metrics m = CGROUPS_V1__METRICS__INIT;
	CgroupsV1__CPUStat cpu = CGROUPS_V1__CPUSTAT__INIT;
	CgroupsV1__CPUUsage usage = CGROUPS_V1__CPUUSAGE__INIT;
	uint64_t each[] = { 7, UINT64_MAX }, value = 0;

	usage.total = 9;
	usage.per_cpu = each;
	usage.n_per_cpu = 2;
	cpu.usage = &usage;
	m.cpu = &cpu;
	assert_true(message_number(&m.base, "cpu.usage.total", &value));
	assert_int_equal(value, 9);
	assert_true(message_number(&m.base, "cpu.usage.per_cpu.1", &value));
	assert_true(value == UINT64_MAX);
	assert_true(message_number(&m.base, "cpu", &value));
	assert_false(message_number(&m.base, "cpu.usage.per_cpu.2", &value));
	assert_false(message_number(&m.base, "cpu.throttling.periods", &value));
	assert_false(message_number(&m.base, "memory", &value));
	assert_false(message_number(&m.base, "nope.x", &value));
	assert_false(message_number(&m.base, "", &value));
}

static void signals_have_names_and_numbers(void **state)
{
	static const struct {
		const char *text;
		uint32_t number;
	} good[] = { { "SIGTERM", 15 }, { "term", 15 }, { "9", 9 }, { "SIGRTMIN+1", 35 },
		{ "RTMAX", 64 }, { "rtmax-1", 63 }, { "sigUSR1", 10 } };
	static const char *const bad[] = { "foo", "0", "65", "-9", "SIG", "RTMIN+99", "RTMIN-1",
		"SIGSIGTERM", "" };
	uint32_t n = 0;

	for (size_t i = 0; i < ARRAY_LEN(good); i++) {
		assert_int_equal(ctrd_signal_parse(good[i].text, &n, NULL), 0);
		assert_int_equal(n, good[i].number);
	}
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		struct ctrd_error *error = NULL;

		if (ctrd_signal_parse(bad[i], &n, &error) == 0)
			fail_msg("accepted: %s", bad[i]);
		assert_int_equal(ctrd_error_code(error), CTRD_INVALID);
		ctrd_error_free(error);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(empty_members_are_left_out),
		TEST(times_are_seconds_and_nanos),
		TEST(maps_are_sorted_and_the_last_of_equal_keys_counts),
		TEST(bytes_are_base64),
		TEST(numbers_are_found_by_path),
		TEST(signals_have_names_and_numbers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
