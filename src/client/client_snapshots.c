/* SPDX-License-Identifier: Apache-2.0 */
#include "client/client_snapshots_priv.h"

#include <stdlib.h>

#include "base/mem.h"
#include "base/str.h"
#include "client/client_content_priv.h"
#include "wire/wire_map.h"
#include "wire/wire_mount.h"
#include "wire/wire_snapshot.h"

#include "api/pb/empty.pb-c.h"
#include "api/pb/snapshots.pb-c.h"

struct ctrd_snapshot {
	struct snapshot_info info;
	struct ctrd_snapshots *owner;
};

struct ctrd_snapshots {
	struct arena arena;
	struct ctrd_snapshot *items;
	size_t count;
};

void ctrd_snapshots_free(struct ctrd_snapshots *l)
{
	if (l == NULL)
		return;
	arena_done(&l->arena);
	free(l->items);
	free(l);
}
DEFINE_AUTO(struct ctrd_snapshots *, ctrd_snapshots_free)

static void add_snapshots(struct ctrd_snapshots *l, size_t n, Snapshots__Info *const *infos)
{
	l->items = xreallocarray(l->items, l->count + n + 1, sizeof(*l->items));
	for (size_t i = 0; i < n; i++)
		l->items[l->count++] = (struct ctrd_snapshot){
			wire_snapshot_info_in(&l->arena, infos[i]), l
		};
}

static int list(struct ctrd_client *c, const char *snapshotter, const char *const *filters,
		struct ctrd_snapshots *l, struct err *err)
{
	Snapshots__ListSnapshotsRequest request = SNAPSHOTS__LIST_SNAPSHOTS_REQUEST__INIT;
	__attribute__((cleanup(client_stream_close))) struct client_stream s = { 0 };
	AUTO_FREE char *name = NULL;
	const void *message = NULL;
	int rc;

	if (client_snapshotter(c, snapshotter, &name, err) < 0)
		return -1;
	request.snapshotter = name;
	request.filters = wire_strv_out(&l->arena, (char *const *)filters, &request.n_filters);
	if (client_stream_open(c, CLIENT_SNAPSHOTS_List, &request.base, &s, err) < 0)
		return -1;
	while ((rc = client_stream_recv(&s, &l->arena, &message, err)) > 0) {
		const Snapshots__ListSnapshotsResponse *pb = message;

		add_snapshots(l, pb->n_info, pb->info);
	}
	return rc;
}

int ctrd_snapshots_list(struct ctrd_client *c, const char *snapshotter,
		const char *const *filters, struct ctrd_snapshots **ret_snapshots,
		struct ctrd_error **ret_error)
{
	AUTO_ERR struct err err = { 0 };
	AUTO(ctrd_snapshots_free) struct ctrd_snapshots *l = xzalloc(sizeof(*l));

	arena_init(&l->arena, CLIENT_REPLY_BUDGET);
	if (list(c, snapshotter, filters, l, &err) < 0)
		return api_result(-1, &err, ret_error);
	*ret_snapshots = take_ptr(l);
	return 0;
}

size_t ctrd_snapshots_count(const struct ctrd_snapshots *l)
{
	return l->count;
}

const struct ctrd_snapshot *ctrd_snapshots_at(const struct ctrd_snapshots *l, size_t i)
{
	return i < l->count ? &l->items[i] : NULL;
}

/* --- one snapshot ------------------------------------------------------------------------- */

void ctrd_snapshot_free(struct ctrd_snapshot *s)
{
	if (s != NULL)
		ctrd_snapshots_free(s->owner);
}

static int take_snapshot(struct ctrd_snapshots **own_list, Snapshots__Info *pb,
		struct ctrd_snapshot **ret, struct err *err)
{
	if (pb == NULL)
		return err_set(err, ERR_INTERNAL, "answer without snapshot info");
	add_snapshots(*own_list, 1, &pb);
	*ret = &take_ptr(*own_list)->items[0];
	return 0;
}

int client_snapshot_get(struct ctrd_client *c, const char *snapshotter, const char *key,
		struct ctrd_snapshot **ret_snapshot, struct err *err)
{
	Snapshots__StatSnapshotRequest request = SNAPSHOTS__STAT_SNAPSHOT_REQUEST__INIT;
	AUTO(ctrd_snapshots_free) struct ctrd_snapshots *l = xzalloc(sizeof(*l));
	AUTO_FREE char *name = NULL;
	const Snapshots__StatSnapshotResponse *pb;

	if (client_snapshotter(c, snapshotter, &name, err) < 0)
		return -1;
	arena_init(&l->arena, CLIENT_REPLY_BUDGET);
	request.snapshotter = name;
	request.key = key;
	pb = client_call(c, CLIENT_SNAPSHOTS_Stat, &request.base, &l->arena, err);
	return pb == NULL ? -1 : take_snapshot(&l, pb->info, ret_snapshot, err);
}

int ctrd_snapshot_get(struct ctrd_client *c, const char *snapshotter, const char *key,
		struct ctrd_snapshot **ret_snapshot, struct ctrd_error **ret_error)
{
	AUTO_ERR struct err err = { 0 };

	return api_result(client_snapshot_get(c, snapshotter, key, ret_snapshot, &err), &err,
			ret_error);
}

const char *ctrd_snapshot_key(const struct ctrd_snapshot *s)
{
	return s->info.name;
}

const char *ctrd_snapshot_parent(const struct ctrd_snapshot *s)
{
	return str_or(s->info.parent, "");
}

int ctrd_snapshot_kind(const struct ctrd_snapshot *s)
{
	return (int)s->info.kind;
}

int64_t ctrd_snapshot_created(const struct ctrd_snapshot *s)
{
	return s->info.created_ns;
}

int64_t ctrd_snapshot_updated(const struct ctrd_snapshot *s)
{
	return s->info.updated_ns;
}

const struct ctrd_labels *ctrd_snapshot_labels(const struct ctrd_snapshot *s)
{
	return public_labels(&s->info.labels);
}

static int usage(struct ctrd_client *c, const char *snapshotter, const char *key,
		int64_t *ret_size, int64_t *ret_inodes, struct err *err)
{
	Snapshots__UsageRequest request = SNAPSHOTS__USAGE_REQUEST__INIT;
	AUTO_ARENA struct arena a = { 0 };
	AUTO_FREE char *name = NULL;
	const Snapshots__UsageResponse *pb;

	if (client_snapshotter(c, snapshotter, &name, err) < 0)
		return -1;
	arena_init(&a, CLIENT_REPLY_BUDGET);
	request.snapshotter = name;
	request.key = key;
	pb = client_call(c, CLIENT_SNAPSHOTS_Usage, &request.base, &a, err);
	if (pb == NULL)
		return -1;
	*ret_size = pb->size;
	*ret_inodes = pb->inodes;
	return 0;
}

int ctrd_snapshot_usage(struct ctrd_client *c, const char *snapshotter, const char *key,
		int64_t *ret_size, int64_t *ret_inodes, struct ctrd_error **ret_error)
{
	AUTO_ERR struct err err = { 0 };

	return api_result(usage(c, snapshotter, key, ret_size, ret_inodes, &err), &err,
			ret_error);
}

static int set_labels(struct ctrd_client *c, const char *snapshotter, const char *key,
		const struct labels *labels, struct ctrd_snapshot **ret, struct err *err)
{
	Snapshots__UpdateSnapshotRequest request = SNAPSHOTS__UPDATE_SNAPSHOT_REQUEST__INIT;
	Google__Protobuf__FieldMask mask = GOOGLE__PROTOBUF__FIELD_MASK__INIT;
	Snapshots__Info info = SNAPSHOTS__INFO__INIT;
	AUTO(ctrd_snapshots_free) struct ctrd_snapshots *l = xzalloc(sizeof(*l));
	AUTO_FREE char *name = NULL;
	const Snapshots__UpdateSnapshotResponse *pb;

	if (client_snapshotter(c, snapshotter, &name, err) < 0)
		return -1;
	arena_init(&l->arena, CLIENT_REPLY_BUDGET);
	info.name = key;
	info.labels = wire_labels_out(&l->arena, labels,
			&snapshots__info__labels_entry__descriptor, &info.n_labels);
	mask.paths = client_label_paths(&l->arena, labels, &mask.n_paths);
	request.snapshotter = name;
	request.info = &info;
	request.update_mask = &mask;
	pb = client_call(c, CLIENT_SNAPSHOTS_Update, &request.base, &l->arena, err);
	return pb == NULL ? -1 : take_snapshot(&l, pb->info, ret, err);
}

int ctrd_snapshot_set_labels(struct ctrd_client *c, const char *snapshotter, const char *key,
		const struct ctrd_labels *labels, struct ctrd_snapshot **ret_snapshot,
		struct ctrd_error **ret_error)
{
	AUTO_ERR struct err err = { 0 };

	return api_result(set_labels(c, snapshotter, key, inner_labels(labels), ret_snapshot,
					  &err),
			&err, ret_error);
}

/* --- mounts ------------------------------------------------------------------------------- */

void ctrd_mounts_free(struct ctrd_mounts *m)
{
	if (m == NULL)
		return;
	mounts_done(&m->list);
	free(m);
}

static struct ctrd_mounts *keep_mounts(struct arena *a, size_t n, Types__Mount *const *pb)
{
	struct ctrd_mounts *m = xzalloc(sizeof(*m));
	struct mounts view = wire_mounts_in(a, n, pb);

	mounts_copy(&m->list, &view);
	return m;
}

size_t ctrd_mounts_count(const struct ctrd_mounts *m)
{
	return m->list.count;
}

const char *ctrd_mounts_type(const struct ctrd_mounts *m, size_t i)
{
	return i < m->list.count ? m->list.items[i].type : NULL;
}

const char *ctrd_mounts_source(const struct ctrd_mounts *m, size_t i)
{
	return i < m->list.count ? m->list.items[i].source : NULL;
}

const char *ctrd_mounts_target(const struct ctrd_mounts *m, size_t i)
{
	return i < m->list.count ? m->list.items[i].target : NULL;
}

const char *ctrd_mounts_option(const struct ctrd_mounts *m, size_t i, size_t at)
{
	if (i >= m->list.count || at >= strv_len(m->list.items[i].options))
		return NULL;
	return m->list.items[i].options[at];
}

int client_snapshot_create(struct ctrd_client *c, const struct snapshot_request *r,
		struct ctrd_mounts **ret_mounts, struct err *err)
{
	/* Both requests have the same fields; only their entry types differ. */
	Snapshots__PrepareSnapshotRequest prepare = SNAPSHOTS__PREPARE_SNAPSHOT_REQUEST__INIT;
	Snapshots__ViewSnapshotRequest view = SNAPSHOTS__VIEW_SNAPSHOT_REQUEST__INIT;
	AUTO_ARENA struct arena a = { 0 };
	AUTO_FREE char *name = NULL;

	if (client_snapshotter(c, r->snapshotter, &name, err) < 0)
		return -1;
	arena_init(&a, CLIENT_REPLY_BUDGET);
	if (r->view) {
		const Snapshots__ViewSnapshotResponse *pb;

		view.snapshotter = name;
		view.key = r->key;
		view.parent = str_or(r->parent, "");
		view.labels = wire_labels_out(&a, r->labels,
				&snapshots__view_snapshot_request__labels_entry__descriptor,
				&view.n_labels);
		pb = client_call(c, CLIENT_SNAPSHOTS_View, &view.base, &a, err);
		if (pb == NULL)
			return -1;
		*ret_mounts = keep_mounts(&a, pb->n_mounts, pb->mounts);
	} else {
		const Snapshots__PrepareSnapshotResponse *pb;

		prepare.snapshotter = name;
		prepare.key = r->key;
		prepare.parent = str_or(r->parent, "");
		prepare.labels = wire_labels_out(&a, r->labels,
				&snapshots__prepare_snapshot_request__labels_entry__descriptor,
				&prepare.n_labels);
		pb = client_call(c, CLIENT_SNAPSHOTS_Prepare, &prepare.base, &a, err);
		if (pb == NULL)
			return -1;
		*ret_mounts = keep_mounts(&a, pb->n_mounts, pb->mounts);
	}
	return 0;
}

int ctrd_snapshot_prepare(struct ctrd_client *c, const char *snapshotter, const char *key,
		const char *parent, const struct ctrd_labels *labels,
		struct ctrd_mounts **ret_mounts, struct ctrd_error **ret_error)
{
	struct snapshot_request r = { snapshotter, key, parent, inner_labels(labels), false };
	AUTO_ERR struct err err = { 0 };

	return api_result(client_snapshot_create(c, &r, ret_mounts, &err), &err, ret_error);
}

int ctrd_snapshot_view(struct ctrd_client *c, const char *snapshotter, const char *key,
		const char *parent, const struct ctrd_labels *labels,
		struct ctrd_mounts **ret_mounts, struct ctrd_error **ret_error)
{
	struct snapshot_request r = { snapshotter, key, parent, inner_labels(labels), true };
	AUTO_ERR struct err err = { 0 };

	return api_result(client_snapshot_create(c, &r, ret_mounts, &err), &err, ret_error);
}

int client_snapshot_mounts(struct ctrd_client *c, const char *snapshotter, const char *key,
		struct ctrd_mounts **ret_mounts, struct err *err)
{
	Snapshots__MountsRequest request = SNAPSHOTS__MOUNTS_REQUEST__INIT;
	AUTO_ARENA struct arena a = { 0 };
	AUTO_FREE char *name = NULL;
	const Snapshots__MountsResponse *pb;

	if (client_snapshotter(c, snapshotter, &name, err) < 0)
		return -1;
	arena_init(&a, CLIENT_REPLY_BUDGET);
	request.snapshotter = name;
	request.key = key;
	pb = client_call(c, CLIENT_SNAPSHOTS_Mounts, &request.base, &a, err);
	if (pb == NULL)
		return -1;
	*ret_mounts = keep_mounts(&a, pb->n_mounts, pb->mounts);
	return 0;
}

int ctrd_snapshot_mounts(struct ctrd_client *c, const char *snapshotter, const char *key,
		struct ctrd_mounts **ret_mounts, struct ctrd_error **ret_error)
{
	AUTO_ERR struct err err = { 0 };

	return api_result(client_snapshot_mounts(c, snapshotter, key, ret_mounts, &err), &err,
			ret_error);
}

/* --- ending ------------------------------------------------------------------------------- */

int client_snapshot_commit(struct ctrd_client *c, const char *snapshotter, const char *name,
		const char *key, const struct labels *labels, struct err *err)
{
	Snapshots__CommitSnapshotRequest request = SNAPSHOTS__COMMIT_SNAPSHOT_REQUEST__INIT;
	AUTO_ARENA struct arena a = { 0 };
	AUTO_FREE char *driver = NULL;

	if (client_snapshotter(c, snapshotter, &driver, err) < 0)
		return -1;
	arena_init(&a, CLIENT_REPLY_BUDGET);
	request.snapshotter = driver;
	request.name = name;
	request.key = key;
	request.labels = wire_labels_out(&a, labels,
			&snapshots__commit_snapshot_request__labels_entry__descriptor,
			&request.n_labels);
	return client_do(c, CLIENT_SNAPSHOTS_Commit, &request.base, err);
}

int ctrd_snapshot_commit(struct ctrd_client *c, const char *snapshotter, const char *name,
		const char *key, const struct ctrd_labels *labels,
		struct ctrd_error **ret_error)
{
	AUTO_ERR struct err err = { 0 };

	return api_result(client_snapshot_commit(c, snapshotter, name, key,
					  inner_labels(labels), &err),
			&err, ret_error);
}

int client_snapshot_remove(struct ctrd_client *c, const char *snapshotter, const char *key,
		struct err *err)
{
	Snapshots__RemoveSnapshotRequest request = SNAPSHOTS__REMOVE_SNAPSHOT_REQUEST__INIT;
	AUTO_FREE char *name = NULL;

	if (client_snapshotter(c, snapshotter, &name, err) < 0)
		return -1;
	request.snapshotter = name;
	request.key = key;
	return client_do(c, CLIENT_SNAPSHOTS_Remove, &request.base, err);
}

int ctrd_snapshot_remove(struct ctrd_client *c, const char *snapshotter, const char *key,
		struct ctrd_error **ret_error)
{
	AUTO_ERR struct err err = { 0 };

	return api_result(client_snapshot_remove(c, snapshotter, key, &err), &err, ret_error);
}
