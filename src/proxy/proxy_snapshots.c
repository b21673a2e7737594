/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/proxy_snapshots.h"

#include <stdlib.h>

#include "api/arena.h"
#include "api/pb/empty.pb-c.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/str.h"
#include "core/snapshot.h"
#include "proxy/proxy_link.h"
#include "rpc/channel.h"
#include "wire/wire_map.h"
#include "wire/wire_mount.h"
#include "wire/wire_snapshot.h"

#define SERVICE "containerd.services.snapshots.v1.Snapshots"

struct proxy_snapshotter {
	struct snapshotter base;
	struct proxy_link *link;
	char *name;
};

static struct proxy_snapshotter *proxy_of(struct snapshotter *self)
{
	return container_of(self, struct proxy_snapshotter, base);
}

static int call(struct snapshotter *self, struct ctx *ctx, const char *method,
		const ProtobufCMessage *request, const ProtobufCMessageDescriptor *response,
		struct arena *a, void *ret_response, struct err *err)
{
	return proxy_call(proxy_of(self)->link, ctx, SERVICE, method, request, response, a,
			ret_response, err);
}

/* For methods that answer nothing. */
static int tell(struct snapshotter *self, struct ctx *ctx, const char *method,
		const ProtobufCMessage *request, struct arena *a, struct err *err)
{
	Google__Protobuf__Empty *answer = NULL;

	return call(self, ctx, method, request, &google__protobuf__empty__descriptor, a,
			&answer, err);
}

/* Labels may be NULL. */
static void *labels_out(struct arena *a, const struct labels *labels,
		const ProtobufCMessageDescriptor *entry, size_t *ret_n)
{
	static const struct labels none;

	return wire_labels_out(a, labels == NULL ? &none : labels, entry, ret_n);
}

static int mounts_in(struct arena *a, size_t n, Types__Mount *const *list, const char *method,
		const char *key, struct mounts *ret_mounts, struct err *err)
{
	struct mounts view = wire_mounts_in(a, n, list);

	if (n == 0)
		return proxy_bad_answer(method, key, "no mounts", err);
	*ret_mounts = (struct mounts){ 0 };
	mounts_copy(ret_mounts, &view);
	return 0;
}

static int prepare(struct snapshotter *self, struct ctx *ctx, const char *key,
		const char *parent, const struct labels *labels, struct mounts *ret_mounts,
		struct err *err)
{
	Snapshots__PrepareSnapshotRequest r = SNAPSHOTS__PREPARE_SNAPSHOT_REQUEST__INIT;
	Snapshots__PrepareSnapshotResponse *answer = NULL;
	AUTO_ARENA struct arena a = { 0 };

	arena_init(&a, PROXY_ANSWER_MAX);
	r.snapshotter = proxy_of(self)->name;
	r.key = key;
	r.parent = str_or(parent, "");
	r.labels = labels_out(&a, labels,
			&snapshots__prepare_snapshot_request__labels_entry__descriptor,
			&r.n_labels);
	if (call(self, ctx, "Prepare", &r.base,
			    &snapshots__prepare_snapshot_response__descriptor, &a, &answer,
			    err) < 0)
		return -1;
	return mounts_in(&a, answer->n_mounts, answer->mounts, "Prepare", key, ret_mounts, err);
}

static int view(struct snapshotter *self, struct ctx *ctx, const char *key, const char *parent,
		const struct labels *labels, struct mounts *ret_mounts, struct err *err)
{
	Snapshots__ViewSnapshotRequest r = SNAPSHOTS__VIEW_SNAPSHOT_REQUEST__INIT;
	Snapshots__ViewSnapshotResponse *answer = NULL;
	AUTO_ARENA struct arena a = { 0 };

	arena_init(&a, PROXY_ANSWER_MAX);
	r.snapshotter = proxy_of(self)->name;
	r.key = key;
	r.parent = str_or(parent, "");
	r.labels = labels_out(&a, labels,
			&snapshots__view_snapshot_request__labels_entry__descriptor,
			&r.n_labels);
	if (call(self, ctx, "View", &r.base, &snapshots__view_snapshot_response__descriptor, &a,
			    &answer, err) < 0)
		return -1;
	return mounts_in(&a, answer->n_mounts, answer->mounts, "View", key, ret_mounts, err);
}

static int proxy_create(struct snapshotter *self, struct ctx *ctx, enum snapshot_kind kind,
		const char *key, const char *parent, const struct labels *labels,
		struct mounts *ret_mounts, struct err *err)
{
	if (kind == SNAPSHOT_VIEW)
		return view(self, ctx, key, parent, labels, ret_mounts, err);
	return prepare(self, ctx, key, parent, labels, ret_mounts, err);
}

static int proxy_mounts(struct snapshotter *self, struct ctx *ctx, const char *key,
		struct mounts *ret_mounts, struct err *err)
{
	Snapshots__MountsRequest r = SNAPSHOTS__MOUNTS_REQUEST__INIT;
	Snapshots__MountsResponse *answer = NULL;
	AUTO_ARENA struct arena a = { 0 };

	arena_init(&a, PROXY_ANSWER_MAX);
	r.snapshotter = proxy_of(self)->name;
	r.key = key;
	if (call(self, ctx, "Mounts", &r.base, &snapshots__mounts_response__descriptor, &a,
			    &answer, err) < 0)
		return -1;
	return mounts_in(&a, answer->n_mounts, answer->mounts, "Mounts", key, ret_mounts, err);
}

static int proxy_commit(struct snapshotter *self, struct ctx *ctx, const char *name,
		const char *key, const char *parent, const struct labels *labels,
		struct err *err)
{
	Snapshots__CommitSnapshotRequest r = SNAPSHOTS__COMMIT_SNAPSHOT_REQUEST__INIT;
	AUTO_ARENA struct arena a = { 0 };

	arena_init(&a, PROXY_ANSWER_MAX);
	r.snapshotter = proxy_of(self)->name;
	r.name = name;
	r.key = key;
	r.parent = str_or(parent, "");
	r.labels = labels_out(&a, labels,
			&snapshots__commit_snapshot_request__labels_entry__descriptor,
			&r.n_labels);
	return tell(self, ctx, "Commit", &r.base, &a, err);
}

static int proxy_remove(
		struct snapshotter *self, struct ctx *ctx, const char *key, struct err *err)
{
	Snapshots__RemoveSnapshotRequest r = SNAPSHOTS__REMOVE_SNAPSHOT_REQUEST__INIT;
	AUTO_ARENA struct arena a = { 0 };

	arena_init(&a, PROXY_ANSWER_MAX);
	r.snapshotter = proxy_of(self)->name;
	r.key = key;
	return tell(self, ctx, "Remove", &r.base, &a, err);
}

static int info_in(struct arena *a, const Snapshots__Info *pb, const char *method,
		const char *key, struct snapshot_info *ret_info, struct err *err)
{
	struct snapshot_info i;

	if (pb == NULL)
		return proxy_bad_answer(method, key, "no info", err);
	i = wire_snapshot_info_in(a, pb);
	*ret_info = (struct snapshot_info){ 0 };
	snapshot_info_copy(ret_info, &i);
	return 0;
}

static int proxy_stat(struct snapshotter *self, struct ctx *ctx, const char *key,
		struct snapshot_info *ret_info, struct err *err)
{
	Snapshots__StatSnapshotRequest r = SNAPSHOTS__STAT_SNAPSHOT_REQUEST__INIT;
	Snapshots__StatSnapshotResponse *answer = NULL;
	AUTO_ARENA struct arena a = { 0 };

	arena_init(&a, PROXY_ANSWER_MAX);
	r.snapshotter = proxy_of(self)->name;
	r.key = key;
	if (call(self, ctx, "Stat", &r.base, &snapshots__stat_snapshot_response__descriptor, &a,
			    &answer, err) < 0)
		return -1;
	return info_in(&a, answer->info, "Stat", key, ret_info, err);
}

static int proxy_update(struct snapshotter *self, struct ctx *ctx,
		const struct snapshot_info *info, char *const *fieldpaths,
		struct snapshot_info *ret_info, struct err *err)
{
	Snapshots__UpdateSnapshotRequest r = SNAPSHOTS__UPDATE_SNAPSHOT_REQUEST__INIT;
	Google__Protobuf__FieldMask mask = GOOGLE__PROTOBUF__FIELD_MASK__INIT;
	Snapshots__UpdateSnapshotResponse *answer = NULL;
	AUTO_ARENA struct arena a = { 0 };

	arena_init(&a, PROXY_ANSWER_MAX);
	r.snapshotter = proxy_of(self)->name;
	r.info = wire_snapshot_info_out(&a, info);
	mask.paths = (char **)wire_strv_out(&a, fieldpaths, &mask.n_paths);
	if (mask.n_paths > 0)
		r.update_mask = &mask;
	if (call(self, ctx, "Update", &r.base, &snapshots__update_snapshot_response__descriptor,
			    &a, &answer, err) < 0)
		return -1;
	return info_in(&a, answer->info, "Update", info->name, ret_info, err);
}

static int proxy_usage(struct snapshotter *self, struct ctx *ctx, const char *key,
		struct snapshot_usage *ret_usage, struct err *err)
{
	Snapshots__UsageRequest r = SNAPSHOTS__USAGE_REQUEST__INIT;
	Snapshots__UsageResponse *answer = NULL;
	AUTO_ARENA struct arena a = { 0 };

	arena_init(&a, PROXY_ANSWER_MAX);
	r.snapshotter = proxy_of(self)->name;
	r.key = key;
	if (call(self, ctx, "Usage", &r.base, &snapshots__usage_response__descriptor, &a,
			    &answer, err) < 0)
		return -1;
	*ret_usage = (struct snapshot_usage){ answer->size, answer->inodes };
	return 0;
}

static int show(const Snapshots__ListSnapshotsResponse *m, struct arena *a, snapshot_each each,
		void *arg, struct err *err)
{
	for (size_t i = 0; i < m->n_info; i++) {
		struct snapshot_info info = wire_snapshot_info_in(a, m->info[i]);

		if (each(arg, &info, err) < 0)
			return -1;
	}
	return 0;
}

static int proxy_walk(struct snapshotter *self, struct ctx *ctx, char *const *filters,
		snapshot_each each, void *arg, struct err *err)
{
	Snapshots__ListSnapshotsRequest r = SNAPSHOTS__LIST_SNAPSHOTS_REQUEST__INIT;
	const ProtobufCMessageDescriptor *type =
			&snapshots__list_snapshots_response__descriptor;
	AUTO(rpc_stream_free) struct rpc_stream *s = NULL;
	ProtobufCMessage *m = NULL;
	AUTO_ARENA struct arena a = { 0 };
	int more;

	arena_init(&a, PROXY_ANSWER_MAX);
	r.snapshotter = proxy_of(self)->name;
	r.filters = wire_strv_out(&a, filters, &r.n_filters);
	if (proxy_ask(proxy_of(self)->link, ctx, SERVICE, "List", &r.base, &s, err) < 0)
		return -1;
	arena_reset(&a);
	while ((more = rpc_stream_recv(s, type, &a, &m, err)) > 0) {
		if (show((const void *)m, &a, each, arg, err) < 0)
			return -1;
		arena_reset(&a);
	}
	return more;
}

static int proxy_cleanup(struct snapshotter *self, struct ctx *ctx, struct err *err)
{
	Snapshots__CleanupRequest r = SNAPSHOTS__CLEANUP_REQUEST__INIT;
	AUTO_ERR struct err inner = { 0 };
	AUTO_ARENA struct arena a = { 0 };

	arena_init(&a, PROXY_ANSWER_MAX);
	r.snapshotter = proxy_of(self)->name;
	if (tell(self, ctx, "Cleanup", &r.base, &a, &inner) == 0 ||
			inner.kind == ERR_UNIMPLEMENTED)
		return 0;
	return err_move(err, &inner);
}

static void proxy_free(struct snapshotter *self)
{
	struct proxy_snapshotter *p = proxy_of(self);

	proxy_link_unref(p->link);
	free(p->name);
	free(p);
}

static const struct snapshotter_ops proxy_ops = {
	.name = "proxy",
	.create = proxy_create,
	.mounts = proxy_mounts,
	.commit = proxy_commit,
	.remove = proxy_remove,
	.stat = proxy_stat,
	.update = proxy_update,
	.usage = proxy_usage,
	.walk = proxy_walk,
	.cleanup = proxy_cleanup,
	.free = proxy_free,
};

struct snapshotter *proxy_snapshotter_new(
		struct proxy_link *link, const char *name, struct pool *pool)
{
	struct proxy_snapshotter *p = xzalloc(sizeof(*p));

	p->base.ops = &proxy_ops;
	p->base.pool = pool;
	p->link = proxy_link_ref(link);
	p->name = xstrdup(name);
	return &p->base;
}
