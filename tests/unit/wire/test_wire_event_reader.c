/* SPDX-License-Identifier: Apache-2.0 */
#include "unit/unit.h"

#include <stdio.h>

#include "api/pb/event.pb-c.h"
#include "api/pb/struct.pb-c.h"
#include "base/labels.h"
#include "wire/wire_event.h"

/* The value of a dotted path, "(absent)" if it is not present. */
static const char *ask(const struct any *payload, const char *first, const char *second)
{
	static char answer[100];
	char *path[] = { (char *)first, (char *)second, NULL };
	void *view = wire_event_reader.open(payload);
	const char *value = NULL;

	assert_non_null(view);
	(void)snprintf(answer, sizeof(answer), "(absent)");
	if (wire_event_reader.field(view, path, second == NULL ? 1 : 2, &value))
		(void)snprintf(answer, sizeof(answer), "%s", value);
	wire_event_reader.close(view);
	return answer;
}

static void texts_truth_values_and_nested_messages_can_be_asked_for(void **state)
{
	Event__TaskCreate m = EVENT__TASK_CREATE__INIT;
	Event__TaskIO io = EVENT__TASK_IO__INIT;
	struct any any = { 0 };

	m.container_id = "c1";
	m.pid = 7;
	m.io = &io;
	io.stdout = "/f";
	io.terminal = 1;
	wire_payload(&m.base, &any);
	assert_string_equal(ask(&any, "container_id", NULL), "c1");
	assert_string_equal(ask(&any, "bundle", NULL), "(absent)");
	assert_string_equal(ask(&any, "io", "stdout"), "/f");
	assert_string_equal(ask(&any, "io", "terminal"), "true");
	assert_string_equal(ask(&any, "io", NULL), "(absent)");
	assert_string_equal(ask(&any, "pid", NULL), "(absent)");
	assert_string_equal(ask(&any, "nothing", NULL), "(absent)");
	assert_string_equal(ask(&any, "container_id", "x"), "(absent)");
	any_done(&any);
}

static void labels_are_found_by_their_dotted_key(void **state)
{
	struct labels labels = { 0 };
	struct any any = { 0 };

	labels_set(&labels, "a.b", "v");
	labels_set(&labels, "empty", "");
	wire_event_maker.image_create("i", &labels, &any);
	assert_string_equal(ask(&any, "labels", "a.b"), "v");
	assert_string_equal(ask(&any, "labels", "empty"), "");
	assert_string_equal(ask(&any, "labels", "c"), "(absent)");
	assert_string_equal(ask(&any, "labels", NULL), "(absent)");
	any_done(&any);
	labels_done(&labels);
}

static void a_prefix_of_the_type_url_does_not_matter(void **state)
{
	struct any any = { 0 };

	any_set(&any, "type.googleapis.com/containerd.events.ContainerDelete", "\x0a\1x", 3);
	assert_string_equal(ask(&any, "id", NULL), "x");
	any_done(&any);
}

static void garbage_and_strangers_have_no_fields(void **state)
{
	struct any any = { 0 };

	assert_null(wire_event_reader.open(&any));
	any_set(&any, "containerd.events.ContainerDelete", "\x0a\x7f", 2);
	assert_null(wire_event_reader.open(&any));
	any_set(&any, "some.Stranger", "", 0);
	assert_null(wire_event_reader.open(&any));
	any_set(&any, "google.protobuf.Struct", "", 0);
	assert_null(wire_event_reader.open(&any));
	any_done(&any);
	wire_event_reader.close(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(texts_truth_values_and_nested_messages_can_be_asked_for),
		TEST(labels_are_found_by_their_dotted_key),
		TEST(a_prefix_of_the_type_url_does_not_matter),
		TEST(garbage_and_strangers_have_no_fields),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
