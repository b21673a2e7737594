/* SPDX-License-Identifier: Apache-2.0 */
/* Metadata over backends in memory, with a clock that stands still and events as lines. */
#pragma once

#include "unit/unit.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/ctx.h"
#include "base/mem.h"
#include "base/str.h"
#include "content/content_mem.h"
#include "core/container.h"
#include "core/content.h"
#include "core/event.h"
#include "core/event_maker.h"
#include "core/gc.h"
#include "core/image.h"
#include "core/lease.h"
#include "core/namespace.h"
#include "core/snapshot.h"
#include "meta/meta.h"
#include "snapshots/snap_mem.h"
#include "support/tempdir.h"

#define TIME_0 INT64_C(1700000000000000000)

struct env {
	struct tempdir dir;
	char path[96];
	struct event_bus bus;
	struct content_store *content;
	struct snapshotter *snapshots;
	struct meta_options options;
	struct meta_backend backends[1];
	struct meta *m;
};

static struct env env;
UNUSED static struct ctx ctx = { .ns = "ns" };
UNUSED static struct ctx other = { .ns = "other" };
static _Atomic int64_t now_ns = TIME_0;
static struct buf events = { .limit = 1 << 20 };
static pthread_mutex_t events_lock = PTHREAD_MUTEX_INITIALIZER;

UNUSED static int64_t fake_wall_ns(void)
{
	return now_ns;
}

static int note_event(struct event_bus *self, const struct event *e, struct err *err)
{
	(void)pthread_mutex_lock(&events_lock);
	buf_addf(&events, "%s %s %s\n", e->ns, e->topic, (const char *)e->payload.value);
	(void)pthread_mutex_unlock(&events_lock);
	return 0;
}

static const struct event_bus_ops bus_ops = { .publish = note_event };

static void say(struct any *ret, const char *a, const char *b, const char *c)
{
	AUTO_FREE char *text =
			xasprintf("%s|%s|%s", str_or(a, ""), str_or(b, ""), str_or(c, ""));

	any_set(ret, "test", text, strlen(text));
}

static void say_container(const struct container *c, struct any *ret)
{
	say(ret, c->id, c->image, c->runtime_name);
}

static void say_name(const char *name, struct any *ret)
{
	say(ret, name, NULL, NULL);
}

static void say_labels(const char *name, const struct labels *labels, struct any *ret)
{
	say(ret, name, labels->count > 0 ? labels->items[0].key : "",
			labels->count > 0 ? labels->items[0].value : "");
}

static void say_content(const char *digest, int64_t size, struct any *ret)
{
	AUTO_FREE char *text = xasprintf("%lld", (long long)size);

	say(ret, digest, text, NULL);
}

static void say_two(const char *a, const char *b, struct any *ret)
{
	say(ret, a, b, NULL);
}

static void say_three(const char *a, const char *b, const char *c, struct any *ret)
{
	say(ret, a, b, c);
}

static const struct event_maker maker = {
	.container_create = say_container,
	.container_update = say_container,
	.container_delete = say_name,
	.content_create = say_content,
	.content_delete = say_name,
	.image_create = say_labels,
	.image_update = say_labels,
	.image_delete = say_name,
	.namespace_create = say_labels,
	.namespace_update = say_labels,
	.namespace_delete = say_name,
	.snapshot_prepare = say_three,
	.snapshot_commit = say_three,
	.snapshot_remove = say_two,
};

static inline void env_open_meta(void)
{
	AUTO_ERR struct err err = { 0 };

	assert_ok(meta_open(env.path, &env.options, &env.m, &err), &err);
}

static inline void env_reopen(void)
{
	meta_close(env.m);
	env_open_meta();
}

static inline int env_setup(void **state)
{
	tempdir_make(&env.dir);
	(void)snprintf(env.path, sizeof(env.path), "%s/meta.mdb", env.dir.path);
	now_ns = TIME_0;
	buf_clear(&events);
	env.bus.ops = &bus_ops;
	env.content = content_mem_new();
	env.snapshots = snap_mem_new();
	env.backends[0] = (struct meta_backend){ "mem", env.snapshots };
	env.options = (struct meta_options){ .content = env.content,
		.snapshotters = env.backends,
		.snapshotter_count = 1,
		.events = &env.bus,
		.maker = &maker,
		.no_sync = true,
		.wall_ns = fake_wall_ns };
	env_open_meta();
	return 0;
}

static inline int env_teardown(void **state)
{
	meta_close(env.m);
	snapshotter_free(env.snapshots);
	content_mem_free(env.content);
	tempdir_remove(&env.dir);
	buf_done(&events);
	return 0;
}

#define RULE(name) cmocka_unit_test_setup_teardown(name, env_setup, env_teardown)

static inline void expect_events(const char *want)
{
	assert_string_equal(events.size == 0 ? "" : events.data, want);
	buf_clear(&events);
}

/* The call must fail with this kind and exactly this text. */
#define assert_error(call, err, want_kind, want_text)                                          \
	do {                                                                                   \
		if ((call) >= 0)                                                               \
			fail_msg("%s succeeded", #call);                                       \
		if ((err)->kind != (want_kind) || strcmp(err_text(err), want_text) != 0)       \
			fail_msg("%s: %s", #call, err_text(err));                              \
		err_clear(err);                                                                \
	} while (0)

/* Labels from "key=value" texts, ended by NULL. */
static inline struct labels labels_of(const char *first, ...)
{
	struct labels l = { 0 };
	va_list args;

	va_start(args, first);
	for (const char *p = first; p != NULL; p = va_arg(args, const char *)) {
		const char *eq = strchr(p, '=');
		AUTO_FREE char *key = xstrndup(p, (size_t)(eq - p));

		labels_set(&l, key, eq + 1);
	}
	va_end(args);
	return l;
}

static inline void digest_of(const char *text, char out[DIGEST_TEXT_SIZE])
{
	digest_bytes(DIGEST_SHA256, text, strlen(text), out);
}

/* A blob of that text with labels (ended by NULL) in the namespace of c. */
static inline int add_blob_in(struct ctx *c, const char *text, struct labels labels)
{
	AUTO(content_writer_close) struct content_writer *w = NULL;
	AUTO_ERR struct err err = { 0 };
	AUTO_FREE char *ref = xasprintf("ref %s", text);
	char digest[DIGEST_TEXT_SIZE];
	int rc;

	digest_of(text, digest);
	assert_ok(content_writer_open(meta_content(env.m), c, ref, 0, NULL, &w, &err), &err);
	assert_ok(content_write(w, text, strlen(text), &err), &err);
	rc = content_commit(w, c, (int64_t)strlen(text), digest, &labels, &err);
	labels_done(&labels);
	return rc;
}

static inline bool has_blob(struct content_store *s, struct ctx *c, const char *text)
{
	AUTO_ERR struct err err = { 0 };
	struct content_info i = { 0 };
	char digest[DIGEST_TEXT_SIZE];
	bool has;

	digest_of(text, digest);
	has = content_info(s, c, digest, &i, &err) == 0;
	content_info_done(&i);
	return has;
}

static inline void add_image_in(
		struct ctx *c, const char *name, const char *text, struct labels labels)
{
	AUTO(image_free) struct image *i = image_new(name);
	AUTO(image_free) struct image *made = NULL;
	AUTO_ERR struct err err = { 0 };

	i->target.digest = xmalloc(DIGEST_TEXT_SIZE);
	digest_of(text, i->target.digest);
	i->target.media_type = xstrdup("type");
	i->target.size = 10;
	i->labels = labels;
	assert_ok(image_create(meta_images(env.m), c, i, 0, &made, &err), &err);
}

static inline void prepare_in(
		struct ctx *c, const char *key, const char *parent, struct labels labels)
{
	AUTO_MOUNTS struct mounts m = { 0 };
	AUTO_ERR struct err err = { 0 };

	assert_ok(snapshot_prepare(meta_snapshotter(env.m, "mem"), c, key, parent, &labels, &m,
				  &err),
			&err);
	labels_done(&labels);
}

static inline void commit_in(
		struct ctx *c, const char *name, const char *key, struct labels labels)
{
	AUTO_ERR struct err err = { 0 };

	assert_ok(snapshot_commit(meta_snapshotter(env.m, "mem"), c, name, key, NULL, &labels,
				  &err),
			&err);
	labels_done(&labels);
}

static inline bool has_snapshot(struct ctx *c, const char *key)
{
	AUTO_ERR struct err err = { 0 };
	struct snapshot_info i = { 0 };
	bool has = snapshot_stat(meta_snapshotter(env.m, "mem"), c, key, &i, &err) == 0;

	snapshot_info_done(&i);
	return has;
}

static inline int count_snapshot(void *arg, const struct snapshot_info *i, struct err *err)
{
	(*(int *)arg)++;
	return 0;
}

/* How many the backend itself has. */
static inline int backend_snapshots(void)
{
	AUTO_ERR struct err err = { 0 };
	int n = 0;

	assert_ok(snapshot_walk(env.snapshots, &ctx, NULL, count_snapshot, &n, &err), &err);
	return n;
}

static inline void collect(void)
{
	AUTO_ERR struct err err = { 0 };
	struct gc_stats stats;

	assert_ok(gc_collect(meta_collector(env.m), &stats, &err), &err);
}

static inline void add_lease(struct ctx *c, const char *id, struct labels labels)
{
	AUTO_ERR struct err err = { 0 };
	struct lease l = { 0 };

	assert_ok(lease_create(meta_leases(env.m), c, id, &labels, &l, &err), &err);
	labels_done(&labels);
	lease_done(&l);
}

static inline void lease_it(struct ctx *c, const char *lease, const char *type, const char *id)
{
	AUTO_ERR struct err err = { 0 };

	assert_ok(lease_add_resource(meta_leases(env.m), c, lease, type, id, &err), &err);
}

static inline int note_resource(void *arg, const char *type, const char *id, struct err *err)
{
	buf_addf(arg, "%s:%s\n", type, id);
	return 0;
}

static inline void expect_resources(struct ctx *c, const char *lease, const char *want)
{
	AUTO_BUF struct buf out = { .limit = SIZE_MAX };
	AUTO_ERR struct err err = { 0 };

	assert_ok(lease_resources(meta_leases(env.m), c, lease, note_resource, &out, &err),
			&err);
	assert_string_equal(out.size == 0 ? "" : out.data, want);
}
