/* SPDX-License-Identifier: Apache-2.0 */
/* Images as an archive that is both an OCI layout and what "docker load" reads (reference 03
 * §1.15). */
#include "client/client_images_priv.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "archive/tar_writer.h"
#include "base/buf.h"
#include "base/digest.h"
#include "base/io.h"
#include "base/map.h"
#include "base/mem.h"
#include "base/str.h"
#include "client/client_content_priv.h"
#include "oci/media.h"
#include "oci/reference.h"
#include "text/jnode.h"

#define NAME_ANNOTATION "io.containerd.image.name"
#define REF_ANNOTATION	"org.opencontainers.image.ref.name"
#define SOURCE_LABEL	"containerd.io/distribution.source."
#define LAYOUT		"{\"imageLayoutVersion\":\"1.0.0\"}"
#define COPY_BYTES	(256 * 1024)
#define MAX_DOCUMENTS	8192
#define MAX_DEPTH	4

struct export
{
	struct ctrd_client *client;
	const struct ctrd_export_options *options;
	struct platform_match match;
	int fd;
	struct map blobs;     /* paths below "blobs/" to their digest and size, owned */
	struct jnode *index;  /* descriptors of the names */
	struct jnode *docker; /* what manifest.json has */
	struct map by_digest; /* digests of manifests to their object in "docker" */
	size_t documents;
};

struct blob_entry {
	char digest[DIGEST_TEXT_SIZE];
	int64_t size;
};

static void export_done(struct export *x)
{
	map_done(&x->blobs, free);
	map_done(&x->by_digest, NULL);
	jnode_free(x->index);
	jnode_free(x->docker);
	platform_match_done(&x->match);
}

/* "blobs/<algorithm>/<hex>", owned. */
static char *blob_name(const char *digest)
{
	char *name = xasprintf("blobs/%s", digest);

	*strchr(name, ':') = '/';
	return name;
}

static int add_blob(struct export *x, const struct oci_descriptor *d, struct err *err)
{
	AUTO_FREE char *name = NULL;
	struct blob_entry *entry;

	if (client_digest_check(d->digest, err) < 0)
		return -1;
	name = blob_name(d->digest);
	if (map_find(&x->blobs, name) != NULL)
		return 0;
	entry = xzalloc(sizeof(*entry));
	memcpy(entry->digest, d->digest, strlen(d->digest) + 1);
	entry->size = d->size;
	(void)map_put(&x->blobs, name, entry);
	return 0;
}

/* --- what belongs to an image ------------------------------------------------------------- */

/* The manifest that manifest.json describes: the best of those that are exported. */
struct chosen {
	struct oci_descriptor descriptor;
	int rank;
	bool is_any;
};

static void choose(struct chosen *c, const struct oci_descriptor *d, int rank)
{
	if (c->is_any && rank >= c->rank)
		return;
	oci_descriptor_done(&c->descriptor);
	oci_descriptor_copy(&c->descriptor, d);
	c->rank = rank;
	c->is_any = true;
}

static int add_document(struct export *x, const struct oci_descriptor *d, size_t depth,
		int rank, struct chosen *chosen, struct err *err);

static int add_manifest(struct export *x, const struct oci_descriptor *d, struct err *err)
{
	AUTO_OCI_MANIFEST struct oci_manifest m = { 0 };

	if (client_read_manifest(x->client, d->media_type, d->digest, &m, err) < 0 ||
			add_blob(x, &m.config, err) < 0)
		return -1;
	for (size_t i = 0; i < m.layers.count; i++) {
		const struct oci_descriptor *layer = &m.layers.items[i];

		if (x->options->skip_non_distributable &&
				media_is_nondistributable(layer->media_type))
			continue;
		if (add_blob(x, layer, err) < 0)
			return -1;
	}
	return 0;
}

static int add_index(struct export *x, const struct oci_descriptor *d, size_t depth,
		struct chosen *chosen, struct err *err)
{
	AUTO_OCI_INDEX struct oci_index index = { 0 };

	if (client_read_index(x->client, d->media_type, d->digest, &index, err) < 0)
		return -1;
	for (size_t i = 0; i < index.manifests.count; i++) {
		const struct oci_descriptor *child = &index.manifests.items[i];
		int rank = child->has_platform
					   ? platform_match_rank(&x->match, &child->platform)
					   : INT32_MAX - 1;

		if (rank < 0 && !x->options->all_platforms)
			continue;
		if (add_document(x, child, depth + 1, rank < 0 ? INT32_MAX : rank, chosen,
				    err) < 0)
			return -1;
	}
	return 0;
}

static int add_document(struct export *x, const struct oci_descriptor *d, size_t depth,
		int rank, struct chosen *chosen, struct err *err)
{
	if (depth > MAX_DEPTH || ++x->documents > MAX_DOCUMENTS)
		return err_set(err, ERR_EXHAUSTED, "image has too many documents");
	if (add_blob(x, d, err) < 0)
		return -1;
	switch (media_kind(d->media_type)) {
	case MEDIA_INDEX:
		return add_index(x, d, depth, chosen, err);
	case MEDIA_MANIFEST:
		choose(chosen, d, rank);
		return add_manifest(x, d, err);
	default:
		if (depth > 1)
			return 0;
		return err_set(err, ERR_INVALID, "only manifests may be exported");
	}
}

/* --- index.json and manifest.json --------------------------------------------------------- */

/* Only a tag is a reference's name in a layout. */
static char *layout_name(const char *name)
{
	AUTO_REF_NAME struct ref_name parsed = { 0 };
	AUTO_ERR struct err odd = { 0 };

	if (ref_name_parse(name, &parsed, &odd) < 0 || parsed.tag == NULL)
		return xstrdup(name);
	return xstrdup(parsed.tag);
}

static int describe(struct export *x, const struct image *image, struct err *err)
{
	struct oci_descriptor d = { .media_type = image->target.media_type,
		.digest = image->target.digest,
		.size = image->target.size };
	AUTO_FREE char *ref = layout_name(image->name);
	struct ctrd_blob *blob = NULL;
	const struct ctrd_labels *labels;

	if (client_blob_get(x->client, image->target.digest, &blob, err) < 0)
		return -1;
	labels = ctrd_blob_labels(blob);
	labels_copy(&d.annotations, &image->target.annotations);
	for (size_t i = 0; i < ctrd_labels_count(labels); i++)
		if (str_starts(ctrd_labels_key(labels, i), SOURCE_LABEL))
			labels_set(&d.annotations, ctrd_labels_key(labels, i),
					ctrd_labels_value(labels, i));
	ctrd_blob_free(blob);
	labels_set(&d.annotations, NAME_ANNOTATION, image->name);
	labels_set(&d.annotations, REF_ANNOTATION, ref);
	jnode_append(x->index, oci_descriptor_node(&d));
	labels_done(&d.annotations);
	return 0;
}

static int make_docker_entry(struct export *x, const struct oci_descriptor *d,
		struct jnode **ret_entry, struct err *err)
{
	AUTO_OCI_MANIFEST struct oci_manifest m = { 0 };
	AUTO_FREE char *config = NULL;
	struct jnode *entry;

	if (client_read_manifest(x->client, d->media_type, d->digest, &m, err) < 0)
		return -1;
	config = blob_name(m.config.digest);
	entry = jnode_object();
	jnode_set_str(entry, "Config", config);
	jnode_set(entry, "RepoTags", jnode_array());
	jnode_set(entry, "Layers", jnode_array());
	for (size_t i = 0; i < m.layers.count; i++) {
		AUTO_FREE char *layer = blob_name(m.layers.items[i].digest);

		jnode_append_str(jnode_get(entry, "Layers"), layer);
	}
	jnode_append(x->docker, entry);
	(void)map_put(&x->by_digest, d->digest, entry);
	*ret_entry = entry;
	return 0;
}

/* Several names of one image share an entry. */
static int describe_for_docker(struct export *x, const char *name,
		const struct oci_descriptor *d, struct err *err)
{
	AUTO_REF_NAME struct ref_name parsed = { 0 };
	AUTO_FREE char *familiar = NULL, *quoted = str_quote(name);
	struct jnode *entry = map_find(&x->by_digest, d->digest);

	if (ref_name_parse(name, &parsed, err) < 0) {
		(void)err_wrap(err, "failed to parse %s", quoted);
		return err_wrap(err, "unable to create manifests file");
	}
	if (entry == NULL && make_docker_entry(x, d, &entry, err) < 0)
		return -1;
	ref_name_default_tag(&parsed);
	familiar = ref_name_familiar(&parsed);
	jnode_append_str(jnode_get(entry, "RepoTags"), familiar);
	return 0;
}

static int add_image(struct export *x, const char *name, struct err *err)
{
	AUTO(ctrd_image_free) struct ctrd_image *image = NULL;
	struct oci_descriptor target = { 0 };
	struct chosen chosen = { 0 };
	int rc;

	if (client_image_get(x->client, name, &image, err) < 0)
		return -1;
	target.media_type = image->v.target.media_type;
	target.digest = image->v.target.digest;
	target.size = image->v.target.size;
	rc = describe(x, &image->v, err);
	if (rc == 0)
		rc = add_document(x, &target, 1, 0, &chosen, err);
	if (rc == 0 && !chosen.is_any)
		rc = err_set(err, ERR_NOT_FOUND, "no manifest found for platform");
	if (rc == 0 && !x->options->skip_manifest_json)
		rc = describe_for_docker(x, image->v.name, &chosen.descriptor, err);
	oci_descriptor_done(&chosen.descriptor);
	return rc;
}

/* --- writing ------------------------------------------------------------------------------ */

static int put(struct export *x, const void *data, size_t size, struct err *err)
{
	int rc = io_write_all(x->fd, data, size);

	return rc < 0 ? err_sys(err, -rc, "write archive") : 0;
}

static int put_header(struct export *x, const char *name, int type, uint32_t mode,
		uint64_t size, struct err *err)
{
	struct tar_entry e = {
		.type = type, .path = name, .link = "", .mode = mode, .size = size
	};
	AUTO_BUF struct buf out = { .limit = SIZE_MAX };

	tar_put_header(&out, &e);
	return put(x, out.data, out.size, err);
}

static int put_padding(struct export *x, uint64_t size, struct err *err)
{
	AUTO_BUF struct buf out = { .limit = SIZE_MAX };

	tar_put_padding(&out, size);
	return out.size == 0 ? 0 : put(x, out.data, out.size, err);
}

static int put_text(struct export *x, const char *name, uint32_t mode, const char *text,
		struct err *err)
{
	if (put_header(x, name, TAR_FILE, mode, strlen(text), err) < 0 ||
			put(x, text, strlen(text), err) < 0)
		return -1;
	return put_padding(x, strlen(text), err);
}

/* The header has told how much comes. */
static int copy_blob(struct export *x, const struct blob_entry *b, struct err *err)
{
	AUTO(ctrd_reader_close) struct ctrd_reader *reader = NULL;
	AUTO(digester_free) struct digester *d = NULL;
	AUTO_FREE char *data = xmalloc(COPY_BYTES);
	char actual[DIGEST_TEXT_SIZE];
	enum digest_alg alg;
	int64_t left = b->size;
	ptrdiff_t n;

	if (digest_check(b->digest, &alg, err) < 0 ||
			client_reader_open(x->client, b->digest, &reader, err) < 0)
		return -1;
	d = digester_new(alg);
	while ((n = client_reader_read(reader, data, COPY_BYTES, err)) > 0 && n <= left) {
		digester_add(d, data, (size_t)n);
		left -= n;
		if (put(x, data, (size_t)n, err) < 0)
			return -1;
	}
	if (n < 0)
		return -1;
	digester_text(d, actual);
	if (n > 0 || left > 0 || !str_eq(actual, b->digest))
		return err_plain(err, ERR_UNKNOWN, "unexpected digest %s copied", actual);
	return 0;
}

static int put_blob(
		struct export *x, const char *name, const struct blob_entry *b, struct err *err)
{
	if (put_header(x, name, TAR_FILE, 0444, (uint64_t)b->size, err) < 0 ||
			copy_blob(x, b, err) < 0)
		return err_wrap(err, "export %s", b->digest);
	return put_padding(x, (uint64_t)b->size, err);
}

/* Sorted by name, each directory before what is in it. */
static int put_blobs(struct export *x, struct err *err)
{
	AUTO_STRV char **names = map_sorted_keys(&x->blobs);
	AUTO_FREE char *dir = NULL;

	if (put_header(x, "blobs/", TAR_DIR, 0755, 0, err) < 0)
		return -1;
	for (size_t i = 0; i < strv_len(names); i++) {
		AUTO_FREE char *here = xstrndup(
				names[i], (size_t)(strrchr(names[i], '/') + 1 - names[i]));

		if (!str_eq(here, dir)) {
			if (put_header(x, here, TAR_DIR, 0755, 0, err) < 0)
				return -1;
			free(dir);
			dir = take_ptr(here);
		}
		if (put_blob(x, names[i], map_find(&x->blobs, names[i]), err) < 0)
			return -1;
	}
	return 0;
}

static int put_index(struct export *x, struct err *err)
{
	AUTO(jnode_free) struct jnode *index = jnode_object();
	AUTO_FREE char *text = NULL;

	jnode_set(index, "schemaVersion", jnode_i64(2));
	jnode_set_str(index, "mediaType", MEDIA_OCI_INDEX);
	jnode_set(index, "manifests", take_ptr(x->index));
	text = jnode_to_text(index, NULL);
	return put_text(x, "index.json", 0644, text, err);
}

static int put_docker(struct export *x, struct err *err)
{
	AUTO_FREE char *text = NULL;

	if (x->options->skip_manifest_json)
		return 0;
	text = jnode_to_text(x->docker, NULL);
	return put_text(x, "manifest.json", 0644, text, err);
}

static int put_all(struct export *x, struct err *err)
{
	AUTO_BUF struct buf end = { .limit = SIZE_MAX };

	tar_put_end(&end);
	if (put_blobs(x, err) < 0 || put_index(x, err) < 0 || put_docker(x, err) < 0 ||
			put_text(x, "oci-layout", 0444, LAYOUT, err) < 0)
		return -1;
	return put(x, end.data, end.size, err);
}

/* --- the whole ---------------------------------------------------------------------------- */

/* In the order they were asked for; without any, what this machine is. */
static int read_platforms(struct export *x, struct err *err)
{
	const char *const *p = x->options->platforms;

	if (p == NULL || *p == NULL)
		return client_match(NULL, true, &x->match, err);
	for (; *p != NULL; p++) {
		struct platform_match one = { 0 };
		struct platform_match *all = &x->match;

		if (client_match(*p, true, &one, err) < 0)
			return -1;
		all->items = xreallocarray(
				all->items, all->count + one.count, sizeof(*all->items));
		memcpy(all->items + all->count, one.items, one.count * sizeof(*one.items));
		all->count += one.count;
		free(one.items); /* what they hold is the list's now */
	}
	return 0;
}

static int export_images(struct export *x, const char *const *names, struct err *err)
{
	if (read_platforms(x, err) < 0)
		return -1;
	for (; *names != NULL; names++)
		if (add_image(x, *names, err) < 0)
			return -1;
	return put_all(x, err);
}

int ctrd_images_export(struct ctrd_client *c, int fd, const char *const *names,
		const struct ctrd_export_options *options, struct ctrd_error **ret_error)
{
	struct ctrd_export_options o = CTRD_EXPORT_OPTIONS_INIT;
	struct export x = { .client = c, .options = &o, .fd = fd };
	AUTO_ERR struct err err = { 0 };
	int rc;

	if (options != NULL)
		memcpy(&o, options, options->size < sizeof(o) ? options->size : sizeof(o));
	map_init(&x.blobs);
	map_init(&x.by_digest);
	x.index = jnode_array();
	x.docker = jnode_array();
	rc = export_images(&x, names, &err);
	export_done(&x);
	return api_result(rc, &err, ret_error);
}
