/* SPDX-License-Identifier: Apache-2.0 */
#include "unit/unit.h"

#include "api/arena.h"
#include "base/clock.h"
#include "core/container.h"
#include "wire/wire_event.h"

static void assert_payload(struct any *any, const char *url, const void *bytes, size_t size)
{
	assert_string_equal(any->type_url, url);
	assert_int_equal(any->size, size);
	assert_memory_equal(any->value, bytes, size);
	any_done(any);
}
#define BYTES(text) text, sizeof(text) - 1

static void payloads_have_the_bytes_of_the_original(void **state)
{
	const struct event_maker *m = &wire_event_maker;
	struct labels labels = { 0 };
	struct any any = { 0 };
	struct container c = { .id = (char *)"c1",
		.image = (char *)"im",
		.runtime_name = (char *)"r",
		.snapshot_key = (char *)"k" };

	labels_set(&labels, "a", "b");
	labels_set(&c.labels, "a", "b");
	m->container_create(&c, &any);
	assert_payload(&any, "containerd.events.ContainerCreate",
			BYTES("\x0a\2c1\x12\2im\x1a\3\x0a\1r"));
	m->container_update(&c, &any);
	assert_payload(&any, "containerd.events.ContainerUpdate",
			BYTES("\x0a\2c1\x12\2im\x1a\6\x0a\1a\x12\1b\x22\1k"));
	m->container_delete("c1", &any);
	assert_payload(&any, "containerd.events.ContainerDelete", BYTES("\x0a\2c1"));
	m->content_create("d", 5, &any);
	assert_payload(&any, "containerd.events.ContentCreate", BYTES("\x0a\1d\x10\5"));
	m->content_delete("d", &any);
	assert_payload(&any, "containerd.events.ContentDelete", BYTES("\x0a\1d"));
	m->image_create("i", &labels, &any);
	assert_payload(&any, "containerd.services.images.v1.ImageCreate",
			BYTES("\x0a\1i\x12\6\x0a\1a\x12\1b"));
	m->image_update("i", &labels, &any);
	assert_payload(&any, "containerd.services.images.v1.ImageUpdate",
			BYTES("\x0a\1i\x12\6\x0a\1a\x12\1b"));
	m->image_delete("i", &any);
	assert_payload(&any, "containerd.services.images.v1.ImageDelete", BYTES("\x0a\1i"));
	m->namespace_create("n", &labels, &any);
	assert_payload(&any, "containerd.events.NamespaceCreate",
			BYTES("\x0a\1n\x12\6\x0a\1a\x12\1b"));
	m->namespace_update("n", &labels, &any);
	assert_payload(&any, "containerd.events.NamespaceUpdate",
			BYTES("\x0a\1n\x12\6\x0a\1a\x12\1b"));
	m->namespace_delete("n", &any);
	assert_payload(&any, "containerd.events.NamespaceDelete", BYTES("\x0a\1n"));
	m->snapshot_prepare("k", NULL, "sn", &any);
	assert_payload(&any, "containerd.events.SnapshotPrepare", BYTES("\x0a\1k\x2a\2sn"));
	m->snapshot_commit("k", "n", "sn", &any);
	assert_payload(&any, "containerd.events.SnapshotCommit",
			BYTES("\x0a\1k\x12\1n\x2a\2sn"));
	m->snapshot_remove("k", "sn", &any);
	assert_payload(&any, "containerd.events.SnapshotRemove", BYTES("\x0a\1k\x2a\2sn"));
	labels_done(&labels);
	labels_done(&c.labels);
}

static void envelopes_survive_the_round_trip(void **state)
{
	AUTO_ARENA struct arena a = { 0 };
	struct event e = { 5, (char *)"ns", (char *)"/t",
		{ true, (char *)"u", (char *)"v", 1 } };
	struct event back;

	arena_init(&a, SIZE_MAX);
	back = wire_event_in(wire_event_out(&a, &e));
	assert_int_equal(back.when_ns, 5);
	assert_string_equal(back.ns, "ns");
	assert_string_equal(back.topic, "/t");
	assert_string_equal(back.payload.type_url, "u");
	assert_int_equal(back.payload.size, 1);
}

static void year_one_and_no_time_are_told_apart(void **state)
{
	Types__Envelope pb = TYPES__ENVELOPE__INIT;
	Google__Protobuf__Timestamp ts = GOOGLE__PROTOBUF__TIMESTAMP__INIT;

	assert_int_equal(wire_event_in(&pb).when_ns, 0);
	assert_true(wire_event_in(&pb).payload.is_set);
	ts.seconds = INT64_C(-62135596800);
	pb.timestamp = &ts;
	assert_int_equal(wire_event_in(&pb).when_ns, CLOCK_UNSET);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(payloads_have_the_bytes_of_the_original),
		TEST(envelopes_survive_the_round_trip),
		TEST(year_one_and_no_time_are_told_apart),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
