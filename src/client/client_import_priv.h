/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Importing an archive (reference 03 §1.14): its files become content, whatever they are; then
 * the documents among them are read from there. Names in the archive are keys of a table and
 * parts of ingest refs, never paths.
 */
#pragma once

#include "base/buf.h"
#include "base/digest.h"
#include "base/map.h"
#include "client/client_images_priv.h"

#define IMPORT_MAX_FILES 65536

struct archive_blob {
	char digest[DIGEST_TEXT_SIZE];
	int64_t size;
};

struct archive {
	struct ctrd_client *client;
	struct map blobs;		      /* cleaned name to struct archive_blob */
	struct map links;		      /* cleaned name to cleaned target */
	struct buf oci_layout, manifest_json; /* empty: not there */
};

void archive_init(struct archive *a, struct ctrd_client *client);
void archive_done(struct archive *a);
/* Reads a tar from fd to its end. */
MUST_USE int archive_read(struct archive *a, int fd, struct err *err);
/* Like Go's path.Clean; owned. */
MUST_USE char *archive_clean_name(const char *name);

/* The index of what was read: that of an OCI layout, or one made for a docker archive. */
MUST_USE int archive_oci_index(
		const struct archive *a, struct oci_descriptor *ret, struct err *err);
MUST_USE int archive_docker_index(
		struct archive *a, bool compress, struct oci_descriptor *ret, struct err *err);

/* What the image of an index entry is called; NULL: nothing. Owned. */
struct import_names {
	const char *prefix;
	bool prefix_only; /* names elsewhere are left out */
};
char *import_name(const struct import_names *names, const struct labels *annotations);
