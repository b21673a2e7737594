/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The bookkeeping that drivers share (reference 01 §6.2): which snapshots there are, what
 * stands on what, and under which number each keeps its files. Every change is durable when it
 * returns. An ops table, because tests keep theirs in memory.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/auto.h"
#include "core/snapshot.h"

/* What a driver needs to know to find a snapshot's files. */
struct snap_node {
	uint64_t id; /* stays the same from prepare over commit to removal */
	enum snapshot_kind kind;
	uint64_t *parents; /* immediate parent first, base last */
	size_t parent_count;
	struct labels labels;
};
#define AUTO_SNAP_NODE __attribute__((cleanup(snap_node_done)))
void snap_node_done(struct snap_node *n);

struct snap_store;

/* With the id, so that drivers can add what they know. */
typedef int (*snap_store_each)(
		void *arg, uint64_t id, const struct snapshot_info *i, struct err *err);

struct snap_store_ops {
	/* A number that no snapshot has, nor had. It need not be durable by itself. */
	int (*new_id)(struct snap_store *self, uint64_t *ret_id, struct err *err);
	int (*create)(struct snap_store *self, uint64_t id, enum snapshot_kind kind,
			const char *key, const char *parent, const struct labels *labels,
			struct snap_node *ret_node, struct err *err);
	int (*commit)(struct snap_store *self, const char *name, const char *key,
			const char *parent, const struct snapshot_usage *usage,
			const struct labels *labels, struct err *err);
	int (*remove)(struct snap_store *self, const char *key, struct snap_node *ret_node,
			struct err *err);
	int (*find)(struct snap_store *self, const char *key, struct snap_node *ret_node,
			struct snapshot_info *ret_info, struct snapshot_usage *ret_usage,
			struct err *err);
	int (*update)(struct snap_store *self, const struct snapshot_info *info,
			char *const *fieldpaths, struct snapshot_info *ret_info,
			uint64_t *ret_id, struct err *err);
	int (*walk)(struct snap_store *self, char *const *filters, snap_store_each each,
			void *arg, struct err *err);
	void (*free)(struct snap_store *self);
};

struct snap_store {
	const struct snap_store_ops *ops;
};

MAY_BLOCK MUST_USE int snap_store_new_id(
		struct snap_store *s, uint64_t *ret_id, struct err *err);

/* EXISTS when key is taken; of parent (NULL or "": none): NOT_FOUND, or INVALID if it is not
 * committed. */
MAY_BLOCK MUST_USE int snap_store_create(struct snap_store *s, uint64_t id,
		enum snapshot_kind kind, const char *key, const char *parent,
		const struct labels *labels, struct snap_node *ret_node, struct err *err);

/* EXISTS when name is taken, NOT_FOUND without key, PRECONDITION unless key is active. A parent
 * is set if the snapshot has none, and INVALID if it has another. */
MAY_BLOCK MUST_USE int snap_store_commit(struct snap_store *s, const char *name,
		const char *key, const char *parent, const struct snapshot_usage *usage,
		const struct labels *labels, struct err *err);

/* PRECONDITION while another stands on it. ret_node: what was removed. */
MAY_BLOCK MUST_USE int snap_store_remove(struct snap_store *s, const char *key,
		struct snap_node *ret_node, struct err *err);

/* Any ret may be NULL. The usage is what commit stored, else 0. */
ANY_THREAD MUST_USE int snap_store_find(struct snap_store *s, const char *key,
		struct snap_node *ret_node, struct snapshot_info *ret_info,
		struct snapshot_usage *ret_usage, struct err *err);

/* Replaces labels, all of them or those that fieldpaths name. */
MAY_BLOCK MUST_USE int snap_store_update(struct snap_store *s, const struct snapshot_info *info,
		char *const *fieldpaths, struct snapshot_info *ret_info, uint64_t *ret_id,
		struct err *err);

/* In the order of keys. */
ANY_THREAD MUST_USE int snap_store_walk(struct snap_store *s, char *const *filters,
		snap_store_each each, void *arg, struct err *err);

MAY_BLOCK void snap_store_free(struct snap_store *s);
DEFINE_AUTO(struct snap_store *, snap_store_free)

/* For stores: whether a snapshot passes a filter's fields kind, name, parent and labels. */
bool snap_info_field(void *info, char *const *path, size_t n, const char **ret_value);
/* For stores: applies an update to the stored info. */
MUST_USE int snap_info_update(struct snapshot_info *info, const struct snapshot_info *change,
		char *const *fieldpaths, struct err *err);

/* For stores: the rules of reference 01 §6.2. "found" is what is stored under the name, or
 * NULL.
 */
MUST_USE int snap_check_parent(
		const struct snapshot_info *found, const char *parent, struct err *err);
MUST_USE int snap_check_active(
		const struct snapshot_info *found, const char *key, struct err *err);
/* 1: the parent is to be added, and its own check comes next; 0: nothing changes. */
MUST_USE int snap_check_rebase(
		const struct snapshot_info *active, const char *parent, struct err *err);
/* A parent that is not committed makes a new snapshot INVALID, but a commit PRECONDITION. */
int snap_refuse_rebase(const char *parent, struct err *err);
void snap_info_set_labels(struct snapshot_info *info, const struct labels *labels);

/* One in memory: nothing survives. */
MUST_USE struct snap_store *snap_store_mem_new(void);

/*
 * One in the file <root>/metadata.mdb; root is made if it is missing. PRECONDITION where
 * another implementation's snapshots are, or the file is a newer version's; DATA_LOSS if it is
 * damaged; UNAVAILABLE if another process has it. no_sync: as of kv_open().
 */
MAY_BLOCK MUST_USE int snap_store_kv_open(
		const char *root, bool no_sync, struct snap_store **ret_store, struct err *err);
/* As kv_suspend() and kv_resume(); for stores that snap_store_kv_open() made. */
MAY_BLOCK MUST_USE int snap_store_kv_suspend(struct snap_store *s, struct err *err);
MAY_BLOCK MUST_USE int snap_store_kv_resume(struct snap_store *s, struct err *err);
