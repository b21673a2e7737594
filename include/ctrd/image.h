/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file
 * Images: names for content, and what can be done with it.
 */
#ifndef CTRD_IMAGE_H
#define CTRD_IMAGE_H

#include <ctrd/client.h>

CTRD_BEGIN

struct ctrd_image;
struct ctrd_images;

CTRD_API int ctrd_images_list(struct ctrd_client *client, const char *const *filters,
		struct ctrd_images **ret_images, struct ctrd_error **ret_error);
CTRD_API void ctrd_images_free(struct ctrd_images *images);
CTRD_API size_t ctrd_images_count(const struct ctrd_images *images);
CTRD_API const struct ctrd_image *ctrd_images_at(const struct ctrd_images *images, size_t i);

CTRD_API int ctrd_image_get(struct ctrd_client *client, const char *name,
		struct ctrd_image **ret_image, struct ctrd_error **ret_error);
CTRD_API void ctrd_image_free(struct ctrd_image *image);
CTRD_API const char *ctrd_image_name(const struct ctrd_image *image);
CTRD_API const char *ctrd_image_digest(const struct ctrd_image *image);
CTRD_API const char *ctrd_image_media_type(const struct ctrd_image *image);
/** Of the document the name stands for, not of the whole image. */
CTRD_API int64_t ctrd_image_target_size(const struct ctrd_image *image);
CTRD_API int64_t ctrd_image_created(const struct ctrd_image *image);
CTRD_API int64_t ctrd_image_updated(const struct ctrd_image *image);
CTRD_API const struct ctrd_labels *ctrd_image_labels(const struct ctrd_image *image);

/** Gives the content of "image" another name. CTRD_EXISTS unless "replace" is not 0. */
CTRD_API int ctrd_image_tag(struct ctrd_client *client, const struct ctrd_image *image,
		const char *name, int replace, struct ctrd_error **ret_error);
/** Sets the labels given and removes those whose value is ""; with "replace", all others too.
 */
CTRD_API int ctrd_image_set_labels(struct ctrd_client *client, const char *name,
		const struct ctrd_labels *labels, int replace, struct ctrd_image **ret_image,
		struct ctrd_error **ret_error);
/** Removes the name. "sync": returns after a garbage collection. */
CTRD_API int ctrd_image_remove(struct ctrd_client *client, const char *name, int sync,
		struct ctrd_error **ret_error);
/** 0 if "name" may be used with registries, in Docker's grammar. */
CTRD_API int ctrd_reference_check(const char *name, struct ctrd_error **ret_error);

/** Bytes of everything that the host's platform needs. On failure *ret_size is the sum so far.
 */
CTRD_API int ctrd_image_size(struct ctrd_client *client, const struct ctrd_image *image,
		int64_t *ret_size, struct ctrd_error **ret_error);
/** "linux/amd64" … of the manifests that are there, sorted. A NULL-terminated vector; end it
 * with ctrd_strings_free(). */
CTRD_API int ctrd_image_platforms(struct ctrd_client *client, const struct ctrd_image *image,
		char ***ret_platforms, struct ctrd_error **ret_error);
CTRD_API void ctrd_strings_free(char **strings);

/** What is there of an image, for the host's platform. */
struct ctrd_image_status {
	size_t size;
	int available;		  /**< its manifest is there */
	size_t required, present; /**< blobs */
	int64_t required_size, present_size;
	int unpacked;
};

#define CTRD_IMAGE_STATUS_INIT                                                                 \
	{                                                                                      \
		sizeof(struct ctrd_image_status), 0, 0, 0, 0, 0, 0                             \
	}

/** snapshotter NULL: the namespace's default. On failure ret_status says what was found. */
CTRD_API int ctrd_image_check(struct ctrd_client *client, const struct ctrd_image *image,
		const char *snapshotter, struct ctrd_image_status *ret_status,
		struct ctrd_error **ret_error);

/** Makes the snapshots of its layers, unless they are there. platform NULL: the host's. */
CTRD_API int ctrd_image_unpack(struct ctrd_client *client, const struct ctrd_image *image,
		const char *platform, const char *snapshotter, struct ctrd_error **ret_error);
/** Digests that name the snapshots of its layers, the topmost first. */
CTRD_API int ctrd_image_chain(struct ctrd_client *client, const struct ctrd_image *image,
		const char *platform, char ***ret_chain_ids, struct ctrd_error **ret_error);

struct ctrd_import_options {
	size_t size;
	const char *base_name; /**< for names that are only a tag; NULL: import-<date> */
	int base_name_only;    /**< names that are not under base_name are left out */
	int digests;	       /**< add <base_name>@<digest> */
	int skip_digest_for_named;
	const char *index_name; /**< name for the archive's index, or NULL */
	const char *platform;	/**< NULL: the host's */
	int all_platforms;
	int compress;			  /**< compress layers of docker archives */
	const struct ctrd_labels *labels; /**< for the images, or NULL */
};

#define CTRD_IMPORT_OPTIONS_INIT                                                               \
	{                                                                                      \
		sizeof(struct ctrd_import_options), NULL, 0, 0, 0, NULL, NULL, 0, 0, NULL      \
	}

/** Reads an OCI or docker archive (plain tar) from a descriptor and records its images. */
CTRD_API int ctrd_images_import(struct ctrd_client *client, int fd,
		const struct ctrd_import_options *options, struct ctrd_images **ret_images,
		struct ctrd_error **ret_error);

struct ctrd_export_options {
	size_t size;
	const char *const *platforms; /**< best first, ended by NULL; NULL: the host's */
	int all_platforms;
	int skip_manifest_json; /**< without it Docker cannot read the archive */
	int skip_non_distributable;
};

#define CTRD_EXPORT_OPTIONS_INIT                                                               \
	{                                                                                      \
		sizeof(struct ctrd_export_options), NULL, 0, 0, 0                              \
	}

/** Writes images (names, ended by NULL) to a descriptor, as an OCI archive that "docker load"
 * reads, too. options may be NULL. */
CTRD_API int ctrd_images_export(struct ctrd_client *client, int fd, const char *const *names,
		const struct ctrd_export_options *options, struct ctrd_error **ret_error);

CTRD_END

#endif
