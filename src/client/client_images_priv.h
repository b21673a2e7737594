/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "client/client_priv.h"
#include "core/image.h"
#include "oci/image_config.h"
#include "oci/image_spec.h"
#include "oci/platform.h"

struct ctrd_image {
	struct image v; /* a view into the owner's arena */
	struct ctrd_images *owner;
};

struct ctrd_images {
	struct arena arena;
	struct ctrd_image *items;
	size_t count;
};

MUST_USE struct ctrd_images *client_images_new(void);
DEFINE_AUTO(struct ctrd_images *, ctrd_images_free)
DEFINE_AUTO(struct ctrd_image *, ctrd_image_free)

void client_images_add_copy(struct ctrd_images *l, const struct image *image);

MUST_USE int client_image_get(struct ctrd_client *c, const char *name,
		struct ctrd_image **ret_image, struct err *err);
/* ret_image may be NULL. */
MUST_USE int client_image_create(struct ctrd_client *c, const struct image *image,
		struct ctrd_image **ret_image, struct err *err);
/* Without paths everything is replaced. */
MUST_USE int client_image_update(struct ctrd_client *c, const struct image *image,
		char *const *paths, size_t path_count, struct ctrd_image **ret_image,
		struct err *err);

/* --- walking ------------------------------------------------------------------------------ */

/* Documents larger than this are no manifest of anything (bounds of text/json.h). */
#define IMAGE_MAX_DOCUMENT (4 * 1024 * 1024)

/* "platform" or what the host runs (text NULL). */
MUST_USE int client_match(
		const char *platform, bool strict, struct platform_match *ret, struct err *err);

/* The documents an image's name leads to on one platform. */
struct image_documents {
	struct oci_descriptor manifest_descriptor;
	struct oci_manifest manifest;
};
void image_documents_done(struct image_documents *d);
#define AUTO_IMAGE_DOCUMENTS __attribute__((cleanup(image_documents_done)))

/* NOT_FOUND if there is no manifest for the platform, or content is missing. */
MUST_USE int client_image_resolve(struct ctrd_client *c, const struct descriptor *target,
		const struct platform_match *match, struct image_documents *ret,
		struct err *err);
MUST_USE int client_image_read_config(struct ctrd_client *c, const struct image_documents *d,
		struct image_config *ret, struct err *err);
/* Reads and checks an index or a manifest. */
MUST_USE int client_read_index(struct ctrd_client *c, const char *media_type,
		const char *digest, struct oci_index *ret, struct err *err);
MUST_USE int client_read_manifest(struct ctrd_client *c, const char *media_type,
		const char *digest, struct oci_manifest *ret, struct err *err);

/* --- unpacking ---------------------------------------------------------------------------- */

/* Makes the snapshots of the layers, the chain's last id comes back if ret_chain is not NULL.
 */
MUST_USE int client_image_unpack(struct ctrd_client *c, const struct ctrd_image *image,
		const char *platform, const char *snapshotter, struct err *err);
/* 1 if the topmost snapshot is there, 0 if not. */
MUST_USE int client_image_is_unpacked(struct ctrd_client *c,
		const struct image_documents *documents, const char *snapshotter,
		struct err *err);
