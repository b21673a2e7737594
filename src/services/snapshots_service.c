/* SPDX-License-Identifier: Apache-2.0 */
#include "base/str.h"
#include "core/snapshot.h"
#include "services/services_priv.h"
#include "wire/wire_map.h"
#include "wire/wire_mount.h"
#include "wire/wire_snapshot.h"

#define LIST_BATCH 100

/* NULL and err when there is none of that name. */
static struct snapshotter *find(void *self, const char *name, struct err *err)
{
	const struct snapshots_service *s = self;

	if (str_is_empty(name)) {
		(void)err_set(err, ERR_INVALID, "snapshotter argument missing");
		return NULL;
	}
	for (size_t i = 0; i < s->count; i++)
		if (str_eq(s->list[i].name, name))
			return s->list[i].snapshotter;
	(void)err_set(err, ERR_INVALID, "snapshotter not loaded: %s", name);
	return NULL;
}

static enum call_fate prepare(struct call *call, void *self,
		const struct ProtobufCMessage *request, struct err *err)
{
	const Snapshots__PrepareSnapshotRequest *r = (const void *)request;
	Snapshots__PrepareSnapshotResponse answer = SNAPSHOTS__PREPARE_SNAPSHOT_RESPONSE__INIT;
	struct labels labels = wire_labels_in(call_arena(call), r->n_labels, r->labels);
	struct snapshotter *s = find(self, r->snapshotter, err);
	AUTO_MOUNTS struct mounts mounts = { 0 };

	if (s == NULL || snapshot_prepare(s, ctx_of(call), r->key, r->parent, &labels, &mounts,
					 err) < 0)
		return CALL_FAILED;
	answer.mounts = wire_mounts_out(call_arena(call), &mounts, &answer.n_mounts);
	return call_answer(call, &answer.base, err);
}

static enum call_fate view(struct call *call, void *self,
		const struct ProtobufCMessage *request, struct err *err)
{
	const Snapshots__ViewSnapshotRequest *r = (const void *)request;
	Snapshots__ViewSnapshotResponse answer = SNAPSHOTS__VIEW_SNAPSHOT_RESPONSE__INIT;
	struct labels labels = wire_labels_in(call_arena(call), r->n_labels, r->labels);
	struct snapshotter *s = find(self, r->snapshotter, err);
	AUTO_MOUNTS struct mounts mounts = { 0 };

	if (s == NULL || snapshot_view(s, ctx_of(call), r->key, r->parent, &labels, &mounts,
					 err) < 0)
		return CALL_FAILED;
	answer.mounts = wire_mounts_out(call_arena(call), &mounts, &answer.n_mounts);
	return call_answer(call, &answer.base, err);
}

static enum call_fate mounts_of(struct call *call, void *self,
		const struct ProtobufCMessage *request, struct err *err)
{
	const Snapshots__MountsRequest *r = (const void *)request;
	Snapshots__MountsResponse answer = SNAPSHOTS__MOUNTS_RESPONSE__INIT;
	struct snapshotter *s = find(self, r->snapshotter, err);
	AUTO_MOUNTS struct mounts mounts = { 0 };

	if (s == NULL || snapshot_mounts(s, ctx_of(call), r->key, &mounts, err) < 0)
		return CALL_FAILED;
	answer.mounts = wire_mounts_out(call_arena(call), &mounts, &answer.n_mounts);
	return call_answer(call, &answer.base, err);
}

static enum call_fate commit(struct call *call, void *self,
		const struct ProtobufCMessage *request, struct err *err)
{
	const Snapshots__CommitSnapshotRequest *r = (const void *)request;
	struct labels labels = wire_labels_in(call_arena(call), r->n_labels, r->labels);
	struct snapshotter *s = find(self, r->snapshotter, err);

	if (s == NULL)
		return CALL_FAILED;
	return answer_done(call,
			snapshot_commit(s, ctx_of(call), r->name, r->key, r->parent, &labels,
					err),
			err);
}

static enum call_fate remove_snapshot(struct call *call, void *self,
		const struct ProtobufCMessage *request, struct err *err)
{
	const Snapshots__RemoveSnapshotRequest *r = (const void *)request;
	struct snapshotter *s = find(self, r->snapshotter, err);

	if (s == NULL)
		return CALL_FAILED;
	return answer_done(call, snapshot_remove(s, ctx_of(call), r->key, err), err);
}

static enum call_fate stat_snapshot(struct call *call, void *self,
		const struct ProtobufCMessage *request, struct err *err)
{
	const Snapshots__StatSnapshotRequest *r = (const void *)request;
	Snapshots__StatSnapshotResponse answer = SNAPSHOTS__STAT_SNAPSHOT_RESPONSE__INIT;
	struct snapshotter *s = find(self, r->snapshotter, err);
	struct snapshot_info info = { 0 };

	if (s == NULL || snapshot_stat(s, ctx_of(call), r->key, &info, err) < 0)
		return CALL_FAILED;
	answer.info = wire_snapshot_info_out(call_arena(call), &info);
	snapshot_info_done(&info);
	return call_answer(call, &answer.base, err);
}

static enum call_fate update(struct call *call, void *self,
		const struct ProtobufCMessage *request, struct err *err)
{
	const Snapshots__UpdateSnapshotRequest *r = (const void *)request;
	Snapshots__UpdateSnapshotResponse answer = SNAPSHOTS__UPDATE_SNAPSHOT_RESPONSE__INIT;
	struct snapshotter *s = find(self, r->snapshotter, err);
	struct snapshot_info info, made = { 0 };

	if (s == NULL)
		return CALL_FAILED;
	if (r->info == NULL)
		return refuse_absent("info", err);
	info = wire_snapshot_info_in(call_arena(call), r->info);
	if (snapshot_update(s, ctx_of(call), &info,
			    wire_mask_in(call_arena(call), r->update_mask), &made, err) < 0)
		return CALL_FAILED;
	answer.info = wire_snapshot_info_out(call_arena(call), &made);
	snapshot_info_done(&made);
	return call_answer(call, &answer.base, err);
}

static int gather_info(void *arg, const struct snapshot_info *i, struct err *err)
{
	struct gather *g = arg;

	return gather_add(g, &wire_snapshot_info_out(g->arena, i)->base, err);
}

static enum call_fate list(struct call *call, void *self,
		const struct ProtobufCMessage *request, struct err *err)
{
	const Snapshots__ListSnapshotsRequest *r = (const void *)request;
	struct snapshotter *s = find(self, r->snapshotter, err);
	struct gather g = { .arena = call_arena(call) };
	char **filters = wire_strv_in(g.arena, r->n_filters, r->filters);

	if (s == NULL || snapshot_walk(s, ctx_of(call), filters, gather_info, &g, err) < 0)
		return CALL_FAILED;
	for (size_t i = 0; i < g.count; i += LIST_BATCH) {
		Snapshots__ListSnapshotsResponse m = SNAPSHOTS__LIST_SNAPSHOTS_RESPONSE__INIT;

		m.info = (Snapshots__Info **)g.items + i;
		m.n_info = g.count - i < LIST_BATCH ? g.count - i : LIST_BATCH;
		if (call_send(call, &m.base, err) < 0)
			return CALL_FAILED;
	}
	return CALL_OK;
}

static enum call_fate usage(struct call *call, void *self,
		const struct ProtobufCMessage *request, struct err *err)
{
	const Snapshots__UsageRequest *r = (const void *)request;
	Snapshots__UsageResponse answer = SNAPSHOTS__USAGE_RESPONSE__INIT;
	struct snapshotter *s = find(self, r->snapshotter, err);
	struct snapshot_usage u = { 0 };

	if (s == NULL || snapshot_usage(s, ctx_of(call), r->key, &u, err) < 0)
		return CALL_FAILED;
	answer.size = u.size;
	answer.inodes = u.inodes;
	return call_answer(call, &answer.base, err);
}

static enum call_fate cleanup(struct call *call, void *self,
		const struct ProtobufCMessage *request, struct err *err)
{
	const Snapshots__CleanupRequest *r = (const void *)request;
	struct snapshotter *s = find(self, r->snapshotter, err);

	if (s == NULL)
		return CALL_FAILED;
	if (s->ops->cleanup != NULL)
		return answer_done(call, snapshot_cleanup(s, ctx_of(call), err), err);
	(void)err_set(err, ERR_UNIMPLEMENTED, "snapshotter does not implement Cleanup method");
	return CALL_FAILED;
}

/* Each of them on the pool of the snapshotter that is asked for. */
#define MOVABLE(handler, type)                                                                 \
	static enum call_fate movable_##handler(struct call *call, void *self,                 \
			const struct ProtobufCMessage *request, struct err *err)               \
	{                                                                                      \
		const type *r = (const void *)request;                                         \
		const struct snapshotter *s = find(self, r->snapshotter, err);                 \
                                                                                               \
		if (s == NULL)                                                                 \
			return CALL_FAILED;                                                    \
		return on_pool(call, s->pool, handler, self, request, err);                    \
	}
MOVABLE(prepare, Snapshots__PrepareSnapshotRequest)
MOVABLE(view, Snapshots__ViewSnapshotRequest)
MOVABLE(mounts_of, Snapshots__MountsRequest)
MOVABLE(commit, Snapshots__CommitSnapshotRequest)
MOVABLE(remove_snapshot, Snapshots__RemoveSnapshotRequest)
MOVABLE(stat_snapshot, Snapshots__StatSnapshotRequest)
MOVABLE(update, Snapshots__UpdateSnapshotRequest)
MOVABLE(list, Snapshots__ListSnapshotsRequest)
MOVABLE(usage, Snapshots__UsageRequest)
MOVABLE(cleanup, Snapshots__CleanupRequest)

static const struct rpc_method methods[] = {
	UNARY("Prepare", RPC_ON_WORKER, snapshots__prepare_snapshot_request,
			snapshots__prepare_snapshot_response, movable_prepare),
	UNARY("View", RPC_ON_WORKER, snapshots__view_snapshot_request,
			snapshots__view_snapshot_response, movable_view),
	UNARY("Mounts", RPC_ON_LOOP, snapshots__mounts_request, snapshots__mounts_response,
			movable_mounts_of),
	TO_EMPTY("Commit", RPC_ON_WORKER | RPC_SLOW, snapshots__commit_snapshot_request,
			movable_commit),
	TO_EMPTY("Remove", RPC_ON_WORKER | RPC_SLOW, snapshots__remove_snapshot_request,
			movable_remove_snapshot),
	UNARY("Stat", RPC_ON_LOOP, snapshots__stat_snapshot_request,
			snapshots__stat_snapshot_response, movable_stat_snapshot),
	UNARY("Update", RPC_ON_WORKER, snapshots__update_snapshot_request,
			snapshots__update_snapshot_response, movable_update),
	SERVER_STREAM("List", RPC_ON_WORKER, snapshots__list_snapshots_request,
			snapshots__list_snapshots_response, movable_list),
	UNARY("Usage", RPC_ON_WORKER | RPC_SLOW, snapshots__usage_request,
			snapshots__usage_response, movable_usage),
	TO_EMPTY("Cleanup", RPC_ON_WORKER | RPC_SLOW, snapshots__cleanup_request,
			movable_cleanup),
};

const struct rpc_service snapshots_service = { "containerd.services.snapshots.v1.Snapshots",
	methods, ARRAY_LEN(methods) };
