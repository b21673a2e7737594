/* SPDX-License-Identifier: Apache-2.0 */
/* The store of sandbox records (reference 01 §4.8); what runs them is another service. */
#include "api/pb/sandbox.pb-c.h"
#include "base/str.h"
#include "core/sandbox.h"
#include "services/services_priv.h"
#include "wire/wire_map.h"
#include "wire/wire_sandbox.h"

static struct sandbox_store *store_of(void *self)
{
	return ((struct sandboxes_service *)self)->store;
}

static enum call_fate create(struct call *call, void *self,
		const struct ProtobufCMessage *request, struct err *err)
{
	const Sandbox__StoreCreateRequest *r = (const void *)request;
	Sandbox__StoreCreateResponse answer = SANDBOX__STORE_CREATE_RESPONSE__INIT;
	AUTO(sandbox_free) struct sandbox *made = NULL;
	struct sandbox s;

	if (r->sandbox == NULL)
		return refuse_absent("sandbox", err);
	if (r->sandbox->runtime == NULL)
		return refuse_absent("sandbox.runtime", err);
	s = wire_sandbox_in(call_arena(call), r->sandbox);
	if (sandbox_create(store_of(self), ctx_of(call), &s, &made, err) < 0)
		return CALL_FAILED;
	answer.sandbox = wire_sandbox_out(call_arena(call), made);
	return call_answer(call, &answer.base, err);
}

/* Without a list of fields the runtime is among what is replaced. */
static bool needs_runtime(const Sandbox__StoreUpdateRequest *r)
{
	for (size_t i = 0; i < r->n_fields; i++)
		if (str_eq(r->fields[i], "runtime"))
			return true;
	return r->n_fields == 0;
}

static enum call_fate update(struct call *call, void *self,
		const struct ProtobufCMessage *request, struct err *err)
{
	const Sandbox__StoreUpdateRequest *r = (const void *)request;
	Sandbox__StoreUpdateResponse answer = SANDBOX__STORE_UPDATE_RESPONSE__INIT;
	AUTO(sandbox_free) struct sandbox *made = NULL;
	struct sandbox s;

	if (r->sandbox == NULL)
		return refuse_absent("sandbox", err);
	if (r->sandbox->runtime == NULL && needs_runtime(r))
		return refuse_absent("sandbox.runtime", err);
	s = wire_sandbox_in(call_arena(call), r->sandbox);
	if (sandbox_update(store_of(self), ctx_of(call), &s,
			    wire_strv_in(call_arena(call), r->n_fields, r->fields), &made,
			    err) < 0)
		return CALL_FAILED;
	answer.sandbox = wire_sandbox_out(call_arena(call), made);
	return call_answer(call, &answer.base, err);
}

static enum call_fate delete (struct call *call, void *self,
		const struct ProtobufCMessage *request, struct err *err) {
	const Sandbox__StoreDeleteRequest *r = (const void *)request;
	Sandbox__StoreDeleteResponse answer = SANDBOX__STORE_DELETE_RESPONSE__INIT;

	if (sandbox_remove(store_of(self), ctx_of(call), r->sandbox_id, err) <
			0) return CALL_FAILED;
	return call_answer(call, &answer.base, err);
}

static int gather_sandbox(void *arg, const struct sandbox *s, struct err *err)
{
	struct gather *g = arg;

	return gather_add(g, &wire_sandbox_out(g->arena, s)->base, err);
}

static enum call_fate list(struct call *call, void *self,
		const struct ProtobufCMessage *request, struct err *err)
{
	const Sandbox__StoreListRequest *r = (const void *)request;
	Sandbox__StoreListResponse answer = SANDBOX__STORE_LIST_RESPONSE__INIT;
	struct gather g = { .arena = call_arena(call) };
	char **filters = wire_strv_in(g.arena, r->n_filters, r->filters);
	struct ctx ctx;

	if (!walk_begin(call, filters, &ctx))
		return call_to_worker(call, list, self, request, err);
	if (sandbox_list(store_of(self), &ctx, filters, gather_sandbox, &g, err) < 0)
		return walk_failed(call, list, self, request, err);
	answer.list = (Types__Sandbox **)g.items;
	answer.n_list = g.count;
	return call_answer(call, &answer.base, err);
}

static enum call_fate get(struct call *call, void *self, const struct ProtobufCMessage *request,
		struct err *err)
{
	const Sandbox__StoreGetRequest *r = (const void *)request;
	Sandbox__StoreGetResponse answer = SANDBOX__STORE_GET_RESPONSE__INIT;
	AUTO(sandbox_free) struct sandbox *s = NULL;

	if (sandbox_get(store_of(self), ctx_of(call), r->sandbox_id, &s, err) < 0)
		return CALL_FAILED;
	answer.sandbox = wire_sandbox_out(call_arena(call), s);
	return call_answer(call, &answer.base, err);
}

static const struct rpc_method methods[] = {
	UNARY("Create", RPC_ON_WORKER, sandbox__store_create_request,
			sandbox__store_create_response, create),
	UNARY("Update", RPC_ON_WORKER, sandbox__store_update_request,
			sandbox__store_update_response, update),
	UNARY("Delete", RPC_ON_WORKER, sandbox__store_delete_request,
			sandbox__store_delete_response, delete),
	UNARY("List", RPC_ON_LOOP, sandbox__store_list_request, sandbox__store_list_response,
			list),
	UNARY("Get", RPC_ON_LOOP, sandbox__store_get_request, sandbox__store_get_response, get),
};

const struct rpc_service sandboxes_service = { "containerd.services.sandbox.v1.Store", methods,
	ARRAY_LEN(methods) };
