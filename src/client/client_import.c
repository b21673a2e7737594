/* SPDX-License-Identifier: Apache-2.0 */
/* From an archive's index to image records: names, platforms, and labels that keep the parts.
 */
#include "client/client_import_priv.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/mem.h"
#include "base/str.h"
#include "client/client_content_priv.h"
#include "oci/media.h"

#define GC_LABEL	"containerd.io/gc.ref.content"
#define NAME_ANNOTATION "io.containerd.image.name"
#define REF_ANNOTATION	"org.opencontainers.image.ref.name"
#define MAX_DOCUMENTS	8192
#define MAX_DEPTH	4

/* --- names -------------------------------------------------------------------------------- */

static bool is_below(const char *name, const char *prefix)
{
	size_t n = strlen(prefix);

	return str_starts(name, prefix) && strchr("/:@", name[n]) != NULL;
}

char *import_name(const struct import_names *names, const struct labels *annotations)
{
	const char *full = labels_find(annotations, NAME_ANNOTATION);
	const char *ref = labels_find(annotations, REF_ANNOTATION);

	if (!str_is_empty(full))
		return xstrdup(full);
	if (str_is_empty(ref))
		return NULL;
	if (strpbrk(ref, "/:@") == NULL)
		return xasprintf("%s:%s", names->prefix, ref);
	return names->prefix_only && !is_below(ref, names->prefix) ? NULL : xstrdup(ref);
}

/* "import-2026-01-31", in local time. */
static char *default_prefix(void)
{
	time_t now = time(NULL);
	char text[32];
	struct tm tm;

	localtime_r(&now, &tm);
	strftime(text, sizeof(text), "import-%Y-%m-%d", &tm);
	return xstrdup(text);
}

/* --- walking ------------------------------------------------------------------------------ */

struct import {
	struct ctrd_client *client;
	const struct ctrd_import_options *options;
	const struct platform_match *match;
	struct map seen; /* digests whose children are labelled */
	bool found;	 /* something other than empty indexes */
};

/* "…gc.ref.content.config", ".m.0", ".l.0", or ".0" for whatever else. */
static void add_gc_label(struct labels *labels, const struct oci_descriptor *child,
		size_t counts[MEDIA_LAYER + 1])
{
	static const char *const prefixes[] = { [MEDIA_OTHER] = "",
		[MEDIA_INDEX] = "",
		[MEDIA_MANIFEST] = "m.",
		[MEDIA_LAYER] = "l." };
	enum media_kind kind = media_kind(child->media_type);
	AUTO_FREE char *key = NULL;

	if (kind == MEDIA_INDEX)
		kind = MEDIA_OTHER; /* both count together */
	if (kind == MEDIA_CONFIG)
		key = counts[kind] == 0 ? xstrdup(GC_LABEL ".config")
					: xasprintf(GC_LABEL ".config%zu", counts[kind]);
	else
		key = xasprintf(GC_LABEL ".%s%zu", prefixes[kind], counts[kind]);
	counts[kind]++;
	labels_set(labels, key, child->digest);
}

static int label_children(struct import *im, const char *parent,
		const struct oci_descriptors *children, struct err *err)
{
	AUTO_LABELS struct labels labels = { 0 };
	size_t counts[MEDIA_LAYER + 1] = { 0 };

	if (children->count == 0)
		return 0;
	im->found = true;
	for (size_t i = 0; i < children->count; i++)
		add_gc_label(&labels, &children->items[i], counts);
	return client_blob_set_labels(im->client, parent, &labels, NULL, err);
}

static int walk(struct import *im, const struct oci_descriptor *d, size_t depth,
		struct err *err);

static int walk_manifest(struct import *im, const struct oci_descriptor *d, struct err *err)
{
	AUTO_OCI_MANIFEST struct oci_manifest m = { 0 };
	__attribute__((cleanup(oci_descriptors_done))) struct oci_descriptors all = { 0 };

	if (client_read_manifest(im->client, d->media_type, d->digest, &m, err) < 0)
		return -1;
	oci_descriptor_copy(oci_descriptors_add(&all), &m.config);
	for (size_t i = 0; i < m.layers.count; i++)
		oci_descriptor_copy(oci_descriptors_add(&all), &m.layers.items[i]);
	return label_children(im, d->digest, &all, err);
}

static void keep_matching(
		struct import *im, const struct oci_index *index, struct oci_descriptors *kept)
{
	for (size_t i = 0; i < index->manifests.count; i++) {
		const struct oci_descriptor *d = &index->manifests.items[i];

		if (!d->has_platform || platform_match_rank(im->match, &d->platform) >= 0)
			oci_descriptor_copy(oci_descriptors_add(kept), d);
	}
}

static int walk_index(struct import *im, const struct oci_descriptor *d, size_t depth,
		struct err *err)
{
	AUTO_OCI_INDEX struct oci_index index = { 0 };
	__attribute__((cleanup(oci_descriptors_done))) struct oci_descriptors kept = { 0 };

	if (client_read_index(im->client, d->media_type, d->digest, &index, err) < 0)
		return -1;
	keep_matching(im, &index, &kept);
	if (label_children(im, d->digest, &kept, err) < 0)
		return -1;
	for (size_t i = 0; i < kept.count; i++)
		if (walk(im, &kept.items[i], depth + 1, err) < 0)
			return -1;
	return 0;
}

/* Each document is visited once, however often it is named. */
static int walk(struct import *im, const struct oci_descriptor *d, size_t depth,
		struct err *err)
{
	enum media_kind kind = media_kind(d->media_type);

	if (kind != MEDIA_INDEX && kind != MEDIA_MANIFEST)
		return 0;
	if (map_find(&im->seen, d->digest) != NULL)
		return 0;
	if (depth > MAX_DEPTH || im->seen.count >= MAX_DOCUMENTS)
		return err_set(err, ERR_EXHAUSTED, "archive has too many documents");
	map_put(&im->seen, d->digest, im);
	return kind == MEDIA_INDEX ? walk_index(im, d, depth, err) : walk_manifest(im, d, err);
}

/* --- records ------------------------------------------------------------------------------ */

static int record(struct import *im, const char *name, const struct oci_descriptor *target,
		struct ctrd_images *into, struct err *err)
{
	static const char *const paths[] = { "target", "labels" };
	struct image image = { .name = (char *)name,
		.target = { target->media_type, target->digest, target->size,
				target->annotations } };
	AUTO(ctrd_image_free) struct ctrd_image *stored = NULL;
	size_t path_count = 1;

	if (im->options->labels != NULL) {
		image.labels = *inner_labels(im->options->labels);
		path_count = 2;
	}
	if (client_image_update(im->client, &image, (char *const *)paths, path_count, &stored,
			    err) < 0) {
		if (err->kind != ERR_NOT_FOUND)
			return -1;
		err_clear(err);
		if (client_image_create(im->client, &image, &stored, err) < 0)
			return -1;
	}
	client_images_add_copy(into, &stored->v);
	return 0;
}

static int record_digest(struct import *im, const char *prefix, const char *name,
		const struct oci_descriptor *d, struct ctrd_images *into, struct err *err)
{
	AUTO_FREE char *ref = NULL;

	if (!im->options->digests || (name != NULL && im->options->skip_digest_for_named))
		return 0;
	ref = xasprintf("%s@%s", prefix, d->digest);
	return record(im, ref, d, into, err);
}

static int record_all(struct import *im, const struct oci_descriptor *top,
		const struct import_names *names, struct ctrd_images *into, struct err *err)
{
	AUTO_OCI_INDEX struct oci_index index = { 0 };

	if (im->options->index_name != NULL &&
			record(im, im->options->index_name, top, into, err) < 0)
		return -1;
	if (client_read_index(im->client, top->media_type, top->digest, &index, err) < 0)
		return -1;
	for (size_t i = 0; i < index.manifests.count; i++) {
		const struct oci_descriptor *d = &index.manifests.items[i];
		AUTO_FREE char *name = import_name(names, &d->annotations);

		if (name != NULL && record(im, name, d, into, err) < 0)
			return -1;
		if (record_digest(im, names->prefix, name, d, into, err) < 0)
			return -1;
	}
	return 0;
}

/* --- the whole ---------------------------------------------------------------------------- */

static int find_index(struct archive *a, const struct ctrd_import_options *o,
		struct oci_descriptor *ret, struct err *err)
{
	if (a->oci_layout.size > 0)
		return archive_oci_index(a, ret, err);
	if (a->manifest_json.size > 0)
		return archive_docker_index(a, o->compress != 0, ret, err);
	return err_plain(err, ERR_INVALID, "unrecognized image format");
}

static int import_index(struct import *im, const struct oci_descriptor *top,
		struct ctrd_images *into, struct err *err)
{
	AUTO_FREE char *prefix = im->options->base_name == NULL
						 ? default_prefix()
						 : xstrdup(im->options->base_name);
	struct import_names names = { prefix, im->options->base_name_only != 0 };

	if (walk(im, top, 1, err) < 0)
		return -1;
	if (!im->found)
		return err_plain(err, ERR_NOT_FOUND, "image might be filtered out");
	return record_all(im, top, &names, into, err);
}

static int import_archive(struct ctrd_client *c, int fd, const struct ctrd_import_options *o,
		struct ctrd_images *into, struct err *err)
{
	__attribute__((cleanup(platform_match_done))) struct platform_match match = { 0 };
	__attribute__((cleanup(archive_done))) struct archive a;
	__attribute__((cleanup(oci_descriptor_done))) struct oci_descriptor top = { 0 };
	struct import im = { .client = c, .options = o, .match = &match };
	int rc;

	archive_init(&a, c);
	if (o->all_platforms)
		match.all = true;
	else if (client_match(o->platform, o->platform != NULL, &match, err) < 0)
		return -1;
	if (archive_read(&a, fd, err) < 0 || find_index(&a, o, &top, err) < 0)
		return -1;
	map_init(&im.seen);
	rc = import_index(&im, &top, into, err);
	map_done(&im.seen, NULL);
	return rc;
}

int ctrd_images_import(struct ctrd_client *c, int fd, const struct ctrd_import_options *options,
		struct ctrd_images **ret_images, struct ctrd_error **ret_error)
{
	struct ctrd_import_options o = CTRD_IMPORT_OPTIONS_INIT;
	AUTO_ERR struct err err = { 0 };
	AUTO(ctrd_images_free) struct ctrd_images *into = client_images_new();
	AUTO_LEASE_SCOPE struct lease_scope lease = { 0 };

	if (options != NULL)
		memcpy(&o, options, options->size < sizeof(o) ? options->size : sizeof(o));
	if (lease_scope_open(c, &lease, &err) < 0 || import_archive(c, fd, &o, into, &err) < 0)
		return api_result(-1, &err, ret_error);
	*ret_images = take_ptr(into);
	return 0;
}
