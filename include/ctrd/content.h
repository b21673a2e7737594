/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file
 * Content: blobs under their digest, and ingests on the way there.
 */
#ifndef CTRD_CONTENT_H
#define CTRD_CONTENT_H

#include <ctrd/client.h>

CTRD_BEGIN

struct ctrd_blob;
struct ctrd_blobs;

CTRD_API int ctrd_blobs_list(struct ctrd_client *client, const char *const *filters,
		struct ctrd_blobs **ret_blobs, struct ctrd_error **ret_error);
CTRD_API void ctrd_blobs_free(struct ctrd_blobs *blobs);
CTRD_API size_t ctrd_blobs_count(const struct ctrd_blobs *blobs);
CTRD_API const struct ctrd_blob *ctrd_blobs_at(const struct ctrd_blobs *blobs, size_t i);

/** One blob's record; end it with ctrd_blob_free(). */
CTRD_API int ctrd_blob_get(struct ctrd_client *client, const char *digest,
		struct ctrd_blob **ret_blob, struct ctrd_error **ret_error);
CTRD_API void ctrd_blob_free(struct ctrd_blob *blob);
CTRD_API const char *ctrd_blob_digest(const struct ctrd_blob *blob);
CTRD_API int64_t ctrd_blob_size(const struct ctrd_blob *blob);
CTRD_API int64_t ctrd_blob_created(const struct ctrd_blob *blob);
CTRD_API int64_t ctrd_blob_updated(const struct ctrd_blob *blob);
CTRD_API const struct ctrd_labels *ctrd_blob_labels(const struct ctrd_blob *blob);

/** Sets the labels given, removes those whose value is "", and leaves the rest. */
CTRD_API int ctrd_blob_set_labels(struct ctrd_client *client, const char *digest,
		const struct ctrd_labels *labels, struct ctrd_blob **ret_blob,
		struct ctrd_error **ret_error);
CTRD_API int ctrd_blob_remove(
		struct ctrd_client *client, const char *digest, struct ctrd_error **ret_error);

/** The bytes of a blob from its start, in order. One thread at a time. */
struct ctrd_reader;

CTRD_API int ctrd_reader_open(struct ctrd_client *client, const char *digest,
		struct ctrd_reader **ret_reader, struct ctrd_error **ret_error);
/** Bytes read, 0 at the end, -1 on failure. */
CTRD_API ptrdiff_t ctrd_reader_read(struct ctrd_reader *reader, void *data, size_t size,
		struct ctrd_error **ret_error);
CTRD_API void ctrd_reader_close(struct ctrd_reader *reader);

/** Bytes on their way into the store. One thread at a time. */
struct ctrd_writer;

/**
 * Opens or resumes the ingest "ref".
 *
 * @param total   size of the blob, 0 if unknown
 * @param digest  what it will be, NULL if unknown. CTRD_EXISTS if it is there already
 */
CTRD_API int ctrd_writer_open(struct ctrd_client *client, const char *ref, int64_t total,
		const char *digest, struct ctrd_writer **ret_writer,
		struct ctrd_error **ret_error);
/** Where the next byte goes: not 0 if the ingest was resumed. */
CTRD_API int64_t ctrd_writer_offset(const struct ctrd_writer *writer);
CTRD_API int ctrd_writer_write(struct ctrd_writer *writer, const void *data, size_t size,
		struct ctrd_error **ret_error);
/** Makes the blob. size 0 and digest NULL are not checked; labels may be NULL. */
CTRD_API int ctrd_writer_commit(struct ctrd_writer *writer, int64_t size, const char *digest,
		const struct ctrd_labels *labels, struct ctrd_error **ret_error);
/** Of the bytes so far, or of the blob. */
CTRD_API const char *ctrd_writer_digest(const struct ctrd_writer *writer);
/** Without a commit the ingest stays. */
CTRD_API void ctrd_writer_close(struct ctrd_writer *writer);

/** Ingests that are going on. */
struct ctrd_ingests;

CTRD_API int ctrd_ingests_list(struct ctrd_client *client, const char *const *filters,
		struct ctrd_ingests **ret_ingests, struct ctrd_error **ret_error);
CTRD_API void ctrd_ingests_free(struct ctrd_ingests *ingests);
CTRD_API size_t ctrd_ingests_count(const struct ctrd_ingests *ingests);
CTRD_API const char *ctrd_ingests_ref(const struct ctrd_ingests *ingests, size_t i);
CTRD_API int64_t ctrd_ingests_offset(const struct ctrd_ingests *ingests, size_t i);
CTRD_API int64_t ctrd_ingests_total(const struct ctrd_ingests *ingests, size_t i);
CTRD_API int64_t ctrd_ingests_started(const struct ctrd_ingests *ingests, size_t i);
CTRD_API int64_t ctrd_ingests_updated(const struct ctrd_ingests *ingests, size_t i);
CTRD_API int ctrd_ingest_abort(
		struct ctrd_client *client, const char *ref, struct ctrd_error **ret_error);

CTRD_END

#endif
