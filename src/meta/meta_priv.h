/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of meta/ share. */
#pragma once

#include <stdatomic.h>

#include "base/buf.h"
#include "base/ctx.h"
#include "base/err.h"
#include "base/labels.h"
#include "core/container.h"
#include "core/content.h"
#include "core/gc.h"
#include "core/image.h"
#include "core/lease.h"
#include "core/namespace.h"
#include "core/sandbox.h"
#include "core/snapshot.h"
#include "kv/kv.h"
#include "meta/meta.h"
#include "meta/meta_gc_priv.h"
#include "meta/meta_holds_priv.h"

struct any;
struct filter;

/* The first byte of a key: which table. The parts behind it are separated by NUL. */
enum table {
	TABLE_CONTAINER = 'c',	    /* ns, id */
	TABLE_IMAGE = 'i',	    /* ns, name */
	TABLE_NAMESPACE = 'n',	    /* name */
	TABLE_LEASE = 'l',	    /* ns, id */
	TABLE_LEASE_RESOURCE = 'r', /* ns, lease, type, id */
	TABLE_BLOB = 'b',	    /* ns, digest */
	TABLE_INGEST = 'g',	    /* ns, ref */
	TABLE_EXPECTED = 'e',	    /* digest, ns, ref: ingests that wait for a shared blob */
	TABLE_SNAPSHOT = 's',	    /* ns, snapshotter, key */
	TABLE_CHILD = 'k',	    /* ns, snapshotter, parent, child */
	TABLE_COMMIT = 'j',	    /* ns, snapshotter, key: commits under way */
	TABLE_SANDBOX = 'x',	    /* ns, id */
	TABLE_SEQUENCE = 'q',	    /* name */
};

struct meta_snapshots {
	struct snapshotter base;
	struct meta *meta;
	char *name;
	struct snapshotter *backend;
	struct gc_space space;
};

struct meta {
	struct container_store containers;
	struct image_store images;
	struct namespace_store namespaces;
	struct lease_store leases;
	struct sandbox_store sandboxes;
	struct content_store content;
	struct meta_snapshots *snapshotters;
	size_t snapshotter_count;
	struct collector collector;

	struct kv *kv;
	struct content_store *backend;
	struct event_bus *events;
	const struct event_maker *maker;
	bool isolated;
	int64_t (*wall_ns)(void);
	_Atomic(struct gc_scheduler *) scheduler;

	struct holds holds;
	struct mutex seq_lock;
	uint64_t seq_next, seq_limit; /* numbers this process may still give out */

	struct gc gc;
};

extern const struct container_store_ops meta_container_ops;
extern const struct image_store_ops meta_image_ops;
extern const struct namespace_store_ops meta_namespace_ops;
extern const struct lease_store_ops meta_lease_ops;
extern const struct sandbox_store_ops meta_sandbox_ops;
extern const struct content_store_ops meta_content_ops;
extern const struct snapshotter_ops meta_snapshotter_ops;

/* ---- keys ---- */

#define AUTO_KEY(name) AUTO_BUF struct buf name = { .limit = SIZE_MAX }

/* Builds table, parts joined by NUL, in "b" (which is emptied first); NULL ends the parts. A
 * last part of "" makes the prefix of all keys below the ones before it. */
struct kv_bytes meta_key(struct buf *b, enum table table, ...) __attribute__((sentinel));
/* The parts of a key behind its table byte; the last one takes the rest. How many there are. */
size_t meta_key_split(struct kv_bytes key, struct kv_bytes *parts, size_t max);
char *meta_bytes_text(struct kv_bytes bytes); /* owned */

/* ---- transactions ---- */

/* kv_update() that tells the scheduler. is_dirty: garbage may have come to be. */
MAY_BLOCK MUST_USE int meta_update(
		struct meta *m, kv_update_fn fn, void *arg, bool is_dirty, struct err *err);
/* Every write of an object makes its namespace. */
MUST_USE int meta_touch_namespace(struct kv_txn *txn, const char *ns, struct err *err);
/* A number never given out before, also not before a crash. */
MAY_BLOCK MUST_USE int meta_next_seq(struct meta *m, uint64_t *ret_seq, struct err *err);

/* ---- leases: recording what a call makes ---- */

/* NOT_FOUND "lease does not exist" if ctx names one that is not there. */
MUST_USE int meta_lease_check(
		struct kv_txn *txn, const char *ns, const char *lease, struct err *err);
/* Nothing if lease is NULL. Type as in lease_add_resource(). */
MUST_USE int meta_lease_add(struct meta *m, struct kv_txn *txn, const char *ns,
		const char *lease, const char *type, const char *id, struct err *err);
MUST_USE int meta_lease_drop(struct kv_txn *txn, const char *ns, const char *lease,
		const char *type, const char *id, struct err *err);

/* ---- field masks ---- */

/* The part of path behind prefix, or NULL. */
const char *meta_path_key(const char *path, const char *prefix);
/* One label as "from" has it: set, or removed when absent or empty. */
void meta_label_apply(struct labels *to, const struct labels *from, const char *key);
void meta_labels_replace(struct labels *to, const struct labels *from);
/* Neither an empty key nor too much text. */
MUST_USE int meta_labels_check(const struct labels *labels, const char *what, struct err *err);
/* filter_parse(); the class's words stand twice in errors of some lists (reference 01 §4.9). */
MUST_USE int meta_filter(char *const *filters, bool is_twice, struct filter **ret_filter,
		struct err *err);

/* Objects whose extensions or other Anys an update does not send keep them (quirk 21). */
void meta_any_replace(struct any *to, const struct any *from);
void meta_extension_apply(struct anys *to, const struct anys *from, const char *key);
void meta_extensions_replace(struct anys *to, const struct anys *from);

/* Changes what the paths name, or all that may be changed when there are none. */
typedef int (*meta_apply_all)(void *to, const void *from, struct err *err);
typedef int (*meta_apply_path)(void *to, const void *from, const char *path, struct err *err);
MUST_USE int meta_apply_mask(char *const *paths, meta_apply_all all, meta_apply_path one,
		void *to, const void *from, struct err *err);

/* ---- records of objects that have a name in a namespace ---- */

/* "<what> <quoted name>"; -1. */
int meta_refuse(struct err *err, enum err_kind kind, const char *what, const char *name);
/* 1 and the record, 0 if it is not there; nothing has an empty name. */
MUST_USE int meta_find(struct kv_txn *txn, enum table table, const char *ns, const char *name,
		struct kv_bytes *ret_value, struct err *err);
/* 1, or 0 if it is not there. */
MUST_USE int meta_drop(struct kv_txn *txn, enum table table, const char *ns, const char *name,
		struct err *err);

/* Looks at one record; damaged ones are left out, since the others can still be worked with. */
typedef int (*meta_look)(void *arg, struct filter *filter, const char *name,
		struct kv_bytes value, struct err *err);
/* What the filters may match: all records of the namespace, or the one that they pin. */
MUST_USE int meta_list(struct meta *m, const struct ctx *ctx, enum table table, const char *pin,
		char *const *filters, meta_look look, void *arg, struct err *err);

/* ---- walks ---- */

typedef int (*meta_visit)(
		void *arg, struct kv_bytes key, struct kv_bytes value, struct err *err);
/* All records below the prefix in order, until visit fails or ctx is done. */
MUST_USE int meta_walk(struct kv_txn *txn, const struct ctx *ctx, struct kv_bytes prefix,
		meta_visit visit, void *arg, struct err *err);

/* ---- events ---- */

/* Publishes own_payload in the namespace of ns; failure is logged. */
void meta_publish(struct meta *m, const char *ns, const char *topic, struct any *own_payload);
bool meta_has_events(const struct meta *m);

/* ---- collection ---- */

/* For "sync" removals: returns after a collection that began after the call. */
MAY_BLOCK MUST_USE int meta_collect_now(struct meta *m, struct ctx *ctx, struct err *err);
/* All ingests of a namespace; their data goes when meta_drop_ingest() was told. */
MUST_USE int meta_remove_ingests(struct kv_txn *txn, const char *ns, struct err *err);

/* ---- snapshots ---- */

/* Finishes or undoes the commits that a crash or a failed write left behind. "of": of this one
 * only; NULL: of all that need not ask another process. */
MAY_BLOCK MUST_USE int meta_recover_commits(
		struct meta *m, struct meta_snapshots *of, struct err *err);
