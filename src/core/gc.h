/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Garbage collection: who collects (meta/), and who decides when (gc/). Neither knows the other
 * (reference 01 §7).
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"

struct ctx;
struct err;
struct gc_scheduler;
struct labels;

struct gc_stats {
	int64_t total_ns; /* from start to the end of the backends' clean-up */
	int64_t pause_ns; /* while writers had to wait, all together */
	int64_t longest_pause_ns;
	uint64_t scanned, removed; /* objects */
	bool again;		   /* what was touched during the run may be garbage now */
};

/* One collection: marks, removes what is not reachable, frees its space. One at a time. */
struct collector {
	int (*collect)(struct collector *self, struct gc_stats *ret_stats, struct err *err);
};

/* What has no record in the metadata, but leases and labels may name: open streams and active
 * mounts. The numbers are those of the original's nodes (reference 01 §7.2). */
enum gc_kind {
	GC_STREAM = 9,
	GC_MOUNT = 10,
};

struct gc_resource {
	const char *ns, *name;
	const char *lease;	     /* holds it, if there is such a lease; NULL: none does */
	const struct labels *labels; /* whose back references count; NULL: none */
	uint64_t serial;	     /* no other of this kind ever had it */
	bool is_active;		     /* not garbage, whatever refers to it */
};

/* Whoever has such things. The collector calls it on its own thread. */
struct gc_resources {
	/* Tells "each" of all there are, which keeps nothing of what it is given. */
	void (*walk)(struct gc_resources *self,
			void (*each)(void *arg, const struct gc_resource *r), void *arg);
	/* Nothing refers to it any more. It may be gone already. */
	void (*remove)(struct gc_resources *self, uint64_t serial);
};

struct gc_scheduler_ops {
	/* Something was written; is_dirty: garbage may have come to be. Never blocks. */
	void (*mutated)(struct gc_scheduler *self, bool is_dirty);
	/* Returns after a collection that began after the call. */
	int (*run)(struct gc_scheduler *self, struct ctx *ctx, struct err *err);
};
struct gc_scheduler {
	const struct gc_scheduler_ops *ops;
};

/* The entries of both tables above. gc_run(): DEADLINE, UNAVAILABLE when it is stopping. */
ANY_THREAD void gc_mutated(struct gc_scheduler *s, bool is_dirty);
MAY_BLOCK MUST_USE int gc_run(struct gc_scheduler *s, struct ctx *ctx, struct err *err);
MAY_BLOCK MUST_USE int gc_collect(
		struct collector *c, struct gc_stats *ret_stats, struct err *err);
