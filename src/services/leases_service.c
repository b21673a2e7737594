/* SPDX-License-Identifier: Apache-2.0 */
#include "core/lease.h"
#include "services/services_priv.h"
#include "wire/wire_lease.h"
#include "wire/wire_map.h"

static struct lease_store *store_of(void *self)
{
	return ((struct leases_service *)self)->store;
}

static enum call_fate create(struct call *call, void *self,
		const struct ProtobufCMessage *request, struct err *err)
{
	const Leases__CreateRequest *r = (const void *)request;
	Leases__CreateResponse answer = LEASES__CREATE_RESPONSE__INIT;
	struct labels labels = wire_labels_in(call_arena(call), r->n_labels, r->labels);
	struct lease made = { 0 };

	if (lease_create(store_of(self), ctx_of(call), r->id, &labels, &made, err) < 0)
		return CALL_FAILED;
	answer.lease = wire_lease_out(call_arena(call), &made);
	lease_done(&made);
	return call_answer(call, &answer.base, err);
}

static enum call_fate delete (struct call *call, void *self,
		const struct ProtobufCMessage *request, struct err *err) {
	const Leases__DeleteRequest *r = (const void *)request;

	return answer_done(call,
			lease_remove(store_of(self), ctx_of(call), r->id, r->sync, err), err);
}

static int gather_lease(void *arg, const struct lease *l, struct err *err)
{
	struct gather *g = arg;

	return gather_add(g, &wire_lease_out(g->arena, l)->base, err);
}

static enum call_fate list(struct call *call, void *self,
		const struct ProtobufCMessage *request, struct err *err)
{
	const Leases__ListRequest *r = (const void *)request;
	Leases__ListResponse answer = LEASES__LIST_RESPONSE__INIT;
	struct gather g = { .arena = call_arena(call) };
	char **filters = wire_strv_in(g.arena, r->n_filters, r->filters);
	struct ctx ctx;

	if (!walk_begin(call, filters, &ctx))
		return call_to_worker(call, list, self, request, err);
	if (lease_list(store_of(self), &ctx, filters, gather_lease, &g, err) < 0)
		return walk_failed(call, list, self, request, err);
	answer.leases = (Leases__Lease **)g.items;
	answer.n_leases = g.count;
	return call_answer(call, &answer.base, err);
}

static enum call_fate add_resource(struct call *call, void *self,
		const struct ProtobufCMessage *request, struct err *err)
{
	const Leases__AddResourceRequest *r = (const void *)request;

	if (r->resource == NULL)
		return refuse_absent("resource", err);
	return answer_done(call,
			lease_add_resource(store_of(self), ctx_of(call), r->id,
					r->resource->type, r->resource->id, err),
			err);
}

static enum call_fate delete_resource(struct call *call, void *self,
		const struct ProtobufCMessage *request, struct err *err)
{
	const Leases__DeleteResourceRequest *r = (const void *)request;

	if (r->resource == NULL)
		return refuse_absent("resource", err);
	return answer_done(call,
			lease_remove_resource(store_of(self), ctx_of(call), r->id,
					r->resource->type, r->resource->id, err),
			err);
}

static int gather_resource(void *arg, const char *type, const char *id, struct err *err)
{
	struct gather *g = arg;
	Leases__Resource *pb = ARENA_NEW(g->arena, Leases__Resource, leases__resource);

	pb->type = arena_strdup(g->arena, type);
	pb->id = arena_strdup(g->arena, id);
	return gather_add(g, &pb->base, err);
}

static enum call_fate list_resources(struct call *call, void *self,
		const struct ProtobufCMessage *request, struct err *err)
{
	const Leases__ListResourcesRequest *r = (const void *)request;
	Leases__ListResourcesResponse answer = LEASES__LIST_RESOURCES_RESPONSE__INIT;
	struct gather g = { .arena = call_arena(call) };
	struct ctx ctx;

	if (!walk_begin(call, NULL, &ctx))
		return call_to_worker(call, list_resources, self, request, err);
	if (lease_resources(store_of(self), &ctx, r->id, gather_resource, &g, err) < 0)
		return walk_failed(call, list_resources, self, request, err);
	answer.resources = (Leases__Resource **)g.items;
	answer.n_resources = g.count;
	return call_answer(call, &answer.base, err);
}

static const struct rpc_method methods[] = {
	UNARY("Create", RPC_ON_WORKER, leases__create_request, leases__create_response, create),
	UNARY("List", RPC_ON_LOOP, leases__list_request, leases__list_response, list),
	TO_EMPTY("Delete", RPC_ON_WORKER | RPC_SLOW, leases__delete_request, delete),
	TO_EMPTY("AddResource", RPC_ON_WORKER, leases__add_resource_request, add_resource),
	TO_EMPTY("DeleteResource", RPC_ON_WORKER, leases__delete_resource_request,
			delete_resource),
	UNARY("ListResources", RPC_ON_LOOP, leases__list_resources_request,
			leases__list_resources_response, list_resources),
};

const struct rpc_service leases_service = { "containerd.services.leases.v1.Leases", methods,
	ARRAY_LEN(methods) };
