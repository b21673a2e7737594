/* SPDX-License-Identifier: Apache-2.0 */
/* Content as the rest of the library uses it. */
#pragma once

#include "client/client_priv.h"

struct ctrd_blob;
struct ctrd_reader;
struct ctrd_writer;

/* As go-digest says it, without the class behind it: so the original's clients print it. */
MUST_USE int client_digest_check(const char *digest, struct err *err);

MUST_USE int client_blob_get(struct ctrd_client *c, const char *digest,
		struct ctrd_blob **ret_blob, struct err *err);
/* ret_blob may be NULL. */
MUST_USE int client_blob_set_labels(struct ctrd_client *c, const char *digest,
		const struct labels *labels, struct ctrd_blob **ret_blob, struct err *err);

/* Field mask paths "labels.<key>". */
char **client_label_paths(struct arena *a, const struct labels *labels, size_t *ret_n);

/* The whole blob; EXHAUSTED beyond the buffer's limit. */
MUST_USE int client_blob_read(
		struct ctrd_client *c, const char *digest, struct buf *out, struct err *err);
/* At most "size" first bytes. */
MUST_USE int client_blob_peek(struct ctrd_client *c, const char *digest, void *data,
		size_t size, size_t *ret_size, struct err *err);

MUST_USE int client_reader_open(struct ctrd_client *c, const char *digest,
		struct ctrd_reader **ret_reader, struct err *err);
MUST_USE ptrdiff_t client_reader_read(
		struct ctrd_reader *r, void *data, size_t size, struct err *err);
DEFINE_AUTO(struct ctrd_reader *, ctrd_reader_close)

MUST_USE int client_writer_open(struct ctrd_client *c, const char *ref, int64_t total,
		const char *digest, struct ctrd_writer **ret_writer, struct err *err);
MUST_USE int client_writer_write(
		struct ctrd_writer *w, const void *data, size_t size, struct err *err);
MUST_USE int client_writer_commit(struct ctrd_writer *w, int64_t size, const char *digest,
		const struct labels *labels, struct err *err);
/* Back to the start of what was to be resumed. */
void client_writer_rewind(struct ctrd_writer *w);
DEFINE_AUTO(struct ctrd_writer *, ctrd_writer_close)

/* A small document under its own digest; EXISTS is success. */
MUST_USE int client_blob_put(struct ctrd_client *c, const char *ref, const void *data,
		size_t size, const struct labels *labels, char digest[], struct err *err);
