/* SPDX-License-Identifier: Apache-2.0 */
#include "api/services.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static const struct api_method *find(const char *service, const char *method)
{
	const struct api_service *s = api_service_find(service);

	return s == NULL ? NULL : api_method_find(s, method);
}

static void methods_are_found_by_name(void **state)
{
	const struct api_method *m = find("containerd.task.v3.Task", "Create");

	assert_non_null(m);
	assert_string_equal(m->request->name, "containerd.task.v3.CreateTaskRequest");
	assert_string_equal(m->response->name, "containerd.task.v3.CreateTaskResponse");
	assert_null(find("containerd.task.v3.Task", "create"));
	assert_null(find("containerd.task.v4.Task", "Create"));
}

static void stream_kinds_are_those_of_the_reference(void **state)
{
	static const char *const streams[][2] = {
		{ "containerd.services.containers.v1.Containers", "ListStream" },
		{ "containerd.services.content.v1.Content", "List" },
		{ "containerd.services.content.v1.Content", "Read" },
		{ "containerd.services.content.v1.Content", "Write" },
		{ "containerd.services.events.v1.Events", "Subscribe" },
		{ "containerd.services.mounts.v1.Mounts", "List" },
		{ "containerd.services.snapshots.v1.Snapshots", "List" },
		{ "containerd.services.streaming.v1.Streaming", "Stream" },
		{ "grpc.health.v1.Health", "Watch" },
	};
	size_t found = 0, count = sizeof(streams) / sizeof(streams[0]);

	for (size_t i = 0; i < count; i++)
		assert_int_not_equal(find(streams[i][0], streams[i][1])->kind, API_UNARY);
	assert_int_equal(find(streams[3][0], "Write")->kind, API_BIDI);
	assert_int_equal(find(streams[7][0], "Stream")->kind, API_BIDI);
	for (size_t i = 0; i < API_SERVICE_COUNT; i++)
		for (size_t j = 0; j < api_services[i].method_count; j++)
			found += api_services[i].methods[j].kind != API_UNARY;
	assert_int_equal(found, count);
}

/* Both shim APIs are served by one handler each: they may differ in the package only. */
static void task_v2_and_v3_have_one_shape(void **state)
{
	const struct api_service *v2 = &api_services[API_SERVICE_TASK_V2];
	const struct api_service *v3 = &api_services[API_SERVICE_TASK_V3];

	assert_int_equal(v2->method_count, 17);
	assert_int_equal(v3->method_count, 17);
	for (size_t i = 0; i < 17; i++) {
		const ProtobufCMessageDescriptor *a = v2->methods[i].request;
		const ProtobufCMessageDescriptor *b = v3->methods[i].request;

		assert_string_equal(v2->methods[i].name, v3->methods[i].name);
		assert_int_equal(a->sizeof_message, b->sizeof_message);
		assert_int_equal(a->n_fields, b->n_fields);
		for (unsigned f = 0; f < a->n_fields; f++) {
			assert_int_equal(a->fields[f].id, b->fields[f].id);
			assert_int_equal(a->fields[f].type, b->fields[f].type);
			assert_int_equal(a->fields[f].offset, b->fields[f].offset);
		}
	}
}

static void ids_index_the_table(void **state)
{
	assert_string_equal(api_services[API_SERVICE_VERSION].name,
			"containerd.services.version.v1.Version");
	assert_int_equal(api_services[API_SERVICE_TTRPC_EVENTS].transport, API_TTRPC);
	assert_int_equal(API_SERVICE_COUNT, 23);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(methods_are_found_by_name),
		cmocka_unit_test(stream_kinds_are_those_of_the_reference),
		cmocka_unit_test(task_v2_and_v3_have_one_shape),
		cmocka_unit_test(ids_index_the_table),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
