/* SPDX-License-Identifier: Apache-2.0 */
/* Layers to snapshots, asked for one by one from our side (reference 03 §1.11). */
#include "client/client_images_priv.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "client/client_content_priv.h"
#include "client/client_snapshots_priv.h"
#include "oci/chain.h"
#include "wire/wire_image.h"
#include "wire/wire_mount.h"

#include "api/pb/diff.pb-c.h"

#define UNCOMPRESSED_LABEL "containerd.io/uncompressed"
#define SNAPSHOT_REF_LABEL "containerd.io/gc.ref.snapshot."

static const struct labels no_labels;

struct unpack {
	struct ctrd_client *client;
	char *snapshotter;
	const struct oci_descriptors *layers;
	const struct image_config *config;
};

static int snapshot_exists(struct ctrd_client *c, const char *snapshotter, const char *key,
		struct err *err)
{
	AUTO(ctrd_snapshot_free) struct ctrd_snapshot *s = NULL;

	if (client_snapshot_get(c, snapshotter, key, &s, err) == 0)
		return 1;
	if (err->kind != ERR_NOT_FOUND)
		return -1;
	err_clear(err);
	return 0;
}

int client_image_is_unpacked(struct ctrd_client *c, const struct image_documents *documents,
		const char *snapshotter, struct err *err)
{
	AUTO_IMAGE_CONFIG struct image_config config = { 0 };
	char id[DIGEST_TEXT_SIZE];

	if (client_image_read_config(c, documents, &config, err) < 0)
		return -1;
	if (config.diff_count == 0)
		return 0;
	chain_id(config.diff_ids, config.diff_count, id);
	return snapshot_exists(c, snapshotter, id, err);
}

/* --- one layer ---------------------------------------------------------------------------- */

/* Fails unless what was extracted is what the config says. */
static int apply_diff(struct unpack *u, size_t i, const struct mounts *mounts, struct err *err)
{
	const struct oci_descriptor *layer = &u->layers->items[i];
	Diff__ApplyRequest request = DIFF__APPLY_REQUEST__INIT;
	struct descriptor d = { layer->media_type, layer->digest, layer->size,
		layer->annotations };
	AUTO_ARENA struct arena a = { 0 };
	const Diff__ApplyResponse *pb;

	arena_init(&a, CLIENT_REPLY_BUDGET);
	request.diff = wire_descriptor_out(&a, &d);
	request.mounts = wire_mounts_out(&a, mounts, &request.n_mounts);
	pb = client_call(u->client, CLIENT_DIFF_Apply, &request.base, &a, err);
	if (pb == NULL)
		return -1;
	if (pb->applied == NULL || strcmp(pb->applied->digest, u->config->diff_ids[i]) != 0)
		return err_plain(err, ERR_UNKNOWN,
				"wrong diff id calculated on extraction \"%s\"",
				pb->applied == NULL ? "" : pb->applied->digest);
	return 0;
}

static int extract(struct unpack *u, size_t i, const char *key, const char *parent,
		const char *chain, struct err *err)
{
	struct snapshot_request r = { u->snapshotter, key, parent, &no_labels, false };
	AUTO(ctrd_mounts_free) struct ctrd_mounts *mounts = NULL;

	if (client_snapshot_create(u->client, &r, &mounts, err) < 0)
		return err_wrap(err, "failed to prepare extraction snapshot \"%s\"", key);
	if (apply_diff(u, i, &mounts->list, err) < 0)
		return err_wrap(err, "failed to extract layer %s", u->config->diff_ids[i]);
	if (client_snapshot_commit(u->client, u->snapshotter, chain, key, &no_labels, err) < 0)
		return err_wrap(err, "failed to commit snapshot %s", key);
	return 0;
}

/* Somebody else may make the same snapshot meanwhile: then ours goes. */
static int add_layer(struct unpack *u, size_t i, const char *parent, const char *chain,
		struct err *err)
{
	AUTO_ERR struct err undo = { 0 };
	AUTO_FREE char *id = client_random_id();
	AUTO_FREE char *key = xasprintf("extract-%s %s", id, chain);

	if (extract(u, i, key, parent, chain, err) == 0)
		return 0;
	(void)!client_snapshot_remove(u->client, u->snapshotter, key, &undo); /* (ignored) */
	if (err->kind != ERR_EXISTS)
		return -1;
	err_clear(err);
	return 0;
}

static int label_blob(struct ctrd_client *c, const char *digest, const char *key,
		const char *value, struct err *err)
{
	struct label label = { (char *)key, (char *)value };
	struct labels labels = { &label, 1 };

	return client_blob_set_labels(c, digest, &labels, NULL, err);
}

/* --- all of them -------------------------------------------------------------------------- */

static int unpack_layers(struct unpack *u, char chain[DIGEST_TEXT_SIZE], struct err *err)
{
	char parent[DIGEST_TEXT_SIZE] = "";

	for (size_t i = 0; i < u->layers->count; i++) {
		int rc;

		chain_id(u->config->diff_ids, i + 1, chain);
		rc = snapshot_exists(u->client, u->snapshotter, chain, err);
		if (rc < 0)
			return err_wrap(err, "failed to stat snapshot %s", chain);
		if (rc == 0) {
			if (add_layer(u, i, parent, chain, err) < 0)
				return -1;
			if (label_blob(u->client, u->layers->items[i].digest,
					    UNCOMPRESSED_LABEL, u->config->diff_ids[i],
					    err) < 0)
				return -1;
		}
		memcpy(parent, chain, sizeof(parent));
	}
	return 0;
}

static int unpack_documents(struct ctrd_client *c, const struct image_documents *d,
		const char *snapshotter, struct err *err)
{
	AUTO_IMAGE_CONFIG struct image_config config = { 0 };
	AUTO_FREE char *name = NULL, *key = NULL;
	struct unpack u = { .client = c, .layers = &d->manifest.layers, .config = &config };
	char chain[DIGEST_TEXT_SIZE] = "";

	if (client_image_read_config(c, d, &config, err) < 0)
		return -1;
	if (config.diff_count != d->manifest.layers.count)
		return err_plain(err, ERR_INVALID,
				"number of layers and diffIDs don't match: %zu != %zu",
				d->manifest.layers.count, config.diff_count);
	if (client_snapshotter(c, snapshotter, &name, err) < 0)
		return -1;
	u.snapshotter = name;
	if (unpack_layers(&u, chain, err) < 0)
		return -1;
	if (chain[0] == '\0')
		return 0;
	key = xasprintf(SNAPSHOT_REF_LABEL "%s", name);
	return label_blob(c, d->manifest.config.digest, key, chain, err);
}

int client_image_unpack(struct ctrd_client *c, const struct ctrd_image *image,
		const char *platform, const char *snapshotter, struct err *err)
{
	AUTO_IMAGE_DOCUMENTS struct image_documents d = { 0 };
	__attribute__((cleanup(platform_match_done))) struct platform_match match = { 0 };
	AUTO_LEASE_SCOPE struct lease_scope lease = { 0 };

	if (client_match(platform, platform == NULL, &match, err) < 0)
		return -1;
	if (lease_scope_open(c, &lease, err) < 0)
		return -1;
	if (client_image_resolve(c, &image->v.target, &match, &d, err) < 0)
		return -1;
	if (unpack_documents(c, &d, snapshotter, err) < 0)
		return err_wrap(err, "apply layer error for \"%s\"", image->v.name);
	return 0;
}

int ctrd_image_unpack(struct ctrd_client *c, const struct ctrd_image *image,
		const char *platform, const char *snapshotter, struct ctrd_error **ret_error)
{
	AUTO_ERR struct err err = { 0 };

	return api_result(client_image_unpack(c, image, platform, snapshotter, &err), &err,
			ret_error);
}
