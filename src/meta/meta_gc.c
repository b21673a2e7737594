/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One collection: mark on a read snapshot while writers go on, then remove in small
 * transactions (docs/design/013-gc.md). Writers tell what they touch meanwhile, and that is
 * marked before anything more is removed.
 */
#include <stdlib.h>
#include <string.h>

#include "base/cancel.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "core/event_maker.h"
#include "meta/meta_codec_priv.h"
#include "meta/meta_content_priv.h"
#include "meta/meta_gc_scan_priv.h"
#include "meta/meta_priv.h"
#include "meta/meta_snapshots_priv.h"

/* One transaction's worth: other writers wait for it. */
#define SWEEP_OBJECTS	512
#define SWEEP_RESOURCES 1024
#define SWEEP_SHADES	1024

void gc_init(struct gc *gc)
{
	mutex_init(&gc->lock, RANK_meta_writer);
	cond_init(&gc->idle);
	gc_space_init(&gc->content, meta_free_content);
	gc->closing = cancel_new();
}

static void clear_shades(struct gc *gc)
{
	for (size_t i = 0; i < gc->shaded_count; i++) {
		free(gc->shaded[i].ns);
		free(gc->shaded[i].sub);
		free(gc->shaded[i].key);
	}
	free(gc->shaded);
	gc->shaded = NULL;
	gc->shaded_count = gc->shaded_room = 0;
}

void gc_done(struct gc *gc)
{
	clear_shades(gc);
	gc_space_done(&gc->content);
	cancel_unref(gc->closing);
	cond_done(&gc->idle);
	mutex_done(&gc->lock);
}

void meta_shade(struct meta *m, enum node_type type, const char *ns, const char *sub,
		const char *key)
{
	struct gc *gc = &m->gc;

	LOCKED(&gc->lock);
	if (!gc->is_active)
		return;
	if (gc->shaded_count == gc->shaded_room) {
		gc->shaded_room = gc->shaded_room == 0 ? 64 : gc->shaded_room * 2;
		gc->shaded = xreallocarray(gc->shaded, gc->shaded_room, sizeof(*gc->shaded));
	}
	gc->shaded[gc->shaded_count++] =
			(struct shade){ type, xstrdup(ns), xstrdup(sub), xstrdup(key) };
}

/* Something unreachable, with its name. */
struct victim {
	struct object object; /* the bytes are owned, with a 0 behind */
	uint32_t node, rank;
	uint64_t serial; /* of a thing without a record */
};

/* A thing without a record, as it was when the run began. */
struct thing {
	struct object object; /* owned as above */
	uint64_t serial;
};

struct run {
	struct meta *m;
	struct gc_view view;
	struct thing *things;
	size_t thing_count, thing_room;
	uint32_t *ranks; /* by node: place in the order of removal, or NODE_NONE */
	struct victim *victims;
	size_t victim_count, victim_room;
	size_t next;	    /* first victim not yet dealt with */
	size_t shades_read; /* of gc->shaded */
	uint64_t removed;
	size_t rescued;
	int64_t pause_ns, longest_ns;
};

static struct kv_bytes own(struct kv_bytes bytes)
{
	return (struct kv_bytes){ meta_bytes_text(bytes), bytes.size };
}

static struct object own_object(const struct object *o)
{
	return (struct object){ o->type, own(o->ns), own(o->sub), own(o->key) };
}

static void free_object(struct object *o)
{
	free((void *)o->ns.data);
	free((void *)o->sub.data);
	free((void *)o->key.data);
}

static void run_done(struct run *r)
{
	for (size_t i = 0; i < r->victim_count; i++)
		free_object(&r->victims[i].object);
	for (size_t i = 0; i < r->thing_count; i++)
		free_object(&r->things[i].object);
	free(r->victims);
	free(r->things);
	free(r->ranks);
	gc_view_done(&r->view);
}

static void add_victim(struct run *r, const struct object *o, uint64_t serial)
{
	uint32_t node = gc_view_node(&r->view, o);

	if (r->ranks[node] == NODE_NONE)
		return;
	if (r->victim_count == r->victim_room) {
		r->victim_room = r->victim_room == 0 ? 64 : r->victim_room * 2;
		r->victims = xreallocarray(r->victims, r->victim_room, sizeof(*r->victims));
	}
	r->victims[r->victim_count++] =
			(struct victim){ own_object(o), node, r->ranks[node], serial };
}

static int note_victim(
		void *arg, const struct object *o, struct kv_bytes value, struct err *err)
{
	add_victim(arg, o, 0);
	return 0;
}

static int by_rank(const void *a, const void *b)
{
	uint32_t left = ((const struct victim *)a)->rank,
		 right = ((const struct victim *)b)->rank;

	return (left > right) - (left < right);
}

/* Names the white nodes, in the order in which they may go: what refers before what is referred
 * to. So an object that somebody still sees is whole. */
static int find_victims(struct run *r, struct kv_txn *txn, struct err *err)
{
	size_t nodes = r->view.graph.count, count;
	AUTO_FREE uint32_t *order = graph_white_order(&r->view.graph, &count);

	if (count == 0)
		return 0;
	r->ranks = xcalloc(nodes, sizeof(*r->ranks));
	memset(r->ranks, 0xff, nodes * sizeof(*r->ranks));
	for (size_t i = 0; i < count; i++)
		r->ranks[order[i]] = (uint32_t)i;
	if (scan_objects(txn, note_victim, r, err) < 0)
		return -1;
	for (size_t i = 0; i < r->thing_count; i++)
		add_victim(r, &r->things[i].object, r->things[i].serial);
	qsort(r->victims, r->victim_count, sizeof(*r->victims), by_rank);
	return 0;
}

static void note_thing(struct run *r, enum node_type type, const struct gc_resource *g)
{
	struct object o = { type, kv_text(g->ns), { "", 0 }, kv_text(g->name) };

	gc_view_add(&r->view, type, g);
	if (r->thing_count == r->thing_room) {
		r->thing_room = r->thing_room == 0 ? 16 : r->thing_room * 2;
		r->things = xreallocarray(r->things, r->thing_room, sizeof(*r->things));
	}
	r->things[r->thing_count++] = (struct thing){ own_object(&o), g->serial };
}

static void note_stream(void *arg, const struct gc_resource *g)
{
	note_thing(arg, NODE_STREAM, g);
}

static void note_mount(void *arg, const struct gc_resource *g)
{
	note_thing(arg, NODE_MOUNT, g);
}

static void note_things(struct run *r)
{
	const struct gc *gc = &r->m->gc;

	if (gc->streams != NULL)
		gc->streams->walk(gc->streams, note_stream, r);
	if (gc->mounts != NULL)
		gc->mounts->walk(gc->mounts, note_mount, r);
}

/* Things first: the lease of what is there now is then in the snapshot, unless it has ended. */
static int mark(struct run *r, struct err *err)
{
	AUTO(kv_read_end) struct kv_txn *txn = NULL;

	gc_view_init(&r->view, r->m->wall_ns());
	note_things(r);
	if (kv_read(r->m->kv, &txn, err) < 0)
		return -1;
	if (gc_view_mark(&r->view, txn, err) < 0)
		return -1;
	return find_victims(r, txn, err);
}

/* ---- what writers touched meanwhile ---- */

struct shade_sink {
	struct ref_sink base;
	struct run *r;
};

static void rescue(struct run *r, uint32_t node)
{
	if (graph_is_white(&r->view.graph, node))
		r->rescued++;
	graph_mark(&r->view.graph, node, false);
}

static void mark_ref(struct ref_sink *sink, enum node_type type, struct kv_bytes ns,
		struct kv_bytes sub, struct kv_bytes key, bool flat_too)
{
	struct run *r = container_of(sink, struct shade_sink, base)->r;

	rescue(r, graph_node(&r->view.graph, type, ns, sub, key));
}

static void ignore_back_ref(struct ref_sink *sink, enum node_type type, struct kv_bytes ns,
		struct kv_bytes sub, struct kv_bytes key)
{
	/* The object itself is marked already. */
}

static void mark_cond_ref(struct ref_sink *sink, struct kv_bytes ns, struct kv_bytes sub,
		struct kv_bytes key, struct kv_bytes conditions)
{
	mark_ref(sink, NODE_SNAPSHOT, ns, sub, key, false);
}

static enum table table_of(enum node_type type)
{
	switch (type) {
	case NODE_CONTENT:
		return TABLE_BLOB;
	case NODE_SNAPSHOT:
		return TABLE_SNAPSHOT;
	case NODE_CONTAINER:
		return TABLE_CONTAINER;
	case NODE_IMAGE:
		return TABLE_IMAGE;
	case NODE_LEASE:
		return TABLE_LEASE;
	case NODE_INGEST:
		return TABLE_INGEST;
	case NODE_COMMIT:
		return TABLE_COMMIT;
	case NODE_SANDBOX:
		return TABLE_SANDBOX;
	case NODE_STREAM:
	case NODE_MOUNT:
		break; /* not touched, and nowhere written */
	}
	return TABLE_COMMIT;
}

static struct kv_bytes record_key(struct buf *b, enum node_type type, const char *ns,
		const char *sub, const char *key)
{
	if (type == NODE_SNAPSHOT || type == NODE_COMMIT)
		return meta_key(b, table_of(type), ns, sub, key, NULL);
	return meta_key(b, table_of(type), ns, key, NULL);
}

/* Marks a touched object, and what its record says now. */
static int read_shade(struct run *r, struct kv_txn *txn, const struct shade *s, struct err *err)
{
	struct object o = { s->type, kv_text(s->ns), kv_text(s->sub), kv_text(s->key) };
	struct shade_sink sink = { { mark_ref, ignore_back_ref, mark_cond_ref }, r };
	struct kv_bytes value;
	struct traits t;
	AUTO_KEY(key);
	int rc;

	rescue(r, gc_view_node(&r->view, &o));
	if (*s->key == '\0')
		return 0;
	rc = kv_get(txn, record_key(&key, s->type, s->ns, s->sub, s->key), &value, err);
	if (rc > 0 && !scan_refs(&o, value, &sink.base, &t))
		return meta_damaged("record", s->key, err);
	return rc < 0 ? -1 : 0;
}

/* A copy: the list may grow while we read. The texts stay. */
static bool next_shade(struct gc *gc, size_t at, struct shade *ret)
{
	LOCKED(&gc->lock);
	if (at >= gc->shaded_count)
		return false;
	*ret = gc->shaded[at];
	return true;
}

/* ---- removal ---- */

/* One transaction's doings; made anew when it runs again. */
struct sweep {
	struct run *r;
	size_t next, shades_read, budget;
	struct gone {
		const struct victim *victim;
		char *backend; /* of a snapshot or ingest */
	} gone[SWEEP_OBJECTS];
	size_t gone_count;
	int64_t took_ns;
};

static void sweep_reset(struct sweep *s)
{
	for (size_t i = 0; i < s->gone_count; i++)
		free(s->gone[i].backend);
	*s = (struct sweep){ .r = s->r };
	s->next = s->r->next;
	s->shades_read = s->r->shades_read;
	s->budget = SWEEP_RESOURCES;
}

/* A lease may hold very much, so its entries go a lot at a time. 1 when all are gone. */
static int sweep_lease(
		struct sweep *s, struct kv_txn *txn, const struct object *o, struct err *err)
{
	AUTO(kv_iter_free) struct kv_iter *it = NULL;
	struct kv_bytes key, value;
	AUTO_KEY(prefix);
	int rc;

	if (kv_iter_new(txn,
			    meta_key(&prefix, TABLE_LEASE_RESOURCE, o->ns.data, o->key.data, "",
					    NULL),
			    (struct kv_bytes){ 0 }, &it, err) < 0)
		return -1;
	while ((rc = kv_iter_next(it, &key, &value, err)) > 0) {
		if (s->budget == 0)
			return 0;
		s->budget--;
		if (kv_iter_del(it, err) < 0)
			return -1;
	}
	if (rc < 0)
		return -1;
	return kv_del(txn, meta_key(&prefix, TABLE_LEASE, o->ns.data, o->key.data, NULL), err) <
					       0
			       ? -1
			       : 1;
}

static int sweep_snapshot(
		struct kv_txn *txn, const struct object *o, char **backend, struct err *err)
{
	struct snapshot_record r = { 0 };
	int rc = meta_snapshot_delete(txn, o->ns.data, o->sub.data, o->key.data, &r, err);

	if (rc > 0)
		*backend = take_ptr(r.backend);
	snapshot_record_done(&r);
	return rc < 0 ? -1 : 1;
}

static int sweep_ingest(
		struct kv_txn *txn, const struct object *o, char **backend, struct err *err)
{
	AUTO_INGEST struct ingest_record r = { 0 };

	if (meta_ingest_load(txn, o->ns.data, o->key.data, &r, err) < 0 ||
			meta_ingest_remove(txn, o->ns.data, o->key.data, err) < 0)
		return -1;
	*backend = take_ptr(r.backend);
	return 1;
}

/* 1 when it is gone, 0 when this transaction has done enough. */
static int sweep_one(
		struct sweep *s, struct kv_txn *txn, const struct victim *v, struct err *err)
{
	const struct object *o = &v->object;
	char *backend = NULL;
	AUTO_KEY(key);
	int rc;

	if (o->type == NODE_STREAM || o->type == NODE_MOUNT)
		rc = 1; /* after the commit */
	else if (o->type == NODE_LEASE)
		rc = sweep_lease(s, txn, o, err);
	else if (o->type == NODE_SNAPSHOT)
		rc = sweep_snapshot(txn, o, &backend, err);
	else if (o->type == NODE_INGEST)
		rc = sweep_ingest(txn, o, &backend, err);
	else
		rc = kv_del(txn, record_key(&key, o->type, o->ns.data, "", o->key.data), err) <
						     0
				     ? -1
				     : 1;
	if (rc > 0)
		s->gone[s->gone_count++] = (struct gone){ v, backend };
	return rc;
}

static int read_shades(struct sweep *s, struct kv_txn *txn, struct err *err)
{
	struct shade shade;

	for (size_t n = 0; n < SWEEP_SHADES; n++, s->shades_read++) {
		if (!next_shade(&s->r->m->gc, s->shades_read, &shade))
			return 1;
		if (read_shade(s->r, txn, &shade, err) < 0)
			return -1;
	}
	return 0; /* more to read: nothing may be removed yet */
}

static int sweep_victims(struct sweep *s, struct kv_txn *txn, struct err *err)
{
	const struct run *r = s->r;

	for (; s->next < r->victim_count && s->gone_count < SWEEP_OBJECTS; s->next++) {
		const struct victim *v = &r->victims[s->next];
		int rc = 1;

		if (graph_is_white(&r->view.graph, v->node))
			rc = sweep_one(s, txn, v, err);
		if (rc <= 0)
			return rc;
	}
	return 0;
}

static int sweep_op(struct kv_txn *txn, void *arg, struct err *err)
{
	int64_t start = clock_mono_ns();
	struct sweep *s = arg;
	int rc;

	sweep_reset(s);
	rc = read_shades(s, txn, err);
	if (rc > 0)
		rc = sweep_victims(s, txn, err);
	s->took_ns = clock_mono_ns() - start;
	return rc;
}

/* After the commit: what is gone is told, and its space may be freed. */
static void tell_gone(struct meta *m, const struct gone *g)
{
	const struct object *o = &g->victim->object;
	struct any payload = { 0 };

	if (o->type == NODE_CONTENT)
		meta_drop_blob(m, o->key.data);
	else if (o->type == NODE_INGEST && g->backend != NULL)
		meta_drop_ingest(m, g->backend);
	else if (o->type == NODE_SNAPSHOT && g->backend != NULL)
		meta_drop_snapshot(m, o->sub.data, g->backend);
	else if (o->type == NODE_STREAM)
		m->gc.streams->remove(m->gc.streams, g->victim->serial);
	else if (o->type == NODE_MOUNT)
		m->gc.mounts->remove(m->gc.mounts, g->victim->serial);
	if (!meta_has_events(m))
		return;
	if (o->type == NODE_IMAGE) {
		m->maker->image_delete(o->key.data, &payload);
		meta_publish(m, o->ns.data, "/images/delete", &payload);
	} else if (o->type == NODE_SNAPSHOT) {
		m->maker->snapshot_remove(o->key.data, o->sub.data, &payload);
		meta_publish(m, o->ns.data, "/snapshot/remove", &payload);
	}
}

static void sweep_took_effect(struct sweep *s)
{
	struct run *r = s->r;

	r->next = s->next;
	r->shades_read = s->shades_read;
	r->removed += s->gone_count;
	r->pause_ns += s->took_ns;
	if (s->took_ns > r->longest_ns)
		r->longest_ns = s->took_ns;
	for (size_t i = 0; i < s->gone_count; i++) {
		r->view.graph.nodes[s->gone[i].victim->node].flags |= NODE_GONE;
		tell_gone(r->m, &s->gone[i]);
	}
}

static int sweep(struct run *r, struct err *err)
{
	struct sweep *s = xzalloc(sizeof(*s));
	int rc = 0;

	s->r = r;
	while (rc == 0 && r->next < r->victim_count) {
		rc = kv_update(r->m->kv, sweep_op, s, err);
		if (rc == 0)
			sweep_took_effect(s);
	}
	sweep_reset(s);
	free(s);
	return rc;
}

/* ---- the whole ---- */

static int activate(struct kv_txn *txn, void *arg, struct err *err)
{
	struct gc *gc = arg;

	LOCKED(&gc->lock);
	gc->is_active = true;
	return 0;
}

static void deactivate(struct gc *gc)
{
	LOCKED(&gc->lock);
	gc->is_active = false;
	clear_shades(gc);
}

static void begin(struct gc *gc)
{
	LOCKED(&gc->lock);
	while (gc->is_collecting)
		cond_wait(&gc->idle, &gc->lock);
	gc->is_collecting = true;
}

static void end(struct gc *gc)
{
	LOCKED(&gc->lock);
	gc->is_collecting = false;
	cond_broadcast(&gc->idle);
}

void meta_set_streams(struct meta *m, struct gc_resources *streams)
{
	begin(&m->gc);
	m->gc.streams = streams;
	end(&m->gc);
}

void meta_set_mounts(struct meta *m, struct gc_resources *mounts)
{
	begin(&m->gc);
	m->gc.mounts = mounts;
	end(&m->gc);
}

static int mark_and_sweep(struct run *r, struct err *err)
{
	int rc;

	/* As a write operation: whoever writes after it tells, whoever wrote before is seen. */
	if (kv_update(r->m->kv, activate, &r->m->gc, err) < 0)
		return -1;
	rc = mark(r, err);
	if (rc == 0)
		rc = sweep(r, err);
	deactivate(&r->m->gc);
	return rc;
}

int meta_collect(struct meta *m, struct gc_stats *ret_stats, struct err *err)
{
	int64_t start = clock_mono_ns();
	struct run r = { .m = m };
	int rc;

	begin(&m->gc);
	rc = meta_recover_commits(m, NULL, err);
	if (rc == 0)
		rc = mark_and_sweep(&r, err);
	if (rc == 0)
		meta_free_space(m);
	end(&m->gc);
	kv_trim(m->kv);
	*ret_stats = (struct gc_stats){ clock_mono_ns() - start, r.pause_ns, r.longest_ns,
		r.view.scanned, r.removed, r.rescued > 0 };
	run_done(&r);
	return rc;
}

int meta_collect_now(struct meta *m, struct ctx *ctx, struct err *err)
{
	struct gc_scheduler *scheduler = atomic_load(&m->scheduler);
	struct gc_stats stats;

	if (scheduler != NULL)
		return gc_run(scheduler, ctx, err);
	return meta_collect(m, &stats, err);
}
