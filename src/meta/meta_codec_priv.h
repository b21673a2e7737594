/* SPDX-License-Identifier: Apache-2.0 */
/* Stored values of each table. Encoders append to a buffer; decoders fill empty objects and
 * give false when the bytes are damaged (what was filled is still the caller's to end). */
#pragma once

#include "core/container.h"
#include "core/content.h"
#include "core/image.h"
#include "core/lease.h"
#include "core/sandbox.h"
#include "core/snapshot.h"
#include "kv/kv.h"

struct buf;

/* Tags that several tables share, so that labels and references can be read without knowing the
 * rest. */
enum {
	TAG_LABEL = 1,
	TAG_CREATED = 2,
	TAG_UPDATED = 3,
};
enum {
	CONTAINER_IMAGE = 4,
	CONTAINER_SNAPSHOTTER,
	CONTAINER_SNAPSHOT_KEY,
	CONTAINER_RUNTIME,
	CONTAINER_RUNTIME_OPTIONS,
	CONTAINER_SPEC,
	CONTAINER_EXTENSION,
	CONTAINER_SANDBOX,
};
enum {
	IMAGE_MEDIA_TYPE = 4,
	IMAGE_DIGEST,
	IMAGE_SIZE,
	IMAGE_ANNOTATION,
};
enum {
	BLOB_SIZE = 4,
};
enum {
	INGEST_BACKEND = 4,
	INGEST_EXPECTED,
	INGEST_EXPIRES,
};
enum {
	SNAPSHOT_BACKEND = 4,
	SNAPSHOT_PARENT,
};
enum {
	COMMIT_NAME = 4,
	COMMIT_OLD_BACKEND,
	COMMIT_NEW_BACKEND,
	COMMIT_PARENT,
};

enum {
	SANDBOX_SANDBOXER = 4,
	SANDBOX_RUNTIME,
	SANDBOX_RUNTIME_OPTIONS,
	SANDBOX_SPEC,
	SANDBOX_EXTENSION,
};

struct ingest_record {
	char *backend;	    /* its ref there */
	char *expected;	    /* digest of the shared blob it stands for, or NULL */
	int64_t expires_ns; /* 0: while a lease holds it */
};
void ingest_record_done(struct ingest_record *r);

struct snapshot_record {
	char *backend; /* its key there */
	char *parent;  /* client's name, or NULL */
	int64_t created_ns, updated_ns;
	struct labels labels;
};
void snapshot_record_done(struct snapshot_record *r);

/* A commit of an active snapshot that the backend may have done already. */
struct commit_record {
	char *name, *old_backend, *new_backend, *parent;
	int64_t created_ns;
	struct labels labels;
};
void commit_record_done(struct commit_record *r);

#define AUTO_INGEST   __attribute__((cleanup(ingest_record_done)))
#define AUTO_SNAPSHOT __attribute__((cleanup(snapshot_record_done)))
#define AUTO_COMMIT   __attribute__((cleanup(commit_record_done)))

void encode_container(struct buf *b, const struct container *c);
void encode_sandbox(struct buf *b, const struct sandbox *s);
void encode_image(struct buf *b, const struct image *i);
void encode_labels(struct buf *b, const struct labels *l); /* a namespace */
void encode_lease(struct buf *b, const struct lease *l);
void encode_blob(struct buf *b, const struct content_info *i);
void encode_ingest(struct buf *b, const struct ingest_record *r);
void encode_snapshot(struct buf *b, const struct snapshot_record *r);
void encode_commit(struct buf *b, const struct commit_record *r);

MUST_USE bool decode_container(struct kv_bytes bytes, struct container *c);
MUST_USE bool decode_sandbox(struct kv_bytes bytes, struct sandbox *s);
MUST_USE bool decode_image(struct kv_bytes bytes, struct image *i);
MUST_USE bool decode_labels(struct kv_bytes bytes, struct labels *l);
MUST_USE bool decode_lease(struct kv_bytes bytes, struct lease *l);
MUST_USE bool decode_blob(struct kv_bytes bytes, struct content_info *i);
MUST_USE bool decode_ingest(struct kv_bytes bytes, struct ingest_record *r);
MUST_USE bool decode_snapshot(struct kv_bytes bytes, struct snapshot_record *r);
MUST_USE bool decode_commit(struct kv_bytes bytes, struct commit_record *r);

/* A container to look at, for walks: its texts and lists are the view's, blobs the record's.
 * Good until the next view or the end of the transaction. Zeroed is ready. */
struct container_view {
	struct container c;
	char *texts, *next; /* owned; where the next text goes */
	size_t text_room, label_room, extension_room;
};
/* False for a damaged record, and for an odd one: decode_container() tells which. */
MUST_USE bool view_container(struct container_view *v, const char *id, struct kv_bytes bytes);
void container_view_done(struct container_view *v);

/* The error for a record that does not decode. */
int meta_damaged(const char *what, const char *name, struct err *err);
