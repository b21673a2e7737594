/* SPDX-License-Identifier: Apache-2.0 */
/* Layers made of what tells two snapshots apart (reference 03 §2.5). */
#include <stdlib.h>
#include <string.h>

#include "api/timestamp.h"
#include "base/mem.h"
#include "base/str.h"
#include "client/client_snapshots_priv.h"
#include "wire/wire_map.h"
#include "wire/wire_mount.h"

#include "api/pb/diff.pb-c.h"
#include "api/pb/timestamp.pb-c.h"

/* One side: an active snapshot as it is, any other through a view that ends with it. */
struct side {
	struct ctrd_client *client;
	const char *snapshotter;
	char *view; /* NULL: none */
	struct ctrd_mounts *mounts;
};

static void side_done(struct side *s)
{
	AUTO_ERR struct err ignored = { 0 };

	if (s->view != NULL && s->mounts != NULL)
		(void)!client_snapshot_remove(s->client, s->snapshotter, s->view, &ignored);
	ctrd_mounts_free(s->mounts);
	free(s->view);
}
#define AUTO_SIDE __attribute__((cleanup(side_done)))

static int open_view(struct side *s, const char *key, char *own_view, struct err *err)
{
	static const struct labels none;
	struct snapshot_request r = { s->snapshotter, own_view, key, &none, true };

	s->view = own_view;
	return client_snapshot_create(s->client, &r, &s->mounts, err);
}

static int open_side(struct side *s, const char *key, struct err *err)
{
	AUTO(ctrd_snapshot_free) struct ctrd_snapshot *found = NULL;

	if (client_snapshot_get(s->client, s->snapshotter, key, &found, err) < 0)
		return -1;
	if (ctrd_snapshot_kind(found) == CTRD_SNAPSHOT_ACTIVE)
		return client_snapshot_mounts(s->client, s->snapshotter, key, &s->mounts, err);
	return open_view(s, key, xasprintf("%s-view-key", key), err);
}

/* What it stands on; nothing is an empty directory. */
static int open_parent(struct side *s, const char *key, struct err *err)
{
	AUTO(ctrd_snapshot_free) struct ctrd_snapshot *found = NULL;
	AUTO_FREE char *unique = client_random_id();
	const char *parent;

	if (client_snapshot_get(s->client, s->snapshotter, key, &found, err) < 0)
		return -1;
	parent = ctrd_snapshot_parent(found);
	return open_view(s, parent, xasprintf("%s-parent-view-%s", parent, unique), err);
}

static int ask(struct ctrd_client *c, const struct side *lower, const struct side *upper,
		const struct ctrd_diff_options *o, char **ret_digest, struct err *err)
{
	Google__Protobuf__Timestamp epoch = GOOGLE__PROTOBUF__TIMESTAMP__INIT;
	Diff__DiffRequest request = DIFF__DIFF_REQUEST__INIT;
	AUTO_ARENA struct arena a = { 0 };
	const Diff__DiffResponse *pb;

	arena_init(&a, CLIENT_REPLY_BUDGET);
	request.left = wire_mounts_out(&a, &lower->mounts->list, &request.n_left);
	request.right = wire_mounts_out(&a, &upper->mounts->list, &request.n_right);
	request.media_type = str_or(o->media_type, "");
	request.ref = str_or(o->ref, "");
	request.labels = wire_labels_out(&a, inner_labels(o->labels),
			&diff__diff_request__labels_entry__descriptor, &request.n_labels);
	if (o->has_epoch) {
		timestamp_set(&epoch, o->epoch_ns);
		request.source_date_epoch = &epoch;
	}
	pb = client_call(c, CLIENT_DIFF_Diff, &request.base, &a, err);
	if (pb == NULL)
		return -1;
	if (pb->diff == NULL)
		return err_set(err, ERR_INTERNAL, "answer without a descriptor");
	*ret_digest = xstrdup(pb->diff->digest);
	return 0;
}

static int make_diff(struct ctrd_client *c, const char *snapshotter, const char *lower_key,
		const char *upper_key, const struct ctrd_diff_options *o, char **ret_digest,
		struct err *err)
{
	AUTO_SIDE struct side lower = { c, snapshotter, NULL, NULL };
	AUTO_SIDE struct side upper = { c, snapshotter, NULL, NULL };
	AUTO_LEASE_SCOPE struct lease_scope lease = { 0 };

	if (lease_scope_open(c, &lease, err) < 0)
		return -1;
	if (str_is_empty(lower_key) ? open_parent(&lower, upper_key, err) < 0
				    : open_side(&lower, lower_key, err) < 0)
		return -1;
	if (open_side(&upper, upper_key, err) < 0)
		return -1;
	return ask(c, &lower, &upper, o, ret_digest, err);
}

int ctrd_snapshot_diff(struct ctrd_client *c, const char *snapshotter, const char *lower,
		const char *upper, const struct ctrd_diff_options *options, char **ret_digest,
		struct ctrd_error **ret_error)
{
	struct ctrd_diff_options o = CTRD_DIFF_OPTIONS_INIT;
	AUTO_ERR struct err err = { 0 };
	AUTO_FREE char *name = NULL;

	if (options != NULL)
		memcpy(&o, options, options->size < sizeof(o) ? options->size : sizeof(o));
	if (client_snapshotter(c, snapshotter, &name, &err) < 0 ||
			make_diff(c, name, lower, upper, &o, ret_digest, &err) < 0)
		return api_result(-1, &err, ret_error);
	return 0;
}
