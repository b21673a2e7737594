/* SPDX-License-Identifier: Apache-2.0 */
/* From an image's name to its manifest, config and layers (reference 03 §1.9). */
#include "client/client_images_priv.h"

#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/map.h"
#include "base/mem.h"
#include "base/str.h"
#include "client/client_content_priv.h"
#include "client/client_snapshots_priv.h"
#include "oci/chain.h"
#include "oci/media.h"

/* An index of indexes may be deep and wide: no image needs more documents than this. */
#define MAX_DOCUMENTS 1024
#define MAX_DEPTH     4

void image_documents_done(struct image_documents *d)
{
	oci_descriptor_done(&d->manifest_descriptor);
	oci_manifest_done(&d->manifest);
}

int client_match(const char *platform, bool strict, struct platform_match *ret, struct err *err)
{
	AUTO_PLATFORM struct platform p = { 0 };

	if (platform == NULL)
		platform_host(&p);
	else if (platform_parse(platform, &p, err) < 0)
		return -1;
	if (strict)
		platform_match_strict(ret, &p);
	else
		platform_match_only(ret, &p);
	return 0;
}

/* --- reading documents -------------------------------------------------------------------- */

static int read_document(struct ctrd_client *c, const char *media_type, const char *digest,
		struct buf *out, struct err *err)
{
	out->limit = IMAGE_MAX_DOCUMENT;
	if (client_blob_read(c, digest, out, err) < 0)
		return -1;
	return oci_check_kind(media_type, out->data == NULL ? "" : out->data, out->size, err);
}

int client_read_index(struct ctrd_client *c, const char *media_type, const char *digest,
		struct oci_index *ret, struct err *err)
{
	AUTO_BUF struct buf b = { 0 };

	if (read_document(c, media_type, digest, &b, err) < 0)
		return -1;
	if (oci_index_parse(b.data, b.size, ret, err) < 0)
		return err_wrap(err, "index %s", digest);
	return 0;
}

int client_read_manifest(struct ctrd_client *c, const char *media_type, const char *digest,
		struct oci_manifest *ret, struct err *err)
{
	AUTO_BUF struct buf b = { 0 };

	if (read_document(c, media_type, digest, &b, err) < 0)
		return -1;
	if (oci_manifest_parse(b.data, b.size, ret, err) < 0)
		return err_wrap(err, "manifest %s", digest);
	return 0;
}

static int read_config(struct ctrd_client *c, const char *digest, struct image_config *ret,
		struct err *err)
{
	AUTO_BUF struct buf b = { .limit = IMAGE_MAX_DOCUMENT };

	if (client_blob_read(c, digest, &b, err) < 0)
		return -1;
	if (image_config_parse(b.data == NULL ? "" : b.data, b.size, ret, err) < 0)
		return err_wrap(err, "config %s", digest);
	return 0;
}

int client_image_read_config(struct ctrd_client *c, const struct image_documents *d,
		struct image_config *ret, struct err *err)
{
	return read_config(c, d->manifest.config.digest, ret, err);
}

/* --- choosing a manifest ------------------------------------------------------------------ */

struct walk {
	struct ctrd_client *client;
	const struct platform_match *match;
	const char *target; /* digest that the walk began at */
	size_t documents;
	struct image_documents *out;
	int64_t size; /* sum of the descriptors on the way */
};

static int count_document(struct walk *w, size_t depth, struct err *err)
{
	if (depth <= MAX_DEPTH && ++w->documents <= MAX_DOCUMENTS)
		return 0;
	return err_set(err, ERR_EXHAUSTED, "image %s has too many documents", w->target);
}

/* Best first; those that do not say what they are for come last, in their order. NULL: none. */
static const struct oci_descriptor *best_child(
		const struct walk *w, const struct oci_index *index)
{
	const struct oci_descriptor *best = NULL;
	int best_rank = 0;

	for (size_t i = 0; i < index->manifests.count; i++) {
		const struct oci_descriptor *d = &index->manifests.items[i];
		int rank = d->has_platform ? platform_match_rank(w->match, &d->platform)
					   : INT32_MAX;

		if (rank < 0 || (best != NULL && rank >= best_rank))
			continue;
		best = d;
		best_rank = rank;
	}
	return best;
}

static int no_match(const struct walk *w, struct err *err)
{
	return err_set(err, ERR_NOT_FOUND, "no match for platform in manifest %s", w->target);
}

/* A child that came without a platform has one in its config. */
static int check_platform(struct walk *w, const struct oci_manifest *m, struct err *err)
{
	AUTO_IMAGE_CONFIG struct image_config config = { 0 };

	if (read_config(w->client, m->config.digest, &config, err) < 0)
		return -1;
	if (platform_match_rank(w->match, &config.platform) < 0)
		return no_match(w, err);
	return 0;
}

static int take_manifest(struct walk *w, const struct oci_descriptor *d, struct err *err)
{
	if (client_read_manifest(w->client, d->media_type, d->digest, &w->out->manifest, err) <
			0)
		return -1;
	oci_descriptor_copy(&w->out->manifest_descriptor, d);
	if (strcmp(d->digest, w->target) == 0 || d->has_platform)
		return 0;
	return check_platform(w, &w->out->manifest, err);
}

static int resolve(
		struct walk *w, const struct oci_descriptor *d, size_t depth, struct err *err)
{
	AUTO_OCI_INDEX struct oci_index index = { 0 };
	const struct oci_descriptor *child;

	w->size += d->size;
	if (count_document(w, depth, err) < 0)
		return -1;
	switch (media_kind(d->media_type)) {
	case MEDIA_MANIFEST:
		return take_manifest(w, d, err);
	case MEDIA_INDEX:
		break;
	default:
		return err_set(err, ERR_NOT_FOUND, "unexpected media type %s for %s",
				d->media_type, d->digest);
	}
	if (client_read_index(w->client, d->media_type, d->digest, &index, err) < 0)
		return -1;
	child = best_child(w, &index);
	return child == NULL ? no_match(w, err) : resolve(w, child, depth + 1, err);
}

static struct oci_descriptor view_of(const struct descriptor *target)
{
	return (struct oci_descriptor){
		.media_type = target->media_type, .digest = target->digest, .size = target->size
	};
}

int client_image_resolve(struct ctrd_client *c, const struct descriptor *target,
		const struct platform_match *match, struct image_documents *ret,
		struct err *err)
{
	AUTO_IMAGE_DOCUMENTS struct image_documents d = { 0 };
	struct oci_descriptor top = view_of(target);
	struct walk w = { .client = c, .match = match, .target = target->digest, .out = &d };

	if (resolve(&w, &top, 1, err) < 0)
		return -1;
	*ret = d;
	d = (struct image_documents){ 0 };
	return 0;
}

int ctrd_image_size(struct ctrd_client *c, const struct ctrd_image *image, int64_t *ret_size,
		struct ctrd_error **ret_error)
{
	AUTO_ERR struct err err = { 0 };
	AUTO_IMAGE_DOCUMENTS struct image_documents d = { 0 };
	__attribute__((cleanup(platform_match_done))) struct platform_match match = { 0 };
	struct oci_descriptor top = view_of(&image->v.target);
	struct walk w = {
		.client = c, .match = &match, .target = image->v.target.digest, .out = &d
	};
	int rc = client_match(NULL, false, &match, &err);

	if (rc == 0)
		rc = resolve(&w, &top, 1, &err);
	if (rc == 0) {
		w.size += d.manifest.config.size;
		for (size_t i = 0; i < d.manifest.layers.count; i++)
			w.size += d.manifest.layers.items[i].size;
	}
	*ret_size = w.size;
	return api_result(rc, &err, ret_error);
}

/* --- platforms ---------------------------------------------------------------------------- */

static int exists(struct ctrd_client *c, const char *digest, struct err *err)
{
	struct ctrd_blob *blob = NULL;

	if (client_blob_get(c, digest, &blob, err) == 0) {
		ctrd_blob_free(blob);
		return 1;
	}
	if (err->kind != ERR_NOT_FOUND)
		return -1;
	err_clear(err);
	return 0;
}

static void add_platform(const struct platform *p, struct map *texts)
{
	AUTO_FREE char *text = platform_text(p);

	if (strcmp(p->os, "unknown") != 0 && strcmp(p->arch, "unknown") != 0)
		map_put(texts, text, texts);
}

static int collect(struct walk *w, const struct oci_descriptor *d, size_t depth,
		struct map *texts, struct err *err);

static int collect_config(struct walk *w, const struct oci_descriptor *d, struct map *texts,
		struct err *err)
{
	AUTO_OCI_MANIFEST struct oci_manifest m = { 0 };
	AUTO_IMAGE_CONFIG struct image_config config = { 0 };

	if (client_read_manifest(w->client, d->media_type, d->digest, &m, err) < 0)
		return -1;
	if (media_kind(m.config.media_type) != MEDIA_CONFIG)
		return 0;
	if (read_config(w->client, m.config.digest, &config, err) < 0)
		return -1;
	platform_normalize(&config.platform);
	add_platform(&config.platform, texts);
	return 0;
}

static int collect_index(struct walk *w, const struct oci_descriptor *d, size_t depth,
		struct map *texts, struct err *err)
{
	AUTO_OCI_INDEX struct oci_index index = { 0 };

	if (client_read_index(w->client, d->media_type, d->digest, &index, err) < 0)
		return -1;
	for (size_t i = 0; i < index.manifests.count; i++)
		if (collect(w, &index.manifests.items[i], depth + 1, texts, err) < 0)
			return -1;
	return 0;
}

static int collect(struct walk *w, const struct oci_descriptor *d, size_t depth,
		struct map *texts, struct err *err)
{
	enum media_kind kind = media_kind(d->media_type);

	if (kind != MEDIA_MANIFEST && kind != MEDIA_INDEX)
		return 0;
	if (count_document(w, depth, err) < 0)
		return -1;
	if (d->has_platform) {
		int rc = exists(w->client, d->digest, err);

		if (rc > 0)
			add_platform(&d->platform, texts);
		return rc < 0 ? -1 : 0;
	}
	return kind == MEDIA_INDEX ? collect_index(w, d, depth, texts, err)
				   : collect_config(w, d, texts, err);
}

int ctrd_image_platforms(struct ctrd_client *c, const struct ctrd_image *image,
		char ***ret_platforms, struct ctrd_error **ret_error)
{
	AUTO_ERR struct err err = { 0 };
	struct oci_descriptor top = view_of(&image->v.target);
	struct walk w = { .client = c, .target = image->v.target.digest };
	struct map texts;
	int rc;

	map_init(&texts);
	rc = collect(&w, &top, 1, &texts, &err);
	if (rc == 0)
		*ret_platforms = map_sorted_keys(&texts);
	map_done(&texts, NULL);
	return api_result(rc, &err, ret_error);
}

/* --- what is there ------------------------------------------------------------------------ */

static int count_blob(struct ctrd_client *c, const struct oci_descriptor *d,
		struct ctrd_image_status *s, struct err *err)
{
	int rc = exists(c, d->digest, err);

	s->required++;
	s->required_size += d->size;
	if (rc > 0) {
		s->present++;
		s->present_size += d->size;
	}
	return rc;
}

static int check(struct ctrd_client *c, const struct ctrd_image *image, const char *snapshotter,
		struct ctrd_image_status *s, struct err *err)
{
	AUTO_IMAGE_DOCUMENTS struct image_documents d = { 0 };
	__attribute__((cleanup(platform_match_done))) struct platform_match match = { 0 };
	int rc;

	if (client_match(NULL, false, &match, err) < 0)
		return -1;
	if (client_image_resolve(c, &image->v.target, &match, &d, err) < 0) {
		if (err->kind != ERR_NOT_FOUND)
			return -1;
		err_clear(err); /* not available, which is an answer */
		return 0;
	}
	s->available = 1;
	rc = count_blob(c, &d.manifest.config, s, err);
	for (size_t i = 0; i < d.manifest.layers.count && rc >= 0; i++)
		rc = count_blob(c, &d.manifest.layers.items[i], s, err);
	if (rc < 0)
		return -1;
	rc = client_image_is_unpacked(c, &d, snapshotter, err);
	if (rc < 0)
		return err->kind == ERR_NOT_FOUND ? (err_clear(err), 0) : -1;
	s->unpacked = rc;
	return 0;
}

int ctrd_image_check(struct ctrd_client *c, const struct ctrd_image *image,
		const char *snapshotter, struct ctrd_image_status *ret_status,
		struct ctrd_error **ret_error)
{
	AUTO_ERR struct err err = { 0 };

	return api_result(check(c, image, snapshotter, ret_status, &err), &err, ret_error);
}

static int chain(struct ctrd_client *c, const struct ctrd_image *image, const char *platform,
		char ***ret, struct err *err)
{
	AUTO_IMAGE_DOCUMENTS struct image_documents d = { 0 };
	AUTO_IMAGE_CONFIG struct image_config config = { 0 };
	__attribute__((cleanup(platform_match_done))) struct platform_match match = { 0 };
	char **ids = NULL;

	if (client_match(platform, false, &match, err) < 0)
		return -1;
	if (client_image_resolve(c, &image->v.target, &match, &d, err) < 0)
		return -1;
	if (client_image_read_config(c, &d, &config, err) < 0)
		return -1;
	for (size_t n = config.diff_count; n > 0; n--) {
		char id[DIGEST_TEXT_SIZE];

		chain_id(config.diff_ids, n, id);
		strv_add(&ids, id);
	}
	*ret = ids;
	return 0;
}

int ctrd_image_chain(struct ctrd_client *c, const struct ctrd_image *image,
		const char *platform, char ***ret_chain_ids, struct ctrd_error **ret_error)
{
	AUTO_ERR struct err err = { 0 };

	return api_result(chain(c, image, platform, ret_chain_ids, &err), &err, ret_error);
}
