/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Content: blobs under their digest, and ingests on the way there (reference 01 §5). The same
 * interface is served by the local store (which knows no namespaces: refs and blobs are global)
 * and by the metadata store that wraps it per namespace.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/attr.h"
#include "base/auto.h"
#include "base/digest.h"
#include "base/labels.h"

struct ctx;
struct err;
struct pool;

/* Of a blob that a look through the store found damaged, and why (docs/design/033-verify.md):
 * whoever writes it again replaces its bytes, and the label goes. */
#define CONTENT_LABEL_DAMAGED "containerd.io/content.damaged"

struct content_info {
	char digest[DIGEST_TEXT_SIZE];
	int64_t size;
	int64_t created_ns, updated_ns;
	struct labels labels;
};
void content_info_done(struct content_info *i);

struct content_status {
	char *ref;
	int64_t offset, total;
	char expected[DIGEST_TEXT_SIZE]; /* "" if unknown */
	int64_t started_ns, updated_ns;
};
void content_status_done(struct content_status *s);

struct content_store;
struct content_writer;
struct content_reader;
typedef int (*content_info_each)(void *arg, const struct content_info *i, struct err *err);
typedef int (*content_status_each)(void *arg, const struct content_status *s, struct err *err);

struct content_reader_ops {
	ssize_t (*read_at)(struct content_reader *self, void *data, size_t size, int64_t offset,
			struct err *err);
	void (*close)(struct content_reader *self);
};
struct content_reader {
	const struct content_reader_ops *ops;
	int64_t size; /* of the blob */
	int fd;	      /* a regular file with the bytes, borrowed; -1 if there is none */
};

struct content_writer_ops {
	int (*write)(struct content_writer *self, const void *data, size_t size,
			struct err *err);
	int (*truncate)(struct content_writer *self, struct err *err);
	int (*status)(struct content_writer *self, struct content_status *ret_status,
			char digest[DIGEST_TEXT_SIZE], struct err *err);
	int (*commit)(struct content_writer *self, struct ctx *ctx, int64_t size,
			const char *expected, const struct labels *labels, struct err *err);
	void (*close)(struct content_writer *self);
};
struct content_writer {
	const struct content_writer_ops *ops;
};

struct content_store_ops {
	int (*info)(struct content_store *self, struct ctx *ctx, const char *digest,
			struct content_info *ret_info, struct err *err);
	int (*update)(struct content_store *self, struct ctx *ctx,
			const struct content_info *info, char *const *fieldpaths,
			struct content_info *ret_info, struct err *err);
	int (*list)(struct content_store *self, struct ctx *ctx, char *const *filters,
			content_info_each each, void *arg, struct err *err);
	int (*remove)(struct content_store *self, struct ctx *ctx, const char *digest,
			struct err *err);
	int (*open)(struct content_store *self, struct ctx *ctx, const char *digest,
			struct content_reader **ret_reader, struct err *err);
	int (*status)(struct content_store *self, struct ctx *ctx, const char *ref,
			struct content_status *ret_status, struct err *err);
	int (*statuses)(struct content_store *self, struct ctx *ctx, char *const *filters,
			content_status_each each, void *arg, struct err *err);
	int (*abort)(struct content_store *self, struct ctx *ctx, const char *ref,
			struct err *err);
	int (*writer)(struct content_store *self, struct ctx *ctx, const char *ref,
			int64_t total, const char *expected, struct content_writer **ret_writer,
			struct err *err);
};
struct content_store {
	const struct content_store_ops *ops;
	struct pool *pool; /* as of struct snapshotter (core/snapshot.h) */
};

/* NOT_FOUND when the digest is not there, INVALID when it is none. */
ANY_THREAD MUST_USE int content_info(struct content_store *s, struct ctx *ctx,
		const char *digest, struct content_info *ret_info, struct err *err);
MAY_BLOCK MUST_USE int content_update(struct content_store *s, struct ctx *ctx,
		const struct content_info *info, char *const *fieldpaths,
		struct content_info *ret_info, struct err *err);
ANY_THREAD MUST_USE int content_list(struct content_store *s, struct ctx *ctx,
		char *const *filters, content_info_each each, void *arg, struct err *err);
MAY_BLOCK MUST_USE int content_remove(
		struct content_store *s, struct ctx *ctx, const char *digest, struct err *err);
MAY_BLOCK MUST_USE int content_open(struct content_store *s, struct ctx *ctx,
		const char *digest, struct content_reader **ret_reader, struct err *err);
MAY_BLOCK MUST_USE int content_status_get(struct content_store *s, struct ctx *ctx,
		const char *ref, struct content_status *ret_status, struct err *err);
MAY_BLOCK MUST_USE int content_status_list(struct content_store *s, struct ctx *ctx,
		char *const *filters, content_status_each each, void *arg, struct err *err);
MAY_BLOCK MUST_USE int content_abort(
		struct content_store *s, struct ctx *ctx, const char *ref, struct err *err);

/* Opens or resumes the ingest "ref". UNAVAILABLE while another writer has it, EXISTS when the
 * expected digest is there already. total 0 and expected NULL or "": unknown. */
MAY_BLOCK MUST_USE int content_writer_open(struct content_store *s, struct ctx *ctx,
		const char *ref, int64_t total, const char *expected,
		struct content_writer **ret_writer, struct err *err);
MAY_BLOCK MUST_USE int content_write(
		struct content_writer *w, const void *data, size_t size, struct err *err);
/* Back to offset 0. */
MAY_BLOCK MUST_USE int content_truncate(struct content_writer *w, struct err *err);
/* Status and the digest of the bytes so far. */
MAY_BLOCK MUST_USE int content_writer_status(struct content_writer *w,
		struct content_status *ret_status, char digest[DIGEST_TEXT_SIZE],
		struct err *err);
/* Makes the bytes durable and visible under their digest. size 0 and expected NULL or "": not
 * checked (PRECONDITION when they differ). EXISTS counts as success to most callers. The writer
 * accepts nothing more, whatever the outcome. */
MAY_BLOCK MUST_USE int content_commit(struct content_writer *w, struct ctx *ctx, int64_t size,
		const char *expected, const struct labels *labels, struct err *err);
/* Without a commit the ingest stays, to be resumed. NULL is fine. */
MAY_BLOCK void content_writer_close(struct content_writer *w);
DEFINE_AUTO(struct content_writer *, content_writer_close)

/* Bytes read, fewer than size only at the end; -1 on failure. */
MAY_BLOCK MUST_USE ssize_t content_read_at(struct content_reader *r, void *data, size_t size,
		int64_t offset, struct err *err);
void content_reader_close(struct content_reader *r);
DEFINE_AUTO(struct content_reader *, content_reader_close)
