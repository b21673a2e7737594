/* SPDX-License-Identifier: Apache-2.0 */
/* Reference 01 §7.2 to §7.5: what is garbage. */
#include "meta_env.h"

#include <stdatomic.h>

#define REF    "containerd.io/gc.ref."
#define BREF   "containerd.io/gc.bref."
#define EXPIRE "containerd.io/gc.expire="
#define PAST   EXPIRE "2020-01-01T00:00:00Z"
#define FUTURE EXPIRE "2030-01-01T00:00:00+02:00"

static void blob(const char *text, struct labels labels)
{
	assert_int_equal(add_blob_in(&ctx, text, labels), 0);
}

/* A label of that key whose value is the digest of a text. */
static struct labels refers(const char *key, const char *text)
{
	struct labels l = { 0 };
	char digest[DIGEST_TEXT_SIZE];

	digest_of(text, digest);
	labels_set(&l, key, digest);
	return l;
}

static bool blob_is_there(const char *text)
{
	bool has = has_blob(meta_content(env.m), &ctx, text);

	/* What has no record in any namespace has no data either. */
	if (!has_blob(meta_content(env.m), &other, text))
		assert_int_equal(has_blob(env.content, &ctx, text), has);
	return has;
}

static bool has_image(const char *name)
{
	AUTO(image_free) struct image *i = NULL;
	AUTO_ERR struct err err = { 0 };

	return image_get(meta_images(env.m), &ctx, name, &i, &err) == 0;
}

static void committed(const char *name, const char *parent, struct labels labels)
{
	prepare_in(&ctx, "tmp", parent, labels_of(NULL));
	commit_in(&ctx, name, "tmp", labels);
}

static void lease_blob(const char *lease, const char *text)
{
	char digest[DIGEST_TEXT_SIZE];

	digest_of(text, digest);
	lease_it(&ctx, lease, "content", digest);
}

static void what_nothing_refers_to_goes(void **state)
{
	blob("alone", labels_of(NULL));
	prepare_in(&ctx, "active", NULL, labels_of(NULL));
	assert_true(blob_is_there("alone"));
	collect();
	assert_false(blob_is_there("alone"));
	assert_false(has_snapshot(&ctx, "active"));
	assert_int_equal(backend_snapshots(), 0);
}

static void an_image_keeps_what_its_content_refers_to(void **state)
{
	blob("config", labels_of(NULL));
	blob("layer", labels_of(NULL));
	blob("bad", labels_of(NULL));
	blob("manifest", labels_of(NULL));
	blob("manifest2", refers(REF "content.config", "config"));
	blob("manifest3", refers(REF "content/l.0", "layer"));
	blob("manifest4", refers(REF "contentbad", "bad"));
	blob("index", refers(REF "content", "manifest2"));
	add_image_in(&ctx, "a", "index", labels_of(NULL));
	add_image_in(&ctx, "b", "manifest3", labels_of(NULL));
	add_image_in(&ctx, "c", "manifest4", labels_of(NULL));
	collect();
	assert_true(blob_is_there("index") && blob_is_there("manifest2") &&
			blob_is_there("config"));
	assert_true(blob_is_there("manifest3") && blob_is_there("layer"));
	assert_true(blob_is_there("manifest4"));
	assert_false(blob_is_there("bad"));
	assert_false(blob_is_there("manifest"));
}

static void labels_of_images_refer_too(void **state)
{
	struct labels l = refers(REF "content.x", "by label");

	blob("by label", labels_of(NULL));
	blob("target", labels_of(NULL));
	labels_set(&l, REF "snapshot.mem", "snap");
	committed("snap", NULL, labels_of(NULL));
	add_image_in(&ctx, "a", "target", l);
	collect();
	assert_true(blob_is_there("by label") && blob_is_there("target") &&
			has_snapshot(&ctx, "snap"));
}

static void content_keeps_its_snapshot_and_that_its_parents(void **state)
{
	committed("base", NULL, labels_of(NULL));
	committed("top", "base", labels_of(NULL));
	committed("other", "base", labels_of(NULL));
	blob("config", labels_of(REF "snapshot.mem/x=top", NULL));
	add_image_in(&ctx, "a", "config", labels_of(NULL));
	collect();
	assert_true(has_snapshot(&ctx, "top") && has_snapshot(&ctx, "base"));
	assert_false(has_snapshot(&ctx, "other"));
	assert_int_equal(backend_snapshots(), 2);
}

static void references_do_not_cross_namespaces(void **state)
{
	blob("text", labels_of(NULL));
	add_image_in(&other, "a", "text", labels_of(NULL));
	collect();
	assert_false(blob_is_there("text"));
}

static void data_stays_while_any_namespace_has_the_blob(void **state)
{
	blob("text", labels_of(NULL));
	assert_int_equal(add_blob_in(&other, "text", labels_of(NULL)), 0);
	add_image_in(&other, "a", "text", labels_of(NULL));
	collect();
	assert_false(has_blob(meta_content(env.m), &ctx, "text"));
	assert_true(has_blob(meta_content(env.m), &other, "text"));
	assert_true(has_blob(env.content, &ctx, "text"));
}

static void a_container_keeps_its_snapshot_and_references(void **state)
{
	AUTO(container_free) struct container *c = container_new("c");
	AUTO(container_free) struct container *made = NULL;
	AUTO_ERR struct err err = { 0 };

	committed("base", NULL, labels_of(NULL));
	prepare_in(&ctx, "rw", "base", labels_of(NULL));
	blob("by label", labels_of(NULL));
	c->runtime_name = xstrdup("r");
	c->snapshotter = xstrdup("mem");
	c->snapshot_key = xstrdup("rw");
	c->labels = refers(REF "content", "by label");
	assert_ok(container_create(meta_containers(env.m), &ctx, c, &made, &err), &err);
	collect();
	assert_true(has_snapshot(&ctx, "rw") && has_snapshot(&ctx, "base") &&
			blob_is_there("by label"));
	assert_ok(container_remove(meta_containers(env.m), &ctx, "c", &err), &err);
	collect();
	assert_false(has_snapshot(&ctx, "rw") || has_snapshot(&ctx, "base") ||
			blob_is_there("by label"));
	assert_int_equal(backend_snapshots(), 0);
}

static void root_labels_make_roots(void **state)
{
	blob("r1", labels_of("containerd.io/gc.root=any", NULL));
	blob("r2", labels_of("containerd.io/gc.rootest=x", NULL));
	prepare_in(&ctx, "s", NULL, labels_of("containerd.io/gc.root=2020", NULL));
	collect();
	assert_true(blob_is_there("r1") && blob_is_there("r2") && has_snapshot(&ctx, "s"));
}

static void leases_keep_what_they_hold_and_what_that_refers_to(void **state)
{
	AUTO_ERR struct err err = { 0 };

	blob("leaf", labels_of(NULL));
	blob("node", refers(REF "content.1", "leaf"));
	committed("base", NULL, labels_of(NULL));
	prepare_in(&ctx, "rw", "base", labels_of(NULL));
	add_lease(&ctx, "l", labels_of(NULL));
	lease_blob("l", "node");
	lease_it(&ctx, "l", "snapshots/mem", "rw");
	collect();
	assert_true(blob_is_there("node") && blob_is_there("leaf"));
	assert_true(has_snapshot(&ctx, "rw") && has_snapshot(&ctx, "base"));
	/* "sync": gone when it returns. */
	assert_ok(lease_remove(meta_leases(env.m), &ctx, "l", true, &err), &err);
	assert_false(blob_is_there("node") || blob_is_there("leaf"));
	assert_int_equal(backend_snapshots(), 0);
}

static void flat_leases_follow_no_labels(void **state)
{
	blob("leaf", labels_of(NULL));
	blob("node", refers(REF "content.1", "leaf"));
	blob("img leaf", labels_of(NULL));
	blob("img", refers(REF "content.1", "img leaf"));
	committed("base", NULL, labels_of(NULL));
	committed("top", "base", refers(REF "content.x", "snap leaf"));
	blob("snap leaf", labels_of(NULL));
	add_image_in(&ctx, "i", "img", labels_of(PAST, NULL));
	add_lease(&ctx, "l", labels_of("containerd.io/gc.flat=true", NULL));
	lease_blob("l", "node");
	lease_it(&ctx, "l", "snapshots/mem", "top");
	lease_it(&ctx, "l", "images", "i");
	collect();
	assert_true(blob_is_there("node") && blob_is_there("img") && has_image("i"));
	assert_true(has_snapshot(&ctx, "top") && has_snapshot(&ctx, "base"));
	assert_false(blob_is_there("leaf") || blob_is_there("img leaf") ||
			blob_is_there("snap leaf"));
}

static int count_lease(void *arg, const struct lease *l, struct err *err)
{
	(*(int *)arg)++;
	return 0;
}

static void expired_leases_go_with_what_they_hold(void **state)
{
	AUTO_ERR struct err err = { 0 };
	int n = 0;

	blob("a", labels_of(NULL));
	blob("b", labels_of(NULL));
	blob("c", labels_of(NULL));
	add_lease(&ctx, "past", labels_of(PAST, NULL));
	add_lease(&ctx, "future", labels_of(FUTURE, NULL));
	add_lease(&ctx, "odd", labels_of(EXPIRE "never", NULL));
	lease_blob("past", "a");
	lease_blob("future", "b");
	lease_blob("odd", "c");
	collect();
	assert_false(blob_is_there("a"));
	assert_true(blob_is_there("b") && blob_is_there("c"));
	assert_ok(lease_list(meta_leases(env.m), &ctx, NULL, count_lease, &n, &err), &err);
	assert_int_equal(n, 2);
}

static void expired_images_go_unless_kept(void **state)
{
	blob("a", labels_of(NULL));
	blob("b", labels_of(NULL));
	blob("c", labels_of(NULL));
	add_image_in(&ctx, "past", "a", labels_of(PAST, NULL));
	add_image_in(&ctx, "future", "b", labels_of(FUTURE, NULL));
	add_image_in(&ctx, "keeper", "c", labels_of(REF "image=kept", NULL));
	add_image_in(&ctx, "kept", "c", labels_of(PAST, NULL));
	buf_clear(&events);
	collect();
	assert_false(has_image("past") || blob_is_there("a"));
	assert_true(has_image("future") && blob_is_there("b") && has_image("kept"));
	expect_events("ns /images/delete past||\n");
}

/* On content and snapshots the label says nothing (quirk 14). */
static void only_leases_and_images_expire(void **state)
{
	blob("a", labels_of(PAST, NULL));
	add_image_in(&ctx, "i", "a", labels_of(NULL));
	collect();
	assert_true(blob_is_there("a"));
}

static void back_references_keep_the_object_with_its_parent(void **state)
{
	AUTO_ERR struct err err = { 0 };

	blob("target", labels_of(NULL));
	add_image_in(&ctx, "main", "target", labels_of(NULL));
	add_image_in(&ctx, "extra", "target", labels_of(PAST, BREF "image=main", NULL));
	add_image_in(&ctx, "lost", "target", labels_of(PAST, BREF "image=none", NULL));
	blob("follows", refers(BREF "content.x", "target"));
	prepare_in(&ctx, "snap", NULL, labels_of(BREF "image.x=main", NULL));
	blob("with snap", labels_of(BREF "snapshot.mem=snap", NULL));
	blob("with none", labels_of(BREF "snapshot.mem=none", NULL));
	collect();
	assert_true(has_image("extra") && blob_is_there("follows") &&
			has_snapshot(&ctx, "snap") && blob_is_there("with snap"));
	assert_false(has_image("lost") || blob_is_there("with none"));
	assert_ok(image_remove(meta_images(env.m), &ctx, "main", NULL, true, &err), &err);
	assert_false(has_image("extra") || blob_is_there("follows") ||
			has_snapshot(&ctx, "snap") || blob_is_there("with snap") ||
			blob_is_there("target"));
}

static void with_a_container_goes_what_hangs_on_it(void **state)
{
	AUTO(container_free) struct container *c = container_new("c");
	AUTO(container_free) struct container *made = NULL;
	AUTO_ERR struct err err = { 0 };

	c->runtime_name = xstrdup("r");
	assert_ok(container_create(meta_containers(env.m), &ctx, c, &made, &err), &err);
	blob("hangs", labels_of(BREF "container=c", NULL));
	collect();
	assert_true(blob_is_there("hangs"));
	assert_ok(container_remove(meta_containers(env.m), &ctx, "c", &err), &err);
	collect();
	assert_false(blob_is_there("hangs"));
}

static struct labels used_before(int64_t age_ns)
{
	struct labels l = { 0 };
	char text[CLOCK_TEXT_SIZE];

	clock_format(TIME_0 - age_ns, text);
	labels_set(&l, "containerd.io/gc.cond.value-usedat", text);
	return l;
}

static void conditions_decide_on_the_time_of_use(void **state)
{
	static const struct {
		const char *name, *condition;
		int64_t age_h;
		bool stays;
	} cases[] = {
		{ "s1", "usedat<2h|s1", 1, true },
		{ "s2", "usedat<2h|s2", 3, false },
		{ "s3", "usedat>2h|s3", 3, true },
		{ "s4", "other<2h,usedat<1h30m|s4", 1, true },
		{ "s5", "usedat=2h|s5", 1, false },
		{ "s6", "usedat<2 hours|s6", 1, false },
		{ "s7", "usedat<2h", 1, false },
		{ "s8", "usedat<90m1.5s|s8", 1, true },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct labels l = { 0 };

		committed(cases[i].name, NULL, used_before(cases[i].age_h * 3600 * NS_PER_S));
		labels_set(&l,
				i % 2 == 0 ? "containerd.io/gc.cond.snapshot.mem"
					   : "containerd.io/gc.cond.snapshot/mem/x",
				cases[i].condition);
		labels_set(&l, "containerd.io/gc.root", "1");
		blob(cases[i].name, l);
	}
	committed("unused", NULL, labels_of(NULL));
	blob("asks", labels_of("containerd.io/gc.root=1",
				     "containerd.io/gc.cond.snapshot.mem=usedat>1ns|unused",
				     NULL));
	collect();
	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		if (has_snapshot(&ctx, cases[i].name) != cases[i].stays)
			fail_msg("%s", cases[i].condition);
	assert_false(has_snapshot(&ctx, "unused"));
}

static void rings_that_nothing_reaches_go(void **state)
{
	blob("a", refers(REF "content", "b"));
	blob("b", refers(REF "content", "a"));
	blob("self", refers(REF "content", "self"));
	collect();
	assert_false(blob_is_there("a") || blob_is_there("b") || blob_is_there("self"));
}

static void a_chain_of_snapshots_goes_children_first(void **state)
{
	AUTO_FREE char *parent = NULL;

	for (int i = 0; i < 20; i++) {
		/* Names in no order, so that it is not the names that make it right. */
		AUTO_FREE char *name = xasprintf("layer-%d", i * 7 % 20);

		committed(name, parent, labels_of(NULL));
		free(parent);
		parent = take_ptr(name);
	}
	buf_clear(&events);
	collect();
	assert_int_equal(backend_snapshots(), 0);
	assert_true(str_starts(events.data, "ns /snapshot/remove layer-13|mem|\n"));
	assert_false(has_snapshot(&ctx, "layer-0"));
}

static void more_than_one_transaction_takes_goes_too(void **state)
{
	struct gc_stats stats;
	AUTO_ERR struct err err = { 0 };

	add_lease(&ctx, "past", labels_of(PAST, NULL));
	for (int i = 0; i < 1300; i++) {
		AUTO_FREE char *name = xasprintf("i%d", i);

		add_image_in(&ctx, name, "x", labels_of(i % 2 == 0 ? PAST : FUTURE, NULL));
		lease_it(&ctx, "past", "images", name);
	}
	assert_ok(gc_collect(meta_collector(env.m), &stats, &err), &err);
	assert_int_equal(stats.removed, 651);
	assert_int_equal(stats.scanned, 1301);
	assert_false(has_image("i0") || has_image("i1298"));
	assert_true(has_image("i1"));
	add_lease(&ctx, "past", labels_of(NULL));
	expect_resources(&ctx, "past", "");
}

static void what_a_crash_left_in_the_backends_goes_after_a_start(void **state)
{
	AUTO(content_writer_close) struct content_writer *w = NULL;
	AUTO_MOUNTS struct mounts m = { 0 };
	struct content_status s = { 0 };
	AUTO_ERR struct err err = { 0 };
	char digest[DIGEST_TEXT_SIZE];

	collect(); /* the first looks at everything; from here on only at what went */
	assert_ok(content_writer_open(env.content, &ctx, "ns/7/ref", 0, NULL, &w, &err), &err);
	content_writer_close(take_ptr(w));
	assert_ok(content_writer_open(env.content, &ctx, "x", 0, NULL, &w, &err), &err);
	assert_ok(content_write(w, "text", 4, &err), &err);
	digest_of("text", digest);
	assert_ok(content_commit(w, &ctx, 4, digest, NULL, &err), &err);
	assert_ok(snapshot_prepare(env.snapshots, &ctx, "ns/9/k", NULL, NULL, &m, &err), &err);
	collect();
	assert_int_equal(backend_snapshots(), 1);
	env_reopen();
	prepare_in(&ctx, "kept", NULL, labels_of("containerd.io/gc.root=1", NULL));
	collect();
	assert_int_equal(backend_snapshots(), 1);
	assert_true(has_snapshot(&ctx, "kept"));
	assert_false(has_blob(env.content, &ctx, "text"));
	assert_fails(content_status_get(env.content, &ctx, "ns/7/ref", &s, &err), &err,
			ERR_NOT_FOUND);
}

static void nothing_open_is_collected(void **state)
{
	AUTO(content_writer_close) struct content_writer *w = NULL;
	AUTO_ERR struct err err = { 0 };

	assert_ok(content_writer_open(meta_content(env.m), &ctx, "r", 0, NULL, &w, &err), &err);
	assert_ok(content_write(w, "text", 4, &err), &err);
	collect();
	assert_ok(content_commit(w, &ctx, 4, NULL, NULL, &err), &err);
	assert_true(blob_is_there("text"));
}

/* ---- while others write ---- */

static atomic_bool stop;

static void *collect_all_the_time(void *arg)
{
	while (!atomic_load(&stop))
		collect();
	return NULL;
}

/* A client's pull: under a lease, content with its references, then the image, then the lease
 * goes. At no time may anything of it be missing. */
static void pull(int id, int round)
{
	AUTO_FREE char *lease = xasprintf("l%d", id);
	AUTO_FREE char *name = xasprintf("img%d", id);
	AUTO_FREE char *layer = xasprintf("layer %d %d", id, round);
	AUTO_FREE char *manifest = xasprintf("manifest %d %d", id, round);
	struct ctx leased = { .ns = "ns", .lease = lease };
	AUTO_ERR struct err err = { 0 };

	add_lease(&ctx, lease, labels_of(NULL));
	if (add_blob_in(&leased, layer, labels_of(NULL)) != 0 ||
			add_blob_in(&leased, manifest, refers(REF "content.l.0", layer)) != 0)
		abort();
	add_image_in(&ctx, name, manifest, labels_of(NULL));
	assert_ok(lease_remove(meta_leases(env.m), &ctx, lease, false, &err), &err);
	for (int i = 0; i < 5; i++)
		if (!has_blob(meta_content(env.m), &ctx, layer) ||
				!has_blob(meta_content(env.m), &ctx, manifest) ||
				!has_blob(env.content, &ctx, layer))
			abort();
	assert_ok(image_remove(meta_images(env.m), &ctx, name, NULL, false, &err), &err);
}

static void *pull_many(void *arg)
{
	for (int i = 0; i < 40; i++)
		pull((int)(intptr_t)arg, i);
	return NULL;
}

static void nothing_is_lost_while_clients_pull(void **state)
{
	pthread_t collector, clients[4];

	atomic_store(&stop, false);
	assert_int_equal(pthread_create(&collector, NULL, collect_all_the_time, NULL), 0);
	for (intptr_t i = 0; i < 4; i++)
		assert_int_equal(pthread_create(&clients[i], NULL, pull_many, (void *)i), 0);
	for (int i = 0; i < 4; i++)
		(void)pthread_join(clients[i], NULL);
	atomic_store(&stop, true);
	(void)pthread_join(collector, NULL);
	collect();
	assert_false(blob_is_there("layer 0 39") || blob_is_there("manifest 3 39"));
}

/* Garbage that somebody finds and leases in time is whole: what it refers to is there. */
static void *adopt(void *arg)
{
	char digest[DIGEST_TEXT_SIZE];

	digest_of("parent", digest);
	for (int i = 0; i < 200; i++) {
		AUTO(content_writer_close) struct content_writer *w = NULL;
		struct ctx leased = { .ns = "ns", .lease = "l" };
		AUTO_ERR struct err err = { 0 };

		add_lease(&ctx, "l", labels_of(NULL));
		if (content_writer_open(meta_content(env.m), &leased, "r", 0, digest, &w,
				    &err) < 0) {
			/* It is there, and leased from now on. */
			if (err.kind != ERR_EXISTS ||
					!has_blob(meta_content(env.m), &ctx, "child"))
				abort();
		} else {
			/* Whether made or found, both are leased after. */
			content_writer_close(take_ptr(w));
			(void)add_blob_in(&leased, "child", labels_of(NULL));
			(void)add_blob_in(&leased, "parent", refers(REF "content.0", "child"));
			if (!has_blob(meta_content(env.m), &ctx, "child") ||
					!has_blob(meta_content(env.m), &ctx, "parent"))
				abort();
		}
		err_clear(&err);
		assert_ok(lease_remove(meta_leases(env.m), &ctx, "l", false, &err), &err);
	}
	return NULL;
}

static void garbage_found_in_time_is_whole(void **state)
{
	pthread_t collector, client;

	atomic_store(&stop, false);
	assert_int_equal(pthread_create(&collector, NULL, collect_all_the_time, NULL), 0);
	assert_int_equal(pthread_create(&client, NULL, adopt, NULL), 0);
	(void)pthread_join(client, NULL);
	atomic_store(&stop, true);
	(void)pthread_join(collector, NULL);
}

/* Things without records: serial 1, 2, … in the order of the list. */
struct things {
	struct gc_resources base;
	struct gc_resource list[4];
	size_t count;
	unsigned removed; /* bits by place */
};

static void walk_things(struct gc_resources *self,
		void (*each)(void *arg, const struct gc_resource *r), void *arg)
{
	struct things *t = (struct things *)self;

	for (size_t i = 0; i < t->count; i++) {
		t->list[i].serial = i + 1;
		if ((t->removed & 1U << i) == 0)
			each(arg, &t->list[i]);
	}
}

static void remove_thing(struct gc_resources *self, uint64_t serial)
{
	((struct things *)self)->removed |= 1U << (serial - 1);
}

static void streams_go_with_their_lease(void **state)
{
	struct things t = { { walk_things, remove_thing },
		{ { .ns = "ns", .name = "free", .is_active = true },
				{ .ns = "ns", .name = "leased", .lease = "l" },
				{ .ns = "ns", .name = "lost", .lease = "never" },
				{ .ns = "", .name = "elsewhere", .lease = "l" } },
		4, 0 };
	AUTO_ERR struct err err = { 0 };

	add_lease(&ctx, "l", labels_of("containerd.io/gc.flat=1", NULL));
	meta_set_streams(env.m, &t.base);
	collect();
	assert_int_equal(t.removed, 4 | 8);
	assert_ok(lease_remove(meta_leases(env.m), &ctx, "l", false, &err), &err);
	collect();
	assert_int_equal(t.removed, 2 | 4 | 8);
	meta_set_streams(env.m, NULL);
}

static void a_stream_lives_as_long_as_what_refers_to_it(void **state)
{
	struct things t = { { walk_things, remove_thing },
		{ { .ns = "ns", .name = "named" }, { .ns = "ns", .name = "other" } }, 2, 0 };
	AUTO_ERR struct err err = { 0 };

	blob("target", labels_of(NULL));
	add_image_in(&ctx, "a", "target", labels_of(REF "stream/x=named", NULL));
	meta_set_streams(env.m, &t.base);
	collect();
	assert_int_equal(t.removed, 2);
	assert_ok(image_remove(meta_images(env.m), &ctx, "a", NULL, false, &err), &err);
	collect();
	assert_int_equal(t.removed, 1 | 2);
	meta_set_streams(env.m, NULL);
}

static void a_mount_goes_with_the_container_it_refers_back_to(void **state)
{
	struct labels back = labels_of(BREF "container=c", NULL);
	struct labels forth = labels_of(REF "content=x", NULL);
	struct things t = { { walk_things, remove_thing },
		{ { .ns = "ns", .name = "m", .labels = &back },
				{ .ns = "ns", .name = "n", .labels = &forth } },
		2, 0 };
	AUTO(container_free) struct container *c = container_new("c");
	AUTO(container_free) struct container *made = NULL;
	AUTO_ERR struct err err = { 0 };

	c->runtime_name = xstrdup("r");
	assert_ok(container_create(meta_containers(env.m), &ctx, c, &made, &err), &err);
	meta_set_mounts(env.m, &t.base);
	collect();
	assert_int_equal(t.removed, 2);
	assert_ok(container_remove(meta_containers(env.m), &ctx, "c", &err), &err);
	collect();
	assert_int_equal(t.removed, 1 | 2);
	meta_set_mounts(env.m, NULL);
	labels_done(&back);
	labels_done(&forth);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		RULE(what_nothing_refers_to_goes),
		RULE(an_image_keeps_what_its_content_refers_to),
		RULE(labels_of_images_refer_too),
		RULE(content_keeps_its_snapshot_and_that_its_parents),
		RULE(references_do_not_cross_namespaces),
		RULE(data_stays_while_any_namespace_has_the_blob),
		RULE(a_container_keeps_its_snapshot_and_references),
		RULE(root_labels_make_roots),
		RULE(leases_keep_what_they_hold_and_what_that_refers_to),
		RULE(flat_leases_follow_no_labels),
		RULE(expired_leases_go_with_what_they_hold),
		RULE(expired_images_go_unless_kept),
		RULE(only_leases_and_images_expire),
		RULE(back_references_keep_the_object_with_its_parent),
		RULE(with_a_container_goes_what_hangs_on_it),
		RULE(conditions_decide_on_the_time_of_use),
		RULE(streams_go_with_their_lease),
		RULE(a_stream_lives_as_long_as_what_refers_to_it),
		RULE(a_mount_goes_with_the_container_it_refers_back_to),
		RULE(rings_that_nothing_reaches_go),
		RULE(a_chain_of_snapshots_goes_children_first),
		RULE(more_than_one_transaction_takes_goes_too),
		RULE(what_a_crash_left_in_the_backends_goes_after_a_start),
		RULE(nothing_open_is_collected),
		RULE(nothing_is_lost_while_clients_pull),
		RULE(garbage_found_in_time_is_whole),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
