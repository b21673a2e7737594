/* SPDX-License-Identifier: Apache-2.0 */
#include "core/namespace.h"
#include "services/services_priv.h"
#include "wire/wire_lease.h"
#include "wire/wire_map.h"

static struct namespace_store *store_of(void *self)
{
	return ((struct namespaces_service *)self)->store;
}

static enum call_fate get(struct call *call, void *self, const struct ProtobufCMessage *request,
		struct err *err)
{
	const Namespaces__GetNamespaceRequest *r = (const void *)request;
	Namespaces__GetNamespaceResponse answer = NAMESPACES__GET_NAMESPACE_RESPONSE__INIT;
	AUTO_LABELS struct labels labels = { 0 };

	if (namespace_labels(store_of(self), ctx_of(call), r->name, &labels, err) < 0)
		return CALL_FAILED;
	answer.namespace_ = wire_namespace_out(call_arena(call), r->name, &labels);
	return call_answer(call, &answer.base, err);
}

static int gather_namespace(
		void *arg, const char *name, const struct labels *labels, struct err *err)
{
	struct gather *g = arg;

	return gather_add(g, &wire_namespace_out(g->arena, name, labels)->base, err);
}

/* The request's filter is ignored, as in the original. */
static enum call_fate list(struct call *call, void *self,
		const struct ProtobufCMessage *request, struct err *err)
{
	Namespaces__ListNamespacesResponse answer = NAMESPACES__LIST_NAMESPACES_RESPONSE__INIT;
	struct gather g = { .arena = call_arena(call) };
	struct ctx ctx;

	if (!walk_begin(call, NULL, &ctx))
		return call_to_worker(call, list, self, request, err);
	if (namespace_list(store_of(self), &ctx, gather_namespace, &g, err) < 0)
		return walk_failed(call, list, self, request, err);
	answer.namespaces = (Namespaces__Namespace **)g.items;
	answer.n_namespaces = g.count;
	return call_answer(call, &answer.base, err);
}

/* The answer repeats the request, labels that were not stored included. */
static enum call_fate create(struct call *call, void *self,
		const struct ProtobufCMessage *request, struct err *err)
{
	const Namespaces__CreateNamespaceRequest *r = (const void *)request;
	Namespaces__CreateNamespaceResponse answer =
			NAMESPACES__CREATE_NAMESPACE_RESPONSE__INIT;
	struct labels labels;

	if (r->namespace_ == NULL)
		return refuse_absent("namespace", err);
	labels = wire_labels_in(
			call_arena(call), r->namespace_->n_labels, r->namespace_->labels);
	if (namespace_create(store_of(self), ctx_of(call), r->namespace_->name, &labels, err) <
			0)
		return CALL_FAILED;
	answer.namespace_ = r->namespace_;
	return call_answer(call, &answer.base, err);
}

/* The answer carries no namespace: clients have learnt to live with that. */
static enum call_fate update(struct call *call, void *self,
		const struct ProtobufCMessage *request, struct err *err)
{
	const Namespaces__UpdateNamespaceRequest *r = (const void *)request;
	Namespaces__UpdateNamespaceResponse answer =
			NAMESPACES__UPDATE_NAMESPACE_RESPONSE__INIT;
	struct labels labels;

	if (r->namespace_ == NULL)
		return refuse_absent("namespace", err);
	labels = wire_labels_in(
			call_arena(call), r->namespace_->n_labels, r->namespace_->labels);
	if (namespace_update(store_of(self), ctx_of(call), r->namespace_->name, &labels,
			    wire_mask_in(call_arena(call), r->update_mask), err) < 0)
		return CALL_FAILED;
	return call_answer(call, &answer.base, err);
}

static enum call_fate delete (struct call *call, void *self,
		const struct ProtobufCMessage *request, struct err *err) {
	const Namespaces__DeleteNamespaceRequest *r = (const void *)request;

	return answer_done(call, namespace_remove(store_of(self), ctx_of(call), r->name, err),
			err);
}

static const struct rpc_method methods[] = {
	UNARY("Get", RPC_ON_LOOP, namespaces__get_namespace_request,
			namespaces__get_namespace_response, get),
	UNARY("List", RPC_ON_LOOP, namespaces__list_namespaces_request,
			namespaces__list_namespaces_response, list),
	UNARY("Create", RPC_ON_WORKER, namespaces__create_namespace_request,
			namespaces__create_namespace_response, create),
	UNARY("Update", RPC_ON_WORKER, namespaces__update_namespace_request,
			namespaces__update_namespace_response, update),
	TO_EMPTY("Delete", RPC_ON_WORKER, namespaces__delete_namespace_request, delete),
};

const struct rpc_service namespaces_service = { "containerd.services.namespaces.v1.Namespaces",
	methods, ARRAY_LEN(methods) };
