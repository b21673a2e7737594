/* SPDX-License-Identifier: Apache-2.0 */
#include "meta/meta_graph_priv.h"

#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "base/auto.h"
#include "base/mem.h"

void graph_init(struct graph *g)
{
	*g = (struct graph){ .slot_count = 64 };
	g->slots = xcalloc(g->slot_count, sizeof(*g->slots));
	IGNORE(getrandom(&g->seed, sizeof(g->seed), GRND_NONBLOCK));
}

void graph_done(struct graph *g)
{
	free(g->nodes);
	free(g->slots);
	free(g->edges);
	*g = (struct graph){ 0 };
}

static uint64_t mix(uint64_t h, struct kv_bytes bytes)
{
	const unsigned char *p = bytes.data;

	for (size_t i = 0; i < bytes.size; i++) {
		h = (h ^ p[i]) * UINT64_C(0x9e3779b97f4a7c15);
		h ^= h >> 29;
	}
	/* The end counts, so that "a","bc" is not "ab","c". */
	return (h ^ 0x100) * UINT64_C(0xc2b2ae3d27d4eb4f);
}

static size_t probe(const struct graph *g, uint64_t hash)
{
	size_t i = hash & (g->slot_count - 1);

	while (g->slots[i] != 0 && g->nodes[g->slots[i] - 1].hash != hash)
		i = (i + 1) & (g->slot_count - 1);
	return i;
}

static void grow_slots(struct graph *g)
{
	free(g->slots);
	g->slot_count *= 2;
	g->slots = xcalloc(g->slot_count, sizeof(*g->slots));
	for (size_t i = 0; i < g->count; i++)
		g->slots[probe(g, g->nodes[i].hash)] = (uint32_t)i + 1;
}

static uint32_t add_node(struct graph *g, uint64_t hash, enum node_type type)
{
	if (g->count == g->room) {
		g->room = g->room == 0 ? 64 : g->room * 2;
		g->nodes = xreallocarray(g->nodes, g->room, sizeof(*g->nodes));
	}
	if ((g->count + 1) * 2 > g->slot_count)
		grow_slots(g);
	g->nodes[g->count] = (struct node){ hash, NODE_NONE, (uint8_t)type, 0 };
	g->slots[probe(g, hash)] = (uint32_t)g->count + 1;
	return (uint32_t)g->count++;
}

uint32_t graph_node(struct graph *g, enum node_type type, struct kv_bytes ns,
		struct kv_bytes sub, struct kv_bytes key)
{
	uint64_t hash = mix(mix(mix(g->seed + (uint64_t)type, ns), sub), key);
	size_t slot = probe(g, hash);

	return g->slots[slot] != 0 ? g->slots[slot] - 1 : add_node(g, hash, type);
}

void graph_edge(struct graph *g, uint32_t from, uint32_t to, bool flat_too)
{
	if (g->edge_count == g->edge_room) {
		g->edge_room = g->edge_room == 0 ? 64 : g->edge_room * 2;
		g->edges = xreallocarray(g->edges, g->edge_room, sizeof(*g->edges));
	}
	g->edges[g->edge_count] = (struct edge){ to, g->nodes[from].edges, flat_too };
	g->nodes[from].edges = (uint32_t)g->edge_count++;
}

/* Nodes still to be looked at. */
struct stack {
	uint32_t *items;
	size_t count, room;
};

static void push(struct stack *s, uint32_t item)
{
	if (s->count == s->room) {
		s->room = s->room == 0 ? 64 : s->room * 2;
		s->items = xreallocarray(s->items, s->room, sizeof(*s->items));
	}
	s->items[s->count++] = item;
}

/* Sets what is new of the flags. */
static void reach(struct graph *g, struct stack *s, uint32_t node, uint8_t flag)
{
	struct node *n = &g->nodes[node];

	/* Reached with all it refers to includes reached flat. */
	if (n->flags & (flag | NODE_REACHED))
		return;
	n->flags |= flag;
	push(s, node);
}

void graph_mark(struct graph *g, uint32_t node, bool flat)
{
	struct stack s = { 0 };

	reach(g, &s, node, flat ? NODE_REACHED_FLAT : NODE_REACHED);
	while (s.count > 0) {
		const struct node *n = &g->nodes[s.items[--s.count]];
		bool full = n->flags & NODE_REACHED;

		for (uint32_t e = n->edges; e != NODE_NONE; e = g->edges[e].next)
			if (full || g->edges[e].flat_too)
				reach(g, &s, g->edges[e].to,
						full ? NODE_REACHED : NODE_REACHED_FLAT);
	}
	free(s.items);
}

bool graph_is_white(const struct graph *g, uint32_t node)
{
	return (g->nodes[node].flags & (NODE_EXISTS | NODE_REACHED | NODE_REACHED_FLAT |
						       NODE_GONE)) == NODE_EXISTS;
}

/* One walk in depth: a node is finished after all it refers to. */
struct ordering {
	struct graph *g;
	struct stack path, next_edges;
	uint32_t *finished;
	size_t count;
};

static void enter(struct ordering *o, uint32_t node)
{
	if ((o->g->nodes[node].flags & NODE_SEEN) || !graph_is_white(o->g, node))
		return;
	o->g->nodes[node].flags |= NODE_SEEN;
	push(&o->path, node);
	push(&o->next_edges, o->g->nodes[node].edges);
}

static void walk_from(struct ordering *o, uint32_t node)
{
	enter(o, node);
	while (o->path.count > 0) {
		uint32_t *edge = &o->next_edges.items[o->next_edges.count - 1], at = *edge;

		if (at == NODE_NONE) {
			o->finished[o->count++] = o->path.items[--o->path.count];
			o->next_edges.count--;
			continue;
		}
		*edge = o->g->edges[at].next;
		enter(o, o->g->edges[at].to);
	}
}

uint32_t *graph_white_order(struct graph *g, size_t *ret_count)
{
	struct ordering o = { .g = g };

	o.finished = xcalloc(g->count + 1, sizeof(*o.finished));
	for (uint32_t i = 0; i < g->count; i++)
		walk_from(&o, i);
	free(o.path.items);
	free(o.next_edges.items);
	for (size_t i = 0; i < o.count / 2; i++) {
		uint32_t swapped = o.finished[i];

		o.finished[i] = o.finished[o.count - 1 - i];
		o.finished[o.count - 1 - i] = swapped;
	}
	*ret_count = o.count;
	return o.finished;
}
