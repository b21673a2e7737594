/* SPDX-License-Identifier: Apache-2.0 */
#include "oci/image_spec.h"

#include <stdlib.h>
#include <string.h>

#include "base/auto.h"
#include "base/digest.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/str.h"
#include "oci/media.h"
#include "text/jnode.h"

#define MAX_ANNOTATIONS 256

void oci_descriptor_done(struct oci_descriptor *d)
{
	free(d->media_type);
	free(d->digest);
	labels_done(&d->annotations);
	platform_done(&d->platform);
	*d = (struct oci_descriptor){ 0 };
}

void oci_descriptor_copy(struct oci_descriptor *to, const struct oci_descriptor *from)
{
	to->media_type = xstrdup(from->media_type);
	to->digest = xstrdup(from->digest);
	to->size = from->size;
	labels_copy(&to->annotations, &from->annotations);
	to->has_platform = from->has_platform;
	if (from->has_platform)
		platform_copy(&to->platform, &from->platform);
}

static int read_annotations(const struct jnode *n, struct labels *ret, struct err *err)
{
	if (jnode_count(n) > MAX_ANNOTATIONS)
		return err_set(err, ERR_EXHAUSTED, "descriptor has %zu annotations",
				jnode_count(n));
	for (size_t i = 0; jnode_is(n, JSON_KIND_OBJECT) && i < jnode_count(n); i++) {
		const char *value = jnode_str(jnode_item(n, i));

		if (value != NULL)
			labels_set(ret, jnode_key(n, i), value);
	}
	return 0;
}

static void read_platform(const struct jnode *n, struct oci_descriptor *d)
{
	const struct jnode *features = jnode_get(n, "os.features");

	if (!jnode_is(n, JSON_KIND_OBJECT))
		return;
	d->has_platform = true;
	platform_set(&d->platform, jnode_get_str(n, "os"), jnode_get_str(n, "architecture"),
			jnode_get_str(n, "variant"));
	d->platform.os_version = xstrdup(jnode_get_str(n, "os.version"));
	for (size_t i = 0; i < jnode_count(features); i++)
		if (jnode_str(jnode_item(features, i)) != NULL)
			strv_add(&d->platform.os_features, jnode_str(jnode_item(features, i)));
}

int oci_descriptor_read(const struct jnode *n, struct oci_descriptor *ret, struct err *err)
{
	__attribute__((cleanup(oci_descriptor_done))) struct oci_descriptor d = { 0 };

	if (!jnode_is(n, JSON_KIND_OBJECT))
		return err_set(err, ERR_INVALID, "descriptor is no object");
	d.media_type = xstrdup(str_or(jnode_get_str(n, "mediaType"), ""));
	d.digest = xstrdup(str_or(jnode_get_str(n, "digest"), ""));
	if (digest_check(d.digest, NULL, err) < 0)
		return err_wrap(err, "descriptor \"%.128s\"", d.digest);
	if (!jnode_get_i64(n, "size", &d.size) || d.size < 0)
		return err_set(err, ERR_INVALID, "descriptor %s: bad size", d.digest);
	if (read_annotations(jnode_get(n, "annotations"), &d.annotations, err) < 0)
		return -1;
	read_platform(jnode_get(n, "platform"), &d);
	*ret = d;
	d = (struct oci_descriptor){ 0 };
	return 0;
}

static struct jnode *platform_node(const struct platform *p)
{
	struct jnode *n = jnode_object();

	jnode_set_str(n, "architecture", p->arch);
	jnode_set_str(n, "os", p->os);
	if (!str_is_empty(p->os_version))
		jnode_set_str(n, "os.version", p->os_version);
	if (p->os_features != NULL)
		jnode_set(n, "os.features", jnode_strv(p->os_features));
	if (!str_is_empty(p->variant))
		jnode_set_str(n, "variant", p->variant);
	return n;
}

struct jnode *oci_descriptor_node(const struct oci_descriptor *d)
{
	struct jnode *n = jnode_object();
	struct jnode *annotations;

	jnode_set_str(n, "mediaType", d->media_type);
	jnode_set_str(n, "digest", d->digest);
	jnode_set(n, "size", jnode_i64(d->size));
	if (d->annotations.count > 0) {
		annotations = jnode_need_object(n, "annotations");
		for (size_t i = 0; i < d->annotations.count; i++)
			jnode_set_str(annotations, d->annotations.items[i].key,
					d->annotations.items[i].value);
	}
	if (d->has_platform)
		jnode_set(n, "platform", platform_node(&d->platform));
	return n;
}

void oci_descriptors_done(struct oci_descriptors *d)
{
	for (size_t i = 0; i < d->count; i++)
		oci_descriptor_done(&d->items[i]);
	free(d->items);
	*d = (struct oci_descriptors){ 0 };
}

struct oci_descriptor *oci_descriptors_add(struct oci_descriptors *d)
{
	d->items = xreallocarray(d->items, d->count + 1, sizeof(*d->items));
	d->items[d->count] = (struct oci_descriptor){ 0 };
	return &d->items[d->count++];
}

static int read_list(const struct jnode *list, size_t max, struct oci_descriptors *ret,
		struct err *err)
{
	if (list != NULL && !jnode_is(list, JSON_KIND_ARRAY) && !jnode_is(list, JSON_KIND_NULL))
		return err_set(err, ERR_INVALID, "list of descriptors is no array");
	if (jnode_count(list) > max)
		return err_set(err, ERR_EXHAUSTED, "%zu descriptors, at most %zu are allowed",
				jnode_count(list), max);
	for (size_t i = 0; i < jnode_count(list); i++)
		if (oci_descriptor_read(jnode_item(list, i), oci_descriptors_add(ret), err) < 0)
			return -1;
	return 0;
}

void oci_index_done(struct oci_index *i)
{
	oci_descriptors_done(&i->manifests);
}

static int parse_object(const void *data, size_t size, struct jnode **ret, struct err *err)
{
	AUTO(jnode_free) struct jnode *doc = NULL;

	if (jnode_parse(data, size, &doc, err) < 0)
		return -1;
	if (!jnode_is(doc, JSON_KIND_OBJECT))
		return err_set(err, ERR_INVALID, "document is no object");
	*ret = take_ptr(doc);
	return 0;
}

int oci_index_parse(const void *data, size_t size, struct oci_index *ret, struct err *err)
{
	AUTO(jnode_free) struct jnode *doc = NULL;
	AUTO_OCI_INDEX struct oci_index index = { 0 };

	if (parse_object(data, size, &doc, err) < 0)
		return -1;
	if (read_list(jnode_get(doc, "manifests"), OCI_MAX_MANIFESTS, &index.manifests, err) <
			0)
		return -1;
	*ret = index;
	index = (struct oci_index){ 0 };
	return 0;
}

void oci_manifest_done(struct oci_manifest *m)
{
	oci_descriptor_done(&m->config);
	oci_descriptors_done(&m->layers);
}

int oci_manifest_parse(const void *data, size_t size, struct oci_manifest *ret, struct err *err)
{
	AUTO(jnode_free) struct jnode *doc = NULL;
	AUTO_OCI_MANIFEST struct oci_manifest m = { 0 };

	if (parse_object(data, size, &doc, err) < 0)
		return -1;
	if (oci_descriptor_read(jnode_get(doc, "config"), &m.config, err) < 0)
		return err_wrap(err, "config");
	if (read_list(jnode_get(doc, "layers"), OCI_MAX_LAYERS, &m.layers, err) < 0)
		return err_wrap(err, "layers");
	*ret = m;
	m = (struct oci_manifest){ 0 };
	return 0;
}

static bool has(const struct jnode *doc, const char *key)
{
	const struct jnode *n = jnode_get(doc, key);

	return n != NULL && !jnode_is(n, JSON_KIND_NULL);
}

int oci_check_kind(const char *media_type, const void *data, size_t size, struct err *err)
{
	enum media_kind want = media_kind(media_type), inner;
	AUTO(jnode_free) struct jnode *doc = NULL;

	if (want != MEDIA_INDEX && want != MEDIA_MANIFEST)
		return 0;
	if (parse_object(data, size, &doc, err) < 0)
		return -1;
	inner = media_kind(str_or(jnode_get_str(doc, "mediaType"), ""));
	if (has(doc, "fsLayers"))
		return err_plain(err, ERR_INVALID, "media-type: schema 1 not supported");
	if (want == MEDIA_INDEX &&
			(has(doc, "config") || has(doc, "layers") || inner == MEDIA_MANIFEST))
		return err_plain(err, ERR_INVALID,
				"media-type: expected index but found manifest (%s)",
				media_type);
	if (want == MEDIA_MANIFEST && (has(doc, "manifests") || inner == MEDIA_INDEX))
		return err_plain(err, ERR_INVALID,
				"media-type: expected manifest but found index (%s)",
				media_type);
	return 0;
}
