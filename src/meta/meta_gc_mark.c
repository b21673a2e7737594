/* SPDX-License-Identifier: Apache-2.0 */
/* Builds the graph of one read snapshot and marks what its roots reach. */
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/mem.h"
#include "core/gc.h"
#include "meta/meta_codec_priv.h"
#include "meta/meta_gc_scan_priv.h"
#include "meta/meta_priv.h"

struct cond_ref {
	uint32_t from, to;
	char *conditions;
};

struct use {
	uint32_t node;
	int64_t when_ns;
};

void gc_view_init(struct gc_view *v, int64_t now_ns)
{
	*v = (struct gc_view){ .now_ns = now_ns };
	graph_init(&v->graph);
}

void gc_view_done(struct gc_view *v)
{
	for (size_t i = 0; i < v->cond_count; i++)
		free(v->conds[i].conditions);
	free(v->conds);
	free(v->uses);
	free(v->active);
	graph_done(&v->graph);
}

uint32_t gc_view_node(struct gc_view *v, const struct object *o)
{
	return graph_node(&v->graph, o->type, o->ns, o->sub, o->key);
}

/* Makes edges of one object's references. */
struct edge_sink {
	struct ref_sink base;
	struct gc_view *v;
	uint32_t from;
};

static struct edge_sink *sink_of(struct ref_sink *sink)
{
	return container_of(sink, struct edge_sink, base);
}

static void add_ref(struct ref_sink *sink, enum node_type type, struct kv_bytes ns,
		struct kv_bytes sub, struct kv_bytes key, bool flat_too)
{
	struct edge_sink *s = sink_of(sink);
	struct graph *g = &s->v->graph;

	graph_edge(g, s->from, graph_node(g, type, ns, sub, key), flat_too);
}

static void add_back_ref(struct ref_sink *sink, enum node_type type, struct kv_bytes ns,
		struct kv_bytes sub, struct kv_bytes key)
{
	struct edge_sink *s = sink_of(sink);
	struct graph *g = &s->v->graph;

	graph_edge(g, graph_node(g, type, ns, sub, key), s->from, false);
}

static void add_cond_ref(struct ref_sink *sink, struct kv_bytes ns, struct kv_bytes sub,
		struct kv_bytes key, struct kv_bytes conditions)
{
	struct edge_sink *s = sink_of(sink);
	struct gc_view *v = s->v;

	v->conds = xreallocarray(v->conds, v->cond_count + 1, sizeof(*v->conds));
	v->conds[v->cond_count++] = (struct cond_ref){ s->from,
		graph_node(&v->graph, NODE_SNAPSHOT, ns, sub, key),
		meta_bytes_text(conditions) };
}

/* Roots are marked when all edges are known; until then they are kept as a list. */
struct roots {
	struct gc_view *v;
	struct kv_txn *txn;
	struct root {
		uint32_t node;
		bool flat;
	} * items;
	size_t count, room;
};

static void add_root(struct roots *r, uint32_t node, bool flat)
{
	if (r->count == r->room) {
		r->room = r->room == 0 ? 64 : r->room * 2;
		r->items = xreallocarray(r->items, r->room, sizeof(*r->items));
	}
	r->items[r->count++] = (struct root){ node, flat };
}

static bool resource_type(struct kv_bytes type, struct object *o)
{
	static const char snapshots[] = "snapshots/";
	static const struct {
		const char *name;
		enum node_type type;
	} types[] = {
		{ "content", NODE_CONTENT },
		{ "images", NODE_IMAGE },
		{ "ingests", NODE_INGEST },
	};
	size_t n = sizeof(snapshots) - 1;

	o->sub = (struct kv_bytes){ "", 0 };
	if (type.size > n && memcmp(type.data, snapshots, n) == 0) {
		o->type = NODE_SNAPSHOT;
		o->sub = (struct kv_bytes){ (const char *)type.data + n, type.size - n };
		return true;
	}
	for (size_t i = 0; i < ARRAY_LEN(types); i++) {
		if (type.size != strlen(types[i].name) ||
				memcmp(type.data, types[i].name, type.size) != 0)
			continue;
		o->type = types[i].type;
		return true;
	}
	return false;
}

/* What a lease holds is a root by itself: the lease may be flat. */
static int add_lease_roots(
		struct roots *r, const struct object *lease, bool flat, struct err *err)
{
	AUTO(kv_iter_free) struct kv_iter *it = NULL;
	AUTO_FREE char *ns = meta_bytes_text(lease->ns);
	AUTO_FREE char *id = meta_bytes_text(lease->key);
	struct kv_bytes key, value, parts[4];
	AUTO_KEY(prefix);
	int rc;

	if (kv_iter_new(r->txn, meta_key(&prefix, TABLE_LEASE_RESOURCE, ns, id, "", NULL),
			    (struct kv_bytes){ 0 }, &it, err) < 0)
		return -1;
	while ((rc = kv_iter_next(it, &key, &value, err)) > 0) {
		struct object o = { .ns = lease->ns };

		if (meta_key_split(key, parts, 4) != 4 || !resource_type(parts[2], &o))
			continue;
		o.ns = parts[0];
		o.key = parts[3];
		add_root(r, gc_view_node(r->v, &o), flat && o.type != NODE_INGEST);
	}
	return rc;
}

static bool is_root(const struct object *o, const struct traits *t, int64_t now_ns)
{
	switch (o->type) {
	case NODE_CONTAINER:
	case NODE_SANDBOX:
	case NODE_COMMIT:
		return true;
	case NODE_IMAGE:
	case NODE_LEASE:
		return !t->expires || t->expires_ns > now_ns;
	case NODE_INGEST:
		return t->ingest_expires_ns > now_ns;
	case NODE_CONTENT:
	case NODE_SNAPSHOT:
		return t->is_root;
	case NODE_STREAM:
	case NODE_MOUNT:
		break;
	}
	return true;
}

static const char *type_name(enum node_type type)
{
	switch (type) {
	case NODE_CONTENT:
		return "content";
	case NODE_SNAPSHOT:
	case NODE_COMMIT:
		return "snapshot";
	case NODE_CONTAINER:
		return "container";
	case NODE_IMAGE:
		return "image";
	case NODE_LEASE:
		return "lease";
	case NODE_INGEST:
		return "ingest";
	case NODE_SANDBOX:
		return "sandbox";
	case NODE_STREAM:
		return "stream";
	case NODE_MOUNT:
		return "mount";
	}
	return "object";
}

static int add_object(void *arg, const struct object *o, struct kv_bytes value, struct err *err)
{
	struct roots *r = arg;
	struct gc_view *v = r->v;
	uint32_t node = gc_view_node(v, o);
	struct edge_sink sink = { { add_ref, add_back_ref, add_cond_ref }, v, node };
	struct traits t;

	v->scanned++;
	v->graph.nodes[node].flags |= NODE_EXISTS;
	/* Without knowing what it refers to, nothing may be removed. */
	if (!scan_refs(o, value, &sink.base, &t)) {
		AUTO_FREE char *key = meta_bytes_text(o->key);

		return meta_damaged(type_name(o->type), key, err);
	}
	if (t.was_used) {
		v->uses = xreallocarray(v->uses, v->use_count + 1, sizeof(*v->uses));
		v->uses[v->use_count++] = (struct use){ node, t.used_ns };
	}
	if (!is_root(o, &t, v->now_ns))
		return 0;
	add_root(r, node, false);
	return o->type == NODE_LEASE ? add_lease_roots(r, o, t.is_flat, err) : 0;
}

static int by_node(const void *a, const void *b)
{
	uint32_t left = ((const struct use *)a)->node, right = ((const struct use *)b)->node;

	return (left > right) - (left < right);
}

static void apply_conditions(struct gc_view *v)
{
	if (v->use_count > 0)
		qsort(v->uses, v->use_count, sizeof(*v->uses), by_node);
	for (size_t i = 0; v->use_count > 0 && i < v->cond_count; i++) {
		struct cond_ref *c = &v->conds[i];
		const struct use *use, wanted = { c->to, 0 };

		use = bsearch(&wanted, v->uses, v->use_count, sizeof(*v->uses), by_node);
		if (use != NULL && scan_condition_holds(kv_text(c->conditions),
						   v->now_ns - use->when_ns))
			graph_edge(&v->graph, c->from, c->to, false);
	}
}

/* A flat lease holds it, too: nothing follows from it anyway. */
void gc_view_add(struct gc_view *v, enum node_type type, const struct gc_resource *r)
{
	static const struct kv_bytes nothing = { "", 0 };
	struct object o = { type, kv_text(r->ns), nothing, kv_text(r->name) };
	uint32_t node = gc_view_node(v, &o);
	struct edge_sink sink = { { add_ref, add_back_ref, add_cond_ref }, v, node };

	v->scanned++;
	v->graph.nodes[node].flags |= NODE_EXISTS;
	if (r->lease != NULL)
		graph_edge(&v->graph,
				graph_node(&v->graph, NODE_LEASE, o.ns, nothing,
						kv_text(r->lease)),
				node, true);
	scan_back_refs(&o, r->labels, &sink.base);
	if (!r->is_active)
		return;
	v->active = xreallocarray(v->active, v->active_count + 1, sizeof(*v->active));
	v->active[v->active_count++] = node;
}

int gc_view_mark(struct gc_view *v, struct kv_txn *txn, struct err *err)
{
	struct roots r = { .v = v, .txn = txn };
	int rc = scan_objects(txn, add_object, &r, err);

	if (rc == 0)
		apply_conditions(v);
	for (size_t i = 0; rc == 0 && i < v->active_count; i++)
		graph_mark(&v->graph, v->active[i], false);
	for (size_t i = 0; rc == 0 && i < r.count; i++)
		graph_mark(&v->graph, r.items[i].node, r.items[i].flat);
	free(r.items);
	return rc;
}
