/* SPDX-License-Identifier: Apache-2.0 */
/* The tables of methods say what api/services.def says: names, kinds, messages, nothing
 * missing. */
#include "unit/unit.h"

#include "api/services.h"
#include "services/services.h"

_Static_assert((int)API_UNARY == RPC_UNARY && (int)API_SERVER_STREAM == RPC_SERVER_STREAM &&
				(int)API_CLIENT_STREAM == RPC_CLIENT_STREAM &&
				(int)API_BIDI == RPC_BIDI,
		"kinds are compared");

static void check(const struct rpc_service *s)
{
	const struct api_service *api = api_service_find(s->name);

	assert_non_null(api);
	assert_int_equal(s->count, api->method_count);
	for (size_t i = 0; i < s->count; i++) {
		const struct api_method *m = api_method_find(api, s->methods[i].name);

		if (m == NULL)
			fail_msg("%s.%s", s->name, s->methods[i].name);
		assert_int_equal(s->methods[i].kind, m->kind);
		assert_ptr_equal(s->methods[i].request, m->request);
		assert_ptr_equal(s->methods[i].response, m->response);
		assert_non_null(s->methods[i].handler);
		for (size_t k = 0; k < i; k++)
			assert_string_not_equal(s->methods[i].name, s->methods[k].name);
	}
}

static void every_method_is_there_as_the_protocol_has_it(void **state)
{
	check(&containers_service);
	check(&content_service);
	check(&diff_service);
	check(&events_service);
	check(&shim_events_service);
	check(&images_service);
	check(&leases_service);
	check(&namespaces_service);
	check(&sandboxes_service);
	check(&snapshots_service);
	check(&streaming_service);
	check(&tasks_service);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(every_method_is_there_as_the_protocol_has_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
