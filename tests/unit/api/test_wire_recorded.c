/* SPDX-License-Identifier: Apache-2.0 */
/* Messages recorded between Debian's ctr, containerd and shim, read with our definitions. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "api/arena.h"
#include "api/pb.h"
#include "api/pb/cgroups_v1.pb-c.h"
#include "api/pb/containers.pb-c.h"
#include "api/pb/event.pb-c.h"
#include "api/pb/task_v2.pb-c.h"
#include "api/pb/tasks.pb-c.h"
#include "api/pb/types.pb-c.h"
#include "api/pb/version.pb-c.h"
#include "api/services.h"
#include "api/timestamp.h"
#include "api/typeurl.h"
#include "base/attr.h"
#include "base/auto.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/str.h"
#include "wire.h"

#define LINE_ROOM 65536

static const char *folder;

struct record {
	const char *service, *method, *what;
	struct arena *arena;
	ProtobufCMessage *message;
	const unsigned char *bytes;
	size_t size;
};

static const ProtobufCMessageDescriptor *type_of(char **w)
{
	const struct api_service *service = api_service_find(w[0]);
	const struct api_method *method = service ? api_method_find(service, w[1]) : NULL;
	char name[256];

	if (str_eq(w[2], "message")) {
		(void)snprintf(name, sizeof(name), "%s.%s", w[0], w[1]);
		return wire_message(name);
	}
	if (method == NULL)
		return NULL;
	return str_eq(w[2], "request") ? method->request : method->response;
}

/* Decodes every recorded message and shows it to "look"; returns how many there are. */
static size_t each(void (*look)(const struct record *r))
{
	static char line[LINE_ROOM];
	FILE *file = wire_open(folder, "messages.txt");
	size_t count = 0;
	char *w[4];

	while (wire_next(file, line, sizeof(line), w, 4) == 4) {
		AUTO_ARENA struct arena a = { 0 };
		AUTO_ERR struct err err = { 0 };
		struct record r = { w[0], w[1], w[2], &a, NULL, NULL, 0 };
		AUTO_FREE unsigned char *bytes = wire_unhex(w[3], &r.size);
		const ProtobufCMessageDescriptor *type = type_of(w);

		arena_init(&a, SIZE_MAX);
		r.bytes = bytes;
		if (type == NULL)
			fail_msg("%s %s %s: no such message", w[0], w[1], w[2]);
		if (pb_decode(type, bytes, r.size, &a, NULL, &r.message, &err) < 0)
			fail_msg("%s %s %s: %s", w[0], w[1], w[2], err_text(&err));
		look(&r);
		count++;
	}
	(void)fclose(file);
	return count;
}

static void check_all_known(const struct record *r)
{
	if (wire_count_unknown(r->message) != 0)
		fail_msg("%s %s %s: %zu unknown fields", r->service, r->method, r->what,
				wire_count_unknown(r->message));
}

static void every_field_of_a_real_peer_is_known(void **state)
{
	assert_in_range(each(check_all_known), 300, 10000);
}

static void check_same_bytes(const struct record *r)
{
	size_t size;
	const void *packed = pb_encode_arena(r->message, r->arena, &size);

	if (size != r->size || memcmp(packed, r->bytes, size) != 0)
		fail_msg("%s %s %s: packs to other bytes", r->service, r->method, r->what);
}

static void every_message_packs_to_the_bytes_it_came_in(void **state)
{
	(void)each(check_same_bytes);
}

/* What was found on the way. */
static struct {
	unsigned version, exit_event, metrics, kill, create, events, labels, unset;
} seen;

static void check_any(const struct record *r, const Google__Protobuf__Any *any)
{
	AUTO_ERR struct err err = { 0 };
	ProtobufCMessage *message;

	if (any_unpack_known(any, r->arena, NULL, &message, &err) < 0)
		fail_msg("%s: %s", any->type_url, err_text(&err));
	if (wire_count_unknown(message) != 0)
		fail_msg("%s: unknown fields", any->type_url);
	if (message->descriptor == &event__task_exit__descriptor) {
		const Event__TaskExit *gone = (const Event__TaskExit *)message;

		assert_true(gone->pid > 1);
		assert_true(timestamp_ns(gone->exited_at) > INT64_C(1600000000) * NS_PER_S);
		seen.exit_event++;
	}
	if (message->descriptor == &cgroups_v1__metrics__descriptor) {
		const CgroupsV1__Metrics *m = (const CgroupsV1__Metrics *)message;

		assert_true(m->pids->current > 0);
		assert_true(m->memory->usage->usage > 0);
		assert_true(m->cpu->usage->total > 0);
		seen.metrics++;
	}
}

static void check_envelope(const struct record *r, const Types__Envelope *e)
{
	assert_int_equal(e->topic[0], '/');
	assert_true(str_eq(e->namespace_, "default") || str_eq(e->namespace_, "n1"));
	assert_true(timestamp_ns(e->timestamp) > INT64_C(1600000000) * NS_PER_S);
	check_any(r, e->event);
	seen.events++;
}

static void check_kill(const Tasks__KillRequest *kill)
{
	assert_true(kill->container_id[0] != '\0');
	assert_true(kill->signal == 9 || kill->signal == 15);
	seen.kill++;
}

static void check_create(const TaskV2__CreateTaskRequest *create)
{
	assert_int_equal(create->bundle[0], '/');
	assert_int_equal(create->n_rootfs, 1);
	assert_string_equal(create->rootfs[0]->type, "overlay");
	assert_true(any_is(create->options, wire_message("containerd.runc.v1.Options")));
	seen.create++;
}

static void check_container(const Containers__CreateContainerRequest *request)
{
	const Containers__Container *c = request->container;

	for (size_t i = 0; i < c->n_labels; i++)
		seen.labels += c->labels[i]->key[0] != '\0' && c->labels[i]->value != NULL;
	assert_string_equal(c->runtime->name, "io.containerd.runc.v2");
	assert_string_equal(c->snapshotter, "overlayfs");
}

static void spot_check(const struct record *r)
{
	const ProtobufCMessageDescriptor *type = r->message->descriptor;

	if (type == &version__version_response__descriptor) {
		const Version__VersionResponse *v = (const void *)r->message;

		assert_string_equal(v->version, "1.6.20~ds1");
		seen.version++;
	}
	if (type == &types__envelope__descriptor)
		check_envelope(r, (const void *)r->message);
	if (type == &tasks__kill_request__descriptor)
		check_kill((const void *)r->message);
	if (type == &task_v2__create_task_request__descriptor)
		check_create((const void *)r->message);
	if (type == &containers__create_container_request__descriptor)
		check_container((const void *)r->message);
	if (type == &task_v2__stats_response__descriptor)
		check_any(r, ((const TaskV2__StatsResponse *)(const void *)r->message)->stats);
	if (type == &task_v2__state_response__descriptor)
		seen.unset += timestamp_ns(((const TaskV2__StateResponse *)(const void *)
							      r->message)
							      ->exited_at) == CLOCK_UNSET;
}

static void values_are_where_they_belong(void **state)
{
	(void)each(spot_check);
	assert_true(seen.version > 0);
	assert_true(seen.exit_event > 0);
	assert_true(seen.metrics > 0);
	assert_true(seen.kill > 0);
	assert_true(seen.create > 0);
	assert_true(seen.labels > 0);
	assert_true(seen.unset > 0);
	assert_true(seen.events >= 20);
}

static struct {
	bool requests[API_SERVICE_COUNT][32];
} covered;

static void note_method(const struct record *r)
{
	const struct api_service *service = api_service_find(r->service);

	if (service != NULL)
		covered.requests[service - api_services]
				[api_method_find(service, r->method) - service->methods] = true;
}

/* The services containerd 1.6 has; what is newer is covered by test_wire_samples. */
static void every_method_the_peer_has_was_recorded(void **state)
{
	static const enum api_service_id whole[] = { API_SERVICE_CONTAINERS,
		API_SERVICE_CONTENT, API_SERVICE_DIFF, API_SERVICE_EVENTS, API_SERVICE_IMAGES,
		API_SERVICE_LEASES, API_SERVICE_NAMESPACES, API_SERVICE_SNAPSHOTS,
		API_SERVICE_TASKS, API_SERVICE_TASK_V2, API_SERVICE_TTRPC_EVENTS,
		API_SERVICE_VERSION };

	(void)each(note_method);
	for (size_t i = 0; i < ARRAY_LEN(whole); i++) {
		const struct api_service *s = &api_services[whole[i]];

		for (size_t m = 0; m < s->method_count; m++)
			if (!covered.requests[whole[i]][m])
				fail_msg("%s %s is not among the recorded", s->name,
						s->methods[m].name);
	}
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_field_of_a_real_peer_is_known),
		cmocka_unit_test(every_message_packs_to_the_bytes_it_came_in),
		cmocka_unit_test(values_are_where_they_belong),
		cmocka_unit_test(every_method_the_peer_has_was_recorded),
	};

	if (argc != 2)
		return 2;
	folder = argv[1];
	return cmocka_run_group_tests(tests, NULL, NULL);
}
