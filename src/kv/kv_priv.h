/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <lmdb.h>
#include <stdatomic.h>

#include "base/list.h"
#include "base/mutex.h"
#include "kv/kv.h"

/* LMDB's own limit; longer keys are kept by hash (docs/design/011-kv.md). */
#define KV_PLAIN_MAX 510
#define KV_HASH_SIZE 32

struct kv_txn {
	struct kv *kv;
	MDB_txn *txn;
	bool is_write;
	bool is_full;	 /* the map must grow; everything is run again */
	uint64_t writes; /* puts and deletes so far */
	size_t touched;	 /* about how many bytes of the map were read */
};

struct kv {
	char *path;
	struct kv_options options;
	MDB_env *env;
	MDB_dbi dbi;
	size_t map_bytes;
	void *map; /* where it is mapped; NULL if not known */
	uint32_t version;
	atomic_size_t touched; /* since the last trim */

	struct mutex lock;
	struct cond changed;
	struct list queue; /* of struct op: not yet run */
	bool has_leader;
	bool is_gated;	   /* the map is being replaced: readers wait */
	bool is_suspended; /* another process has the file */
	size_t readers;
	uint64_t commits, operations;
};

/* Sets err for an LMDB result; returns -1. */
int kv_fail(struct kv *kv, int rc, const char *what, struct err *err);

/* Counts what was read of the map; gives it back when it has become much. */
void kv_count_touched(struct kv *kv, size_t bytes);
void kv_trim_if_much(struct kv *kv);

MUST_USE int kv_env_open(struct kv *kv, struct err *err);
/* DATA_LOSS if the head pages say what the library would divide by, or reach beyond. */
MAY_BLOCK MUST_USE int kv_check_heads(const char *path, struct err *err);
void kv_env_close(struct kv *kv);

/* The leader only, without a transaction: waits until no reader is left. */
void kv_gate_close(struct kv *kv);
void kv_gate_open(struct kv *kv);
MUST_USE int kv_grow(struct kv *kv, struct err *err);
MUST_USE int kv_reopen(struct kv *kv, struct err *err);
