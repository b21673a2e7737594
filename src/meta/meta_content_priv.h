/* SPDX-License-Identifier: Apache-2.0 */
/* What the two files of namespaced content share. */
#pragma once

#include "meta/meta_codec_priv.h"
#include "meta/meta_priv.h"

struct meta *meta_of_content(struct content_store *self);

/* 1 and the record, 0 if it is not there, -1. */
MUST_USE int meta_blob_load(struct kv_txn *txn, const char *ns, const char *digest,
		struct content_info *ret_info, struct err *err);
MUST_USE int meta_blob_exists(
		struct kv_txn *txn, const char *ns, const char *digest, struct err *err);
/* Writes the record. */
MUST_USE int meta_blob_store(struct meta *m, struct kv_txn *txn, const char *ns,
		const struct content_info *i, struct err *err);
/* Whether the namespace has it, and nobody found its bytes or its record damaged: 1, 0, -1. */
MUST_USE int meta_blob_is_good(
		struct kv_txn *txn, const char *ns, const char *digest, struct err *err);
/* Whether some namespace's record says that the bytes are damaged: 1, 0, -1. */
MUST_USE int meta_blob_is_marked(struct kv_txn *txn, const char *digest, struct err *err);
/* The bytes are new: takes such marks away. */
MUST_USE int meta_blob_unmark(
		struct meta *m, struct kv_txn *txn, const char *digest, struct err *err);
MUST_USE int meta_ingest_load(struct kv_txn *txn, const char *ns, const char *ref,
		struct ingest_record *ret_ingest, struct err *err);
/* Writes the record and what is indexed of it; the old one's index entry goes. */
MUST_USE int meta_ingest_store(struct kv_txn *txn, const char *ns, const char *ref,
		const struct ingest_record *old, const struct ingest_record *r,
		struct err *err);
/* 1 if it was there. */
MUST_USE int meta_ingest_remove(
		struct kv_txn *txn, const char *ns, const char *ref, struct err *err);

int meta_content_writer(struct content_store *self, struct ctx *ctx, const char *ref,
		int64_t total, const char *expected, struct content_writer **ret_writer,
		struct err *err);

/* The name under which a blob is held, see meta_holds_priv.h. */
#define BLOB_HOLD_SIZE (DIGEST_TEXT_SIZE + 5)
void meta_blob_hold_name(const char *digest, char out[BLOB_HOLD_SIZE]);
