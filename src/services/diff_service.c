/* SPDX-License-Identifier: Apache-2.0 */
#include "api/pb/diff.pb-c.h"
#include "api/timestamp.h"
#include "core/diff.h"
#include "services/services_priv.h"
#include "wire/wire_image.h"
#include "wire/wire_map.h"
#include "wire/wire_mount.h"

/* True if the next differ may be asked: there is one, and this one did not know what to do. */
static bool try_next(const struct diff_service *s, size_t i, int rc, struct err *err)
{
	if (rc == 0 || err->kind != ERR_UNIMPLEMENTED || i + 1 >= s->count)
		return false;
	err_clear(err);
	return true;
}

static int apply_by_any(const struct diff_service *s, struct call *call,
		const struct descriptor *layer, const struct mounts *mounts,
		const struct diff_apply_options *options, struct descriptor *ret_applied,
		struct err *err)
{
	int rc;
	size_t i = 0;

	if (s->count == 0)
		return err_set(err, ERR_UNIMPLEMENTED, "no differ");
	do
		rc = diff_apply(s->differs[i], ctx_of(call), layer, mounts, options,
				ret_applied, err);
	while (try_next(s, i++, rc, err));
	return rc;
}

static enum call_fate apply(struct call *call, void *self,
		const struct ProtobufCMessage *request, struct err *err)
{
	const struct diff_service *s = self;
	const Diff__ApplyRequest *r = (const void *)request;
	Diff__ApplyResponse answer = DIFF__APPLY_RESPONSE__INIT;
	struct anys payloads = wire_anys_in(call_arena(call), r->n_payloads, r->payloads);
	struct diff_apply_options options = { s->sync_fs || r->sync_fs, &payloads };
	struct mounts mounts = wire_mounts_in(call_arena(call), r->n_mounts, r->mounts);
	struct descriptor layer, applied = { 0 };

	if (r->diff == NULL)
		return refuse_absent("diff", err);
	layer = wire_descriptor_in(call_arena(call), r->diff);
	if (apply_by_any(s, call, &layer, &mounts, &options, &applied, err) < 0)
		return CALL_FAILED;
	answer.applied = wire_descriptor_out(call_arena(call), &applied);
	descriptor_done(&applied);
	return call_answer(call, &answer.base, err);
}

static int compare_by_any(const struct diff_service *s, struct call *call,
		const struct mounts *left, const struct mounts *right,
		const struct diff_create_options *options, struct descriptor *ret_diff,
		struct err *err)
{
	int rc;
	size_t i = 0;

	if (s->count == 0)
		return err_set(err, ERR_UNIMPLEMENTED, "no differ");
	do
		rc = diff_compare(s->differs[i], ctx_of(call), left, right, options, ret_diff,
				err);
	while (try_next(s, i++, rc, err));
	return rc;
}

static enum call_fate compare(struct call *call, void *self,
		const struct ProtobufCMessage *request, struct err *err)
{
	const struct diff_service *s = self;
	const Diff__DiffRequest *r = (const void *)request;
	Diff__DiffResponse answer = DIFF__DIFF_RESPONSE__INIT;
	struct labels labels = wire_labels_in(call_arena(call), r->n_labels, r->labels);
	struct diff_create_options options = { .media_type = r->media_type,
		.ref = r->ref,
		.labels = &labels,
		.source_date_epoch_ns = timestamp_ns(r->source_date_epoch) };
	struct mounts left = wire_mounts_in(call_arena(call), r->n_left, r->left);
	struct mounts right = wire_mounts_in(call_arena(call), r->n_right, r->right);
	struct descriptor made = { 0 };

	if (compare_by_any(s, call, &left, &right, &options, &made, err) < 0)
		return CALL_FAILED;
	answer.diff = wire_descriptor_out(call_arena(call), &made);
	descriptor_done(&made);
	return call_answer(call, &answer.base, err);
}

/* Differs are asked one after the other on one thread: if any of them may wait long, on its. */
static struct pool *pool_of(const struct diff_service *s)
{
	for (size_t i = 0; i < s->count; i++)
		if (s->differs[i]->pool != NULL)
			return s->differs[i]->pool;
	return NULL;
}

static enum call_fate movable_apply(struct call *call, void *self,
		const struct ProtobufCMessage *request, struct err *err)
{
	return on_pool(call, pool_of(self), apply, self, request, err);
}

static enum call_fate movable_compare(struct call *call, void *self,
		const struct ProtobufCMessage *request, struct err *err)
{
	return on_pool(call, pool_of(self), compare, self, request, err);
}

static const struct rpc_method methods[] = {
	UNARY("Apply", RPC_ON_DATA | RPC_SLOW, diff__apply_request, diff__apply_response,
			movable_apply),
	UNARY("Diff", RPC_ON_DATA | RPC_SLOW, diff__diff_request, diff__diff_response,
			movable_compare),
};

const struct rpc_service diff_service = { "containerd.services.diff.v1.Diff", methods,
	ARRAY_LEN(methods) };
