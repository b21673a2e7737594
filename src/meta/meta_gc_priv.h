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
#include "base/pool.h"

struct cancel;
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

/* What a backend may remove. One that another process serves frees it on its own pool, so that
 * nobody waits for that process. Under the lock of struct gc. */
struct gc_space {
	struct map names;     /* backend keys, or digests, whose records went */
	struct map ingests;   /* backend refs; content only */
	bool walk;	      /* look at everything instead */
	bool has_commits;     /* some of its commits were interrupted */
	bool is_freeing;      /* the job is submitted or runs */
	bool is_wanted_again; /* a collection ended meanwhile */
	struct job job;
};

void gc_space_init(struct gc_space *space, void (*free)(struct job *job));
void gc_space_done(struct gc_space *space);

struct gc {
	struct mutex lock;
	struct cond idle;
	bool is_collecting; /* one run at a time */
	bool is_active;	    /* writers must tell what they touch */
	struct shade *shaded;
	size_t shaded_count, shaded_room;

	/* Things without records; changed between runs only. */
	struct gc_resources *streams, *mounts;

	struct gc_space content;
	struct cancel *closing; /* ends what waits for a backend */
	bool is_closing;
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

/* Frees in the backends what nothing refers to any more; backends of other processes do so
 * later. What fails is tried again next time. */
MAY_BLOCK void meta_free_space(struct meta *m);
void meta_free_content(struct job *job);   /* of struct gc */
void meta_free_snapshots(struct job *job); /* of struct meta_snapshots */
/* Before closing: calls off what other processes were asked for. */
MAY_BLOCK void meta_stop_freeing(struct meta *m);

int meta_collect(struct meta *m, struct gc_stats *ret_stats, struct err *err);
