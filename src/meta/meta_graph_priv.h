/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What refers to what, for one collection. Objects are known by a hash of type, namespace and
 * key, so that 100,000 of them take a few megabytes; two that collide are kept or go together,
 * which only ever keeps too much.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "kv/kv.h"
#include "meta/meta_gc_priv.h"

#define NODE_NONE UINT32_MAX

enum {
	NODE_EXISTS = 1,  /* there is a record; else something refers to nothing */
	NODE_REACHED = 2, /* with everything it refers to */
	NODE_REACHED_FLAT = 4,
	NODE_SEEN = 8, /* while ordering */
	NODE_GONE = 16,
};

struct node {
	uint64_t hash;
	uint32_t edges; /* first one, or NODE_NONE */
	uint8_t type, flags;
};

struct edge {
	uint32_t to, next;
	bool flat_too; /* also followed when the source is reached flat */
};

struct graph {
	struct node *nodes;
	uint32_t *slots; /* open addressing: index of a node plus 1, or 0 */
	struct edge *edges;
	size_t count, room, slot_count, edge_count, edge_room;
	uint64_t seed;
};

void graph_init(struct graph *g);
void graph_done(struct graph *g);

/* The node of that name, made if need be. */
uint32_t graph_node(struct graph *g, enum node_type type, struct kv_bytes ns,
		struct kv_bytes sub, struct kv_bytes key);
void graph_edge(struct graph *g, uint32_t from, uint32_t to, bool flat_too);

/* Reaches the node and what follows from it. Flat: only a snapshot's parents and an image's
 * content follow. */
void graph_mark(struct graph *g, uint32_t node, bool flat);

/* Whether there is a record that nothing reaches. */
bool graph_is_white(const struct graph *g, uint32_t node);
/* The white nodes, each before what it refers to (but for rings). Owned; *ret_count of them. */
uint32_t *graph_white_order(struct graph *g, size_t *ret_count);
