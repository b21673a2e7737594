/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An ordered, durable key-value file. Any number of readers see a consistent snapshot without
 * waiting; writes are grouped, so that many callers share one sync (docs/design/011-kv.md).
 *
 * Within the process a file may be open once. Results of get, del and next: 1 found, 0 not
 * there, -1 with err.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/auto.h"

struct err;
struct kv;
struct kv_txn;
struct kv_iter;

struct kv_bytes {
	const void *data;
	size_t size;
};

/* Keys have 1 to KV_KEY_MAX bytes and sort bytewise. Past KV_KEY_ORDERED bytes only the first
 * ones count for the order: longer keys that begin alike follow each other in any order. */
#define KV_KEY_MAX     (256 * 1024)
#define KV_KEY_ORDERED 479

struct kv_options {
	const char *format; /* what the owner keeps in it, such as "containers"; NULL: anything
			     */
	uint32_t version;   /* of the owner's layout; a file with a higher one is refused */
	bool no_sync;	    /* commits may be lost or, in a power cut, damage the file */
	size_t map_bytes;   /* initial address space; 0: 1 GiB. It grows as needed. */
};

/* Opens or creates the file (and "<path>-lock" next to it). PRECONDITION if it is of another
 * format or a newer version, DATA_LOSS if it is damaged, UNAVAILABLE if another process has it
 * open. */
MAY_BLOCK MUST_USE int kv_open(const char *path, const struct kv_options *options,
		struct kv **ret_kv, struct err *err);
/* DATA_LOSS, naming a page, if the library would trip over it. kv_open() does this by itself,
 * but not for large files, since all has to be read. Nobody may write meanwhile. */
MAY_BLOCK MUST_USE int kv_check_pages(const char *path, struct err *err);
/* No transaction may be open. NULL is fine. */
MAY_BLOCK void kv_close(struct kv *kv);
DEFINE_AUTO(struct kv *, kv_close)

/* The version the file was created with (or last set to): lower than ours if it is old. */
uint32_t kv_version(struct kv *kv);
MAY_BLOCK MUST_USE int kv_set_version(struct kv *kv, uint32_t version, struct err *err);

/*
 * Runs "fn" in a write transaction, together with what other callers have waiting, and returns
 * when its writes are on disk. When fn fails, none of its writes happen and its error comes
 * back.
 *
 * fn runs on any thread, with all writers waiting: no I/O, no locks but leaves, no kv_update().
 * It may run several times (another one failed, the file had to grow), so it must set its
 * outputs afresh each time. The caller holds no lock and no read transaction of this kv.
 */
typedef int (*kv_update_fn)(struct kv_txn *txn, void *arg, struct err *err);
MAY_BLOCK MUST_USE int kv_update(struct kv *kv, kv_update_fn fn, void *arg, struct err *err);

/* A snapshot to read from. Keep it short: while it lives, replaced pages are not reused. It may
 * be ended on another thread. */
ANY_THREAD MUST_USE int kv_read(struct kv *kv, struct kv_txn **ret_txn, struct err *err);
void kv_read_end(struct kv_txn *txn);
DEFINE_AUTO(struct kv_txn *, kv_read_end)

/* Bytes that come out of get and next lie in the file's mapping: they die with the transaction,
 * and in a write transaction with the next write. */
MUST_USE int kv_get(struct kv_txn *txn, struct kv_bytes key, struct kv_bytes *ret_value,
		struct err *err);
MUST_USE int kv_put(struct kv_txn *txn, struct kv_bytes key, struct kv_bytes value,
		struct err *err);
MUST_USE int kv_del(struct kv_txn *txn, struct kv_bytes key, struct err *err);

/* Walks the keys that begin with "prefix" (may be empty), in order, from "from" on if that is
 * longer than the prefix (from.data NULL: from the start). Ends before its transaction does. */
MUST_USE int kv_iter_new(struct kv_txn *txn, struct kv_bytes prefix, struct kv_bytes from,
		struct kv_iter **ret_iter, struct err *err);
void kv_iter_free(struct kv_iter *it);
DEFINE_AUTO(struct kv_iter *, kv_iter_free)
MUST_USE int kv_iter_next(struct kv_iter *it, struct kv_bytes *ret_key,
		struct kv_bytes *ret_value, struct err *err);
/* Deletes what next() returned last. */
MUST_USE int kv_iter_del(struct kv_iter *it, struct err *err);

/* Whether any key begins with "prefix". */
MUST_USE int kv_has_prefix(struct kv_txn *txn, struct kv_bytes prefix, struct err *err);
MUST_USE int kv_del_prefix(struct kv_txn *txn, struct kv_bytes prefix, struct err *err);

/* Gives the memory of mapped pages back; they come again from the page cache when read. Reading
 * much does this by itself. */
ANY_THREAD void kv_trim(struct kv *kv);

struct kv_stats {
	uint64_t entries, file_bytes, map_bytes, readers, commits, operations;
};
ANY_THREAD void kv_stats(struct kv *kv, struct kv_stats *ret_stats);

/* Lets another process open the file: until kv_resume(), all work on it fails with UNAVAILABLE.
 * Fails when an update is under way. */
MAY_BLOCK MUST_USE int kv_suspend(struct kv *kv, struct err *err);
/* Opens the file again. Fine when it was not suspended. */
MAY_BLOCK MUST_USE int kv_resume(struct kv *kv, struct err *err);

/* Shorthand: the bytes of a text without its end. */
struct kv_bytes kv_text(const char *text);
