/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of the local store share. */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/map.h"
#include "base/mutex.h"
#include "core/content.h"

/* References with a writer. */
struct ref_locks {
	struct mutex lock;
	struct cond freed;
	struct map held; /* ref to struct ref_lock */
	int64_t wait_ns;
};

void ref_locks_init(struct ref_locks *l, int64_t wait_ns);
void ref_locks_done(struct ref_locks *l);
/* UNAVAILABLE when another writer keeps it. */
MAY_BLOCK MUST_USE int ref_lock(
		struct ref_locks *l, struct ctx *ctx, const char *ref, struct err *err);
void ref_unlock(struct ref_locks *l, const char *ref);

/* As many blocks are written by a thread of their own while they are hashed. */
#define BESIDE_THREADS 4

struct content_local {
	struct content_store base;
	int root_fd;
	bool verity;
	bool is_ordered;     /* the filesystem never commits a name before written data */
	atomic_uint settled; /* bit per algorithm: its directory is durable */
	struct ref_locks locks;
	struct pool *writers; /* for what is written while it is hashed */
};

/* "ingest/<sha256 of the ref>" */
#define INGEST_PATH_SIZE (7 + 64 + 1)
void ingest_path(const char *ref, char out[INGEST_PATH_SIZE]);

/* "blobs/<algorithm>/<hex>"; the digest must be valid. Owned. */
char *blob_path(const char *digest);

/* Reads what is known of the ingest in dirfd: its small files and the size of its data. -errno;
 * -EINVAL when a file does not say what it should. */
MAY_BLOCK MUST_USE int ingest_read(int dirfd, struct content_status *ret_status);
/* Whether the entry of "ingest" can be read: 0 or -errno, as of ingest_read(). */
MAY_BLOCK MUST_USE int ingest_probe(struct content_local *store, const char *name);
/* Writes the small files of a new ingest, or replaces them. */
MAY_BLOCK MUST_USE int ingest_write(int dirfd, const struct content_status *status);
MAY_BLOCK void ingest_write_updated(int dirfd, int64_t ns);

/* Hashes a whole file from its start. */
struct digester;
MAY_BLOCK MUST_USE int hash_file(int fd, struct digester *d, int64_t *ret_size, struct ctx *ctx,
		struct err *err);

/* The content_store_ops that live in other files. */
int local_writer(struct content_store *self, struct ctx *ctx, const char *ref, int64_t total,
		const char *expected, struct content_writer **ret_writer, struct err *err);
int local_status(struct content_store *self, struct ctx *ctx, const char *ref,
		struct content_status *ret_status, struct err *err);
int local_statuses(struct content_store *self, struct ctx *ctx, char *const *filters,
		content_status_each each, void *arg, struct err *err);
int local_abort(struct content_store *self, struct ctx *ctx, const char *ref, struct err *err);

/* content_info.c */
/* content_store_ops.update for those who keep no labels: PRECONDITION. */
int content_refuse_update(struct content_store *self, struct ctx *ctx,
		const struct content_info *info, char *const *fieldpaths,
		struct content_info *ret_info, struct err *err);
/* A field of a struct content_info, for filters. */
bool content_info_field(void *object, char *const *path, size_t n, const char **ret_value);
