/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Namespaced metadata: containers, images, namespaces, leases, and the records that give
 * content and snapshots of the backends their names per namespace (reference 01 §4 to §7). One
 * file, one object; it implements the interfaces of core/.
 *
 * Reading never waits for writers. Writing commits in groups. No lock is held across a backend.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/auto.h"

struct collector;
struct container_store;
struct content_store;
struct err;
struct event_bus;
struct ctx;
struct event_maker;
struct finding_sink;
struct gc_resources;
struct gc_scheduler;
struct image_store;
struct kv;
struct lease_store;
struct meta;
struct namespace_store;
struct sandbox_store;
struct snapshotter;

struct meta_backend {
	const char *name;
	struct snapshotter *snapshotter;
};

/* Everything is borrowed and must outlive the metadata; names are copied. */
struct meta_options {
	struct content_store *content;
	const struct meta_backend *snapshotters;
	size_t snapshotter_count;
	struct event_bus *events;	 /* NULL: none are published */
	const struct event_maker *maker; /* NULL: none are published */
	bool isolated;			 /* content_sharing_policy (reference 01 §4.5) */
	bool no_sync;			 /* for kv_open() */
	size_t map_bytes;		 /* for kv_open() */
	int64_t (*wall_ns)(void);	 /* NULL: clock_wall_ns */
};

/* Opens or creates the file and finishes what a crash interrupted. Errors as of kv_open(). */
MAY_BLOCK MUST_USE int meta_open(const char *path, const struct meta_options *options,
		struct meta **ret_meta, struct err *err);
/* No call may be under way. NULL is fine. */
MAY_BLOCK void meta_close(struct meta *m);
DEFINE_AUTO(struct meta *, meta_close)

/* Borrowed; they live as long as the metadata. */
struct container_store *meta_containers(struct meta *m);
struct image_store *meta_images(struct meta *m);
struct namespace_store *meta_namespaces(struct meta *m);
struct lease_store *meta_leases(struct meta *m);
struct sandbox_store *meta_sandboxes(struct meta *m);
struct content_store *meta_content(struct meta *m);
/* NULL if no backend of that name was given. Do not free. */
struct snapshotter *meta_snapshotter(struct meta *m, const char *name);

/* Marks and sweeps. Without a scheduler, "sync" removals collect by themselves. */
struct collector *meta_collector(struct meta *m);
/* Told of every write from now on; NULL: no longer. Set before calls are served. */
void meta_set_scheduler(struct meta *m, struct gc_scheduler *scheduler);

/* What else to collect. NULL: no longer; returns when no collection is using the old ones. */
MAY_BLOCK void meta_set_streams(struct meta *m, struct gc_resources *streams);
MAY_BLOCK void meta_set_mounts(struct meta *m, struct gc_resources *mounts);

/* Names the records that cannot be read, and those whose object the backends do not have. For a
 * time when nothing else is going on: it reads under one transaction. */
MAY_BLOCK MUST_USE int meta_verify(struct meta *m, struct ctx *ctx,
		const struct finding_sink *sink, struct err *err);
/* Labels the blob as damaged in every namespace that has it (*ret_count of them), so that the
 * next writer brings its bytes again. */
MAY_BLOCK MUST_USE int meta_mark_damaged(struct meta *m, const char *digest, const char *why,
		size_t *ret_count, struct err *err);

/* For figures and the debug dump; borrowed. */
struct kv *meta_kv(struct meta *m);
