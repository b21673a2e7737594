/* SPDX-License-Identifier: Apache-2.0 */
/* What "docker save" writes: manifest.json names configs and layers; manifests and an index are
 * made from it. */
#include "client/client_import_priv.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "client/client_content_priv.h"
#include "oci/media.h"
#include "oci/reference.h"
#include "text/jnode.h"

#define MAX_IMAGES	   4096
#define UNCOMPRESSED_LABEL "containerd.io/uncompressed"
#define NAME_ANNOTATION	   "io.containerd.image.name"
#define REF_ANNOTATION	   "org.opencontainers.image.ref.name"

static const struct labels no_labels;

static int resolve_links(struct archive *a, struct err *err)
{
	AUTO_STRV char **names = map_sorted_keys(&a->links);

	for (char **n = names; n != NULL && *n != NULL; n++) {
		const char *target = map_find(&a->links, *n);
		const struct archive_blob *blob = map_find(&a->blobs, target);

		if (blob == NULL)
			return err_plain(err, ERR_INVALID,
					"no target for symlink layer from \"%s\" to \"%s\"", *n,
					target);
		free(map_put(&a->blobs, *n, xmemdup(blob, sizeof(*blob))));
	}
	return 0;
}

/* --- layers ------------------------------------------------------------------------------- */

static int sniff(struct archive *a, struct oci_descriptor *layer, struct err *err)
{
	unsigned char head[4] = { 0 };
	const char *type = MEDIA_DOCKER_LAYER;
	size_t n = 0;

	if (client_blob_peek(a->client, layer->digest, head, sizeof(head), &n, err) < 0)
		return -1;
	if (n >= 3 && memcmp(head, "\x1f\x8b\x08", 3) == 0)
		type = MEDIA_DOCKER_LAYER_GZIP;
	else if (n >= 4 && memcmp(head, "\x28\xb5\x2f\xfd", 4) == 0)
		type = MEDIA_DOCKER_LAYER_ZSTD;
	layer->media_type = xstrdup(type);
	return 0;
}

/* A compressed form of the same layer that is there already takes its place. */
static int find_compressed(struct archive *a, struct oci_descriptor *layer, struct err *err)
{
	AUTO_FREE char *filter =
			xasprintf("labels.\"" UNCOMPRESSED_LABEL "\"==%s", layer->digest);
	const char *const filters[] = { filter, NULL };
	struct ctrd_blobs *blobs = NULL;
	struct ctrd_error *error = NULL;

	if (ctrd_blobs_list(a->client, filters, &blobs, &error) < 0) {
		err_plain(err, err_kind_of_grpc(ctrd_error_code(error), ctrd_error_text(error)),
				"%s", ctrd_error_text(error));
		ctrd_error_free(error);
		return -1;
	}
	if (ctrd_blobs_count(blobs) > 0) {
		const struct ctrd_blob *blob = ctrd_blobs_at(blobs, 0);

		free(layer->digest);
		layer->digest = xstrdup(ctrd_blob_digest(blob));
		layer->size = ctrd_blob_size(blob);
	}
	ctrd_blobs_free(blobs);
	return 0;
}

static int add_layer(struct archive *a, const char *file, struct oci_descriptors *layers,
		struct err *err)
{
	AUTO_FREE char *name = archive_clean_name(file);
	const struct archive_blob *blob = map_find(&a->blobs, name);
	struct oci_descriptor *layer;

	if (blob == NULL)
		return err_plain(err, ERR_NOT_FOUND, "layer \"%s\" not found", file);
	layer = oci_descriptors_add(layers);
	layer->digest = xstrdup(blob->digest);
	layer->size = blob->size;
	if (find_compressed(a, layer, err) < 0)
		return -1;
	return sniff(a, layer, err);
}

/* --- documents ---------------------------------------------------------------------------- */

static int put_document(struct archive *a, const struct jnode *doc, const char *media_type,
		struct oci_descriptor *ret, struct err *err)
{
	AUTO_FREE char *text = jnode_to_text(doc, NULL);
	AUTO_FREE char *ref = NULL;
	char digest[DIGEST_TEXT_SIZE];

	digest_bytes(DIGEST_SHA256, text, strlen(text), digest);
	ref = xasprintf("manifest-%s", digest);
	if (client_blob_put(a->client, ref, text, strlen(text), &no_labels, digest, err) < 0)
		return -1;
	ret->media_type = xstrdup(media_type);
	ret->digest = xstrdup(digest);
	ret->size = (int64_t)strlen(text);
	return 0;
}

static struct jnode *manifest_node(
		const struct oci_descriptor *config, const struct oci_descriptors *layers)
{
	struct jnode *doc = jnode_object(), *list;

	jnode_set(doc, "schemaVersion", jnode_i64(2));
	jnode_set_str(doc, "mediaType", MEDIA_DOCKER_MANIFEST);
	jnode_set(doc, "config", oci_descriptor_node(config));
	list = jnode_need_array(doc, "layers");
	for (size_t i = 0; i < layers->count; i++)
		jnode_append(list, oci_descriptor_node(&layers->items[i]));
	return doc;
}

static int read_platform(struct archive *a, const char *digest, struct oci_descriptor *d,
		struct err *err)
{
	AUTO_BUF struct buf b = { .limit = IMAGE_MAX_DOCUMENT };
	AUTO_IMAGE_CONFIG struct image_config config = { 0 };

	if (client_blob_read(a->client, digest, &b, err) < 0)
		return -1;
	if (image_config_parse(b.data == NULL ? "" : b.data, b.size, &config, err) < 0)
		return -1;
	platform_normalize(&config.platform);
	d->has_platform = true;
	platform_copy(&d->platform, &config.platform);
	return 0;
}

static int make_manifest(struct archive *a, const struct jnode *image,
		struct oci_descriptor *ret, struct err *err)
{
	const char *file = str_or(jnode_get_str(image, "Config"), "");
	AUTO_FREE char *name = archive_clean_name(file);
	const struct archive_blob *blob = map_find(&a->blobs, name);
	const struct jnode *files = jnode_get(image, "Layers");
	__attribute__((cleanup(oci_descriptors_done))) struct oci_descriptors layers = { 0 };
	AUTO(jnode_free) struct jnode *doc = NULL;
	struct oci_descriptor config = { 0 };

	if (blob == NULL)
		return err_plain(err, ERR_NOT_FOUND, "image config \"%s\" not found", file);
	if (jnode_count(files) > OCI_MAX_LAYERS)
		return err_set(err, ERR_EXHAUSTED, "image has %zu layers", jnode_count(files));
	for (size_t i = 0; i < jnode_count(files); i++)
		if (add_layer(a, str_or(jnode_str(jnode_item(files, i)), ""), &layers, err) < 0)
			return err_wrap(err, "failed to resolve layers");
	config.media_type = (char *)MEDIA_DOCKER_CONFIG;
	config.digest = (char *)blob->digest;
	config.size = blob->size;
	doc = manifest_node(&config, &layers);
	if (put_document(a, doc, MEDIA_DOCKER_MANIFEST, ret, err) < 0)
		return err_wrap(err, "write docker manifest");
	return read_platform(a, blob->digest, ret, err);
}

static int add_tag(const char *tag, const struct oci_descriptor *manifest, struct jnode *list,
		struct err *err)
{
	AUTO_REF_NAME struct ref_name n = { 0 };
	__attribute__((cleanup(oci_descriptor_done))) struct oci_descriptor d = { 0 };
	AUTO_FREE char *full = NULL;

	if (ref_name_parse(tag, &n, err) < 0)
		return err_wrap(err, "normalize image ref \"%s\"", tag);
	ref_name_default_tag(&n);
	full = ref_name_text(&n);
	oci_descriptor_copy(&d, manifest);
	labels_set(&d.annotations, NAME_ANNOTATION, full);
	labels_set(&d.annotations, REF_ANNOTATION, n.tag == NULL ? full : n.tag);
	jnode_append(list, oci_descriptor_node(&d));
	return 0;
}

static int add_image(struct archive *a, const struct jnode *image, struct jnode *list,
		struct err *err)
{
	const struct jnode *tags = jnode_get(image, "RepoTags");
	__attribute__((cleanup(oci_descriptor_done))) struct oci_descriptor d = { 0 };

	if (make_manifest(a, image, &d, err) < 0)
		return -1;
	if (jnode_count(tags) == 0)
		jnode_append(list, oci_descriptor_node(&d));
	for (size_t i = 0; i < jnode_count(tags); i++) {
		if (jnode_count(list) >= MAX_IMAGES)
			return err_set(err, ERR_EXHAUSTED, "archive has over %d images",
					MAX_IMAGES);
		if (add_tag(str_or(jnode_str(jnode_item(tags, i)), ""), &d, list, err) < 0)
			return -1;
	}
	return 0;
}

int archive_docker_index(
		struct archive *a, bool compress, struct oci_descriptor *ret, struct err *err)
{
	AUTO(jnode_free) struct jnode *images = NULL;
	AUTO(jnode_free) struct jnode *index = jnode_object();
	struct jnode *list;

	if (compress)
		return err_set(err, ERR_UNIMPLEMENTED, "compressing layers on import");
	if (jnode_parse(a->manifest_json.data, a->manifest_json.size, &images, err) < 0)
		return err_wrap(err, "unmarshal manifest.json");
	if (!jnode_is(images, JSON_KIND_ARRAY) || jnode_count(images) > MAX_IMAGES)
		return err_set(err, ERR_INVALID, "manifest.json is no list of images");
	if (resolve_links(a, err) < 0)
		return -1;
	jnode_set(index, "schemaVersion", jnode_i64(2));
	jnode_set_str(index, "mediaType", MEDIA_OCI_INDEX);
	list = jnode_need_array(index, "manifests");
	for (size_t i = 0; i < jnode_count(images); i++)
		if (add_image(a, jnode_item(images, i), list, err) < 0)
			return -1;
	return put_document(a, index, MEDIA_OCI_INDEX, ret, err);
}
