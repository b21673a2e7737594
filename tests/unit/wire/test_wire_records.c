/* SPDX-License-Identifier: Apache-2.0 */
/* Every kind of record goes out, over the wire and in again unchanged. */
#include "unit/unit.h"

#include <stdlib.h>

#include <string.h>

#include "api/arena.h"
#include "api/pb.h"
#include "api/pb_sink.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/mem.h"
#include "base/str.h"
#include "wire/wire_container.h"
#include "wire/wire_content.h"
#include "wire/wire_image.h"
#include "wire/wire_lease.h"
#include "wire/wire_mount.h"
#include "wire/wire_snapshot.h"

#define WHEN INT64_C(1700000000123456789)

/* What a peer would decode. */
static ProtobufCMessage *travel(struct arena *a, const ProtobufCMessage *m)
{
	AUTO_BUF struct buf b = { .limit = SIZE_MAX };
	AUTO_ERR struct err err = { 0 };
	ProtobufCMessage *back = NULL;

	pb_encode(m, &b);
	assert_ok(pb_decode(m->descriptor, arena_memdup(a, b.data, b.size), b.size, a, NULL,
				  &back, &err),
			&err);
	return back;
}

static void containers(void **state)
{
	AUTO_ARENA struct arena a = { 0 };
	AUTO(container_free) struct container *c = container_new("c1");
	struct container back;

	arena_init(&a, SIZE_MAX);
	c->image = xstrdup("docker.io/library/busybox:latest");
	c->snapshotter = xstrdup("overlayfs");
	c->snapshot_key = xstrdup("key");
	c->sandbox = xstrdup("sb");
	c->runtime_name = xstrdup("io.containerd.runc.v2");
	any_set(&c->runtime_options, "containerd.runc.v1.Options", "\x32\1x", 3);
	any_set(&c->spec, "spec", "{}", 2);
	labels_set(&c->labels, "l", "v");
	anys_set(&c->extensions, "e", &c->spec);
	c->created_ns = WHEN;
	c->updated_ns = WHEN + 1;
	back = wire_container_in(&a,
			(Containers__Container *)travel(&a, &wire_container_out(&a, c)->base));
	assert_string_equal(back.id, "c1");
	assert_string_equal(back.image, c->image);
	assert_string_equal(back.snapshotter, c->snapshotter);
	assert_string_equal(back.snapshot_key, c->snapshot_key);
	assert_string_equal(back.sandbox, c->sandbox);
	assert_string_equal(back.runtime_name, c->runtime_name);
	assert_int_equal(back.runtime_options.size, 3);
	assert_memory_equal(back.spec.value, "{}", 2);
	assert_true(labels_equal(&back.labels, &c->labels));
	assert_string_equal(anys_find(&back.extensions, "e")->type_url, "spec");
	assert_int_equal(back.created_ns, WHEN);
	assert_int_equal(back.updated_ns, WHEN + 1);
}

/* A sink that moves whenever it can, and has no byte more than was asked for. */
static void grow(struct pb_sink *s, size_t size)
{
	size_t have = (size_t)(s->at - s->start);
	unsigned char *moved = xmalloc(have + size);

	if (have > 0)
		memcpy(moved, s->start, have);
	free(s->start);
	s->start = moved;
	s->at = moved + have;
	s->end = s->at + size;
}

static void check_put(struct arena *a, const struct container *c)
{
	struct buf want AUTO_BUF = { .limit = SIZE_MAX };
	struct pb_sink s = { .more = grow };

	pb_encode(&wire_container_out(a, c)->base, &want);
	wire_container_put(&s, c);
	assert_int_equal(s.at - s.start, want.size);
	assert_memory_equal(s.start, want.data, want.size);
	free(s.start);
}

static void a_container_is_put_as_its_message_would_be(void **state)
{
	AUTO_ARENA struct arena a = { 0 };
	AUTO(container_free) struct container *c = container_new("c1");
	AUTO_FREE char *spec = xzalloc(1000);
	AUTO_FREE char *large = xzalloc(20000);
	char text[200] = "";

	arena_init(&a, SIZE_MAX);
	check_put(&a, c);
	c->image = xstrdup("image");
	c->snapshotter = xstrdup("overlayfs");
	c->snapshot_key = xstrdup("key");
	c->sandbox = xstrdup("sb");
	c->runtime_name = xstrdup("io.containerd.runc.v2");
	any_set(&c->runtime_options, "options", NULL, 0);
	any_set(&c->spec, "spec", spec, 1000);
	labels_set(&c->labels, "b", "v");
	labels_set(&c->labels, "a", "");
	anys_set(&c->extensions, "e", &c->spec);
	c->created_ns = WHEN;
	c->updated_ns = CLOCK_UNSET;
	check_put(&a, c);
	/* sizes that take more bytes than the usual ones */
	memset(text, 'x', sizeof(text) - 1);
	labels_set(&c->labels, "long", text);
	any_set(&c->runtime_options, text, text, sizeof(text));
	check_put(&a, c);
	any_set(&c->spec, "spec", large, 20000);
	anys_set(&c->extensions, "large", &c->spec);
	check_put(&a, c);
}

static void a_container_always_has_a_runtime_message(void **state)
{
	AUTO_ARENA struct arena a = { 0 };
	struct container c = { .id = (char *)"x" };
	Containers__Container *pb;

	arena_init(&a, SIZE_MAX);
	pb = (Containers__Container *)travel(&a, &wire_container_out(&a, &c)->base);
	assert_non_null(pb->runtime);
	assert_null(pb->runtime->options);
	assert_null(pb->spec);
	pb->runtime = NULL;
	assert_null(wire_container_in(&a, pb).runtime_name);
}

static void images(void **state)
{
	AUTO_ARENA struct arena a = { 0 };
	AUTO(image_free) struct image *i = image_new("name:tag");
	struct image back;

	arena_init(&a, SIZE_MAX);
	i->target.media_type = xstrdup("mt");
	i->target.digest = xstrdup("sha256:00");
	i->target.size = INT64_C(1) << 40;
	labels_set(&i->target.annotations, "x", "y");
	labels_set(&i->labels, "l", "v");
	i->created_ns = WHEN;
	i->updated_ns = CLOCK_UNSET;
	back = wire_image_in(&a, (Images__Image *)travel(&a, &wire_image_out(&a, i)->base));
	assert_string_equal(back.name, "name:tag");
	assert_string_equal(back.target.media_type, "mt");
	assert_string_equal(back.target.digest, "sha256:00");
	assert_int_equal(back.target.size, INT64_C(1) << 40);
	assert_true(labels_equal(&back.target.annotations, &i->target.annotations));
	assert_true(labels_equal(&back.labels, &i->labels));
	assert_int_equal(back.created_ns, WHEN);
	assert_int_equal(back.updated_ns, CLOCK_UNSET);
}

static void an_image_without_target_has_an_empty_one(void **state)
{
	AUTO_ARENA struct arena a = { 0 };
	Images__Image pb = IMAGES__IMAGE__INIT;

	arena_init(&a, SIZE_MAX);
	assert_string_equal(wire_image_in(&a, &pb).target.digest, "");
}

static void content(void **state)
{
	AUTO_ARENA struct arena a = { 0 };
	AUTO_ERR struct err err = { 0 };
	struct content_info i = { .size = 7, .created_ns = WHEN, .updated_ns = WHEN }, back;
	struct content_status s = { (char *)"ref", 3, 9, "", WHEN, WHEN + 5 };
	Content__Status *st;

	arena_init(&a, SIZE_MAX);
	digest_bytes(DIGEST_SHA512, "x", 1, i.digest);
	labels_set(&i.labels, "l", "v");
	assert_ok(wire_content_info_in(&a,
				  (Content__Info *)travel(
						  &a, &wire_content_info_out(&a, &i)->base),
				  &back, &err),
			&err);
	assert_string_equal(back.digest, i.digest);
	assert_int_equal(back.size, 7);
	assert_true(labels_equal(&back.labels, &i.labels));
	content_info_done(&i);
	st = (Content__Status *)travel(&a, &wire_content_status_out(&a, &s)->base);
	assert_string_equal(st->ref, "ref");
	assert_int_equal(st->offset, 3);
	assert_int_equal(st->total, 9);
	assert_int_equal(st->updated_at->nanos, 123456794);
}

static void a_digest_that_is_too_long_is_refused(void **state)
{
	AUTO_ARENA struct arena a = { 0 };
	AUTO_ERR struct err err = { 0 };
	Content__Info pb = CONTENT__INFO__INIT;
	struct content_info i;
	char digest[DIGEST_TEXT_SIZE + 20];

	arena_init(&a, SIZE_MAX);
	memset(digest, 'a', sizeof(digest));
	memcpy(digest, "sha512:", 7);
	digest[sizeof(digest) - 1] = '\0';
	pb.digest = digest;
	assert_fails(wire_content_info_in(&a, &pb, &i, &err), &err, ERR_INVALID);
}

static void snapshots(void **state)
{
	AUTO_ARENA struct arena a = { 0 };
	struct snapshot_info i = { (char *)"n a/me", (char *)"parent", SNAPSHOT_VIEW, WHEN,
		WHEN, { 0 } };
	struct snapshot_info back;
	Snapshots__Info *pb;

	arena_init(&a, SIZE_MAX);
	pb = (Snapshots__Info *)travel(&a, &wire_snapshot_info_out(&a, &i)->base);
	back = wire_snapshot_info_in(&a, pb);
	assert_string_equal(back.name, "n a/me");
	assert_string_equal(back.parent, "parent");
	assert_int_equal(back.kind, SNAPSHOT_VIEW);
	assert_int_equal(back.created_ns, WHEN);
	pb->kind = (Snapshots__Kind)77;
	assert_int_equal(wire_snapshot_info_in(&a, pb).kind, SNAPSHOT_COMMITTED);
}

static void mounts(void **state)
{
	AUTO_ARENA struct arena a = { 0 };
	AUTO_MOUNTS struct mounts m = { 0 };
	struct mounts back;
	Snapshots__MountsResponse pb = SNAPSHOTS__MOUNTS_RESPONSE__INIT, *got;

	arena_init(&a, SIZE_MAX);
	strv_add(&mounts_add(&m, "overlay", "overlay", "")->options, "lowerdir=a:b");
	(void)mounts_add(&m, "bind", "/x", "sub");
	pb.mounts = wire_mounts_out(&a, &m, &pb.n_mounts);
	got = (Snapshots__MountsResponse *)travel(&a, &pb.base);
	back = wire_mounts_in(&a, got->n_mounts, got->mounts);
	assert_int_equal(back.count, 2);
	assert_string_equal(back.items[0].type, "overlay");
	assert_string_equal(back.items[0].options[0], "lowerdir=a:b");
	assert_null(back.items[0].options[1]);
	assert_string_equal(back.items[1].target, "sub");
	assert_null(back.items[1].options[0]);
}

static void leases_and_namespaces(void **state)
{
	AUTO_ARENA struct arena a = { 0 };
	struct lease l = { xstrdup("id"), WHEN, { 0 } };
	Leases__Lease *lease;
	Namespaces__Namespace *ns;

	arena_init(&a, SIZE_MAX);
	labels_set(&l.labels, "k", "v");
	lease = (Leases__Lease *)travel(&a, &wire_lease_out(&a, &l)->base);
	assert_string_equal(lease->id, "id");
	assert_string_equal(lease->labels[0]->value, "v");
	ns = (Namespaces__Namespace *)travel(
			&a, &wire_namespace_out(&a, "ns", &l.labels)->base);
	assert_string_equal(ns->name, "ns");
	assert_string_equal(ns->labels[0]->key, "k");
	lease_done(&l);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(containers),
		TEST(a_container_is_put_as_its_message_would_be),
		TEST(a_container_always_has_a_runtime_message),
		TEST(images),
		TEST(an_image_without_target_has_an_empty_one),
		TEST(content),
		TEST(a_digest_that_is_too_long_is_refused),
		TEST(snapshots),
		TEST(mounts),
		TEST(leases_and_namespaces),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
