/* SPDX-License-Identifier: Apache-2.0 */
/* What the two files of namespaced snapshots share. */
#pragma once

#include "meta/meta_codec_priv.h"
#include "meta/meta_priv.h"

struct meta_snapshots *meta_snapshots_of(struct snapshotter *self);

/* 1 and the record, 0 if it is not there, -1. */
MUST_USE int meta_snapshot_load(struct kv_txn *txn, const char *ns, const char *sn,
		const char *key, struct snapshot_record *ret, struct err *err);
/* 1, 0 or -1. */
MUST_USE int meta_snapshot_exists(struct kv_txn *txn, const char *ns, const char *sn,
		const char *key, struct err *err);
/* Writes the record and its link below the parent. */
MUST_USE int meta_snapshot_store(struct meta_snapshots *s, struct kv_txn *txn, const char *ns,
		const char *key, const struct snapshot_record *r, struct err *err);
/* Removes the record and its link. 1 and what it was (if ret is not NULL), 0 or -1. */
MUST_USE int meta_snapshot_delete(struct kv_txn *txn, const char *ns, const char *sn,
		const char *key, struct snapshot_record *ret, struct err *err);

/* The labels a backend is told of. */
void meta_backend_labels(struct labels *to, const struct labels *from);
char *meta_backend_key(const char *ns, uint64_t seq, const char *key);
/* The lease resource type of a snapshotter's snapshots. Owned. */
char *meta_snapshot_type(const struct meta_snapshots *s);

/* Names under which snapshots are held, see meta_holds_priv.h: the client's, and the backend's,
 * which the collector respects. */
MAY_BLOCK MUST_USE int meta_hold_key(struct meta_snapshots *s, struct ctx *ctx, const char *ns,
		const char *key, struct held *ret_held, struct err *err);
char *meta_backend_hold_name(const char *sn, const char *backend_key);

int meta_snapshot_commit(struct snapshotter *self, struct ctx *ctx, const char *name,
		const char *key, const char *parent, const struct labels *labels,
		struct err *err);
int meta_no_snapshot(const char *key, struct err *err);
