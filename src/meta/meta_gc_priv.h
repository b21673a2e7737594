/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Garbage collection: what writers tell the collector, and its own pieces
 * (docs/design/013-gc.md).
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/map.h"
#include "base/mutex.h"

struct err;
struct gc_resources;
struct gc_stats;
struct meta;

/* Numbers as in the original (reference 01 §7.2); a sandbox has none there. */
enum node_type {
	NODE_CONTENT = 1,
	NODE_SNAPSHOT = 2,
	NODE_CONTAINER = 3,
	NODE_IMAGE = 5,
	NODE_LEASE = 6,
	NODE_INGEST = 7,
	NODE_STREAM = 9,
	NODE_MOUNT = 10,
	NODE_SANDBOX = 29, /* a root, never removed */
	NODE_COMMIT = 30,  /* a commit under way keeps its snapshots */
};

/* One object: type, namespace, snapshotter ("" but for snapshots), key. */
struct shade {
	enum node_type type;
	char *ns, *sub, *key;
};

struct gc {
	struct mutex lock;
	struct cond idle;
	bool is_collecting; /* one run at a time */
	bool is_active;	    /* writers must tell what they touch */
	struct shade *shaded;
	size_t shaded_count, shaded_room;

	/* Things without records; changed between runs only. */
	struct gc_resources *streams, *mounts;

	/* What the backends may remove: names whose records went. */
	struct map blobs;		   /* digest */
	struct map ingests;		   /* backend ref */
	struct map snapshots;		   /* snapshotter, NUL as '\n', backend key */
	bool walk_content, walk_snapshots; /* look at everything instead */
};

void gc_init(struct gc *gc);
void gc_done(struct gc *gc);

/* In a write transaction: this object was made, changed or referred to, so that a collection
 * under way must not take it or what it refers to for garbage. */
void meta_shade(struct meta *m, enum node_type type, const char *ns, const char *sub,
		const char *key);

/* After a commit: names that no record of this namespace has any more. */
void meta_drop_blob(struct meta *m, const char *digest);
void meta_drop_ingest(struct meta *m, const char *backend_ref); /* NULL: look at all */
void meta_drop_snapshot(struct meta *m, const char *snapshotter, const char *backend_key);

/* Frees in the backends what nothing refers to any more. What fails is tried again next time.
 */
MAY_BLOCK void meta_free_space(struct meta *m);

int meta_collect(struct meta *m, struct gc_stats *ret_stats, struct err *err);
