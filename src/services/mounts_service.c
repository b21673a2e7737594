/* SPDX-License-Identifier: Apache-2.0 */
/* Mounts that the daemon makes by name (reference 01 §10.4). */
#include "api/pb/mounts.pb-c.h"
#include "core/mount_manager.h"
#include "services/services_priv.h"
#include "wire/wire_activation.h"
#include "wire/wire_map.h"
#include "wire/wire_mount.h"

static struct mount_manager *manager_of(void *self)
{
	return ((struct mounts_service *)self)->manager;
}

static enum call_fate activate(struct call *call, void *self,
		const struct ProtobufCMessage *request, struct err *err)
{
	const Mounts__ActivateRequest *r = (const void *)request;
	Mounts__ActivateResponse answer = MOUNTS__ACTIVATE_RESPONSE__INIT;
	struct mounts mounts = wire_mounts_in(call_arena(call), r->n_mounts, r->mounts);
	struct labels labels = wire_labels_in(call_arena(call), r->n_labels, r->labels);
	AUTO_ACTIVATION struct activation made = { 0 };
	struct mount_activate a = {
		.name = r->name, .mounts = &mounts, .labels = &labels, .temporary = r->temporary
	};

	if (mount_manager_activate(manager_of(self), ctx_of(call), &a, &made, err) < 0)
		return CALL_FAILED;
	answer.info = wire_activation_out(call_arena(call), &made);
	return call_answer(call, &answer.base, err);
}

static enum call_fate deactivate(struct call *call, void *self,
		const struct ProtobufCMessage *request, struct err *err)
{
	const Mounts__DeactivateRequest *r = (const void *)request;

	return answer_done(call,
			mount_manager_deactivate(manager_of(self), ctx_of(call), r->name, err),
			err);
}

static enum call_fate info(struct call *call, void *self,
		const struct ProtobufCMessage *request, struct err *err)
{
	const Mounts__InfoRequest *r = (const void *)request;
	Mounts__InfoResponse answer = MOUNTS__INFO_RESPONSE__INIT;
	AUTO_ACTIVATION struct activation found = { 0 };

	if (mount_manager_info(manager_of(self), ctx_of(call), r->name, &found, err) < 0)
		return CALL_FAILED;
	answer.info = wire_activation_out(call_arena(call), &found);
	return call_answer(call, &answer.base, err);
}

/* As in the original. */
static enum call_fate update(struct call *call, void *self,
		const struct ProtobufCMessage *request, struct err *err)
{
	(void)err_set(err, ERR_UNIMPLEMENTED, "%s", "");
	return CALL_FAILED;
}

static int gather_activation(void *arg, const struct activation *a, struct err *err)
{
	struct gather *g = arg;

	return gather_add(g, &wire_activation_out(g->arena, a)->base, err);
}

/* Filters are for nothing, as in the original. */
static enum call_fate list(struct call *call, void *self,
		const struct ProtobufCMessage *request, struct err *err)
{
	struct gather g = { .arena = call_arena(call) };

	if (mount_manager_list(manager_of(self), ctx_of(call), gather_activation, &g, err) < 0)
		return CALL_FAILED;
	for (size_t i = 0; i < g.count; i++) {
		Mounts__ListMessage m = MOUNTS__LIST_MESSAGE__INIT;

		m.info = g.items[i];
		if (call_send(call, &m.base, err) < 0)
			return CALL_FAILED;
	}
	return CALL_OK;
}

static const struct rpc_method methods[] = {
	UNARY("Activate", RPC_ON_WORKER | RPC_SLOW, mounts__activate_request,
			mounts__activate_response, activate),
	TO_EMPTY("Deactivate", RPC_ON_WORKER | RPC_SLOW, mounts__deactivate_request,
			deactivate),
	UNARY("Info", RPC_ON_LOOP, mounts__info_request, mounts__info_response, info),
	UNARY("Update", RPC_ON_LOOP, mounts__update_request, mounts__update_response, update),
	SERVER_STREAM("List", RPC_ON_WORKER, mounts__list_request, mounts__list_message, list),
};

const struct rpc_service mounts_service = { "containerd.services.mounts.v1.Mounts", methods,
	ARRAY_LEN(methods) };
