/* SPDX-License-Identifier: Apache-2.0 */
#include "base/str.h"
#include "core/container.h"
#include "services/services_priv.h"
#include "wire/wire_container.h"
#include "wire/wire_map.h"

static struct container_store *store_of(void *self)
{
	return ((struct containers_service *)self)->store;
}

static enum call_fate get(struct call *call, void *self, const struct ProtobufCMessage *request,
		struct err *err)
{
	const Containers__GetContainerRequest *r = (const void *)request;
	Containers__GetContainerResponse answer = CONTAINERS__GET_CONTAINER_RESPONSE__INIT;
	AUTO(container_free) struct container *c = NULL;

	if (container_get(store_of(self), ctx_of(call), r->id, &c, err) < 0)
		return CALL_FAILED;
	answer.container = wire_container_out(call_arena(call), c);
	return call_answer(call, &answer.base, err);
}

static int pack_container(void *arg, const struct container *c, struct err *err)
{
	call_pack(arg, 1, wire_container_put, c);
	return 0;
}

static enum call_fate list(struct call *call, void *self,
		const struct ProtobufCMessage *request, struct err *err)
{
	const Containers__ListContainersRequest *r = (const void *)request;
	char **filters = wire_strv_in(call_arena(call), r->n_filters, r->filters);
	struct ctx ctx;

	if (!walk_begin(call, filters, &ctx))
		return call_to_worker(call, list, self, request, err);
	if (container_list(store_of(self), &ctx, filters, pack_container, call, err) < 0)
		return walk_failed(call, list, self, request, err);
	return call_answer_packed(call, err);
}

static int gather_id(void *arg, const struct container *c, struct err *err)
{
	strv_add(arg, c->id);
	return 0;
}

static int send_container(struct call *call, struct container_store *store, const char *id,
		struct err *err)
{
	AUTO(container_free) struct container *c = NULL;
	AUTO_ARENA struct arena a = { 0 };
	Containers__ListContainerMessage message = CONTAINERS__LIST_CONTAINER_MESSAGE__INIT;

	if (container_get(store, ctx_of(call), id, &c, err) < 0) {
		if (err->kind != ERR_NOT_FOUND)
			return -1;
		err_clear(err); /* deleted since we listed it */
		return 0;
	}
	arena_init(&a, SIZE_MAX);
	message.container = wire_container_out(&a, c);
	return call_send(call, &message.base, err);
}

/* Ids first, then one record at a time: a slow client must not hold a walk over the store, and
 * the records together may be large. */
static enum call_fate list_stream(struct call *call, void *self,
		const struct ProtobufCMessage *request, struct err *err)
{
	const Containers__ListContainersRequest *r = (const void *)request;
	char **filters = wire_strv_in(call_arena(call), r->n_filters, r->filters);
	AUTO_STRV char **ids = NULL;

	if (container_list(store_of(self), ctx_of(call), filters, gather_id, &ids, err) < 0)
		return CALL_FAILED;
	for (size_t i = 0; ids != NULL && ids[i] != NULL; i++)
		if (send_container(call, store_of(self), ids[i], err) < 0)
			return CALL_FAILED;
	return CALL_OK;
}

static enum call_fate create(struct call *call, void *self,
		const struct ProtobufCMessage *request, struct err *err)
{
	const Containers__CreateContainerRequest *r = (const void *)request;
	Containers__CreateContainerResponse answer =
			CONTAINERS__CREATE_CONTAINER_RESPONSE__INIT;
	AUTO(container_free) struct container *made = NULL;
	struct container c;

	if (r->container == NULL)
		return refuse_absent("container", err);
	c = wire_container_in(call_arena(call), r->container);
	if (container_create(store_of(self), ctx_of(call), &c, &made, err) < 0)
		return CALL_FAILED;
	answer.container = wire_container_out(call_arena(call), made);
	return call_answer(call, &answer.base, err);
}

static enum call_fate update(struct call *call, void *self,
		const struct ProtobufCMessage *request, struct err *err)
{
	const Containers__UpdateContainerRequest *r = (const void *)request;
	Containers__UpdateContainerResponse answer =
			CONTAINERS__UPDATE_CONTAINER_RESPONSE__INIT;
	AUTO(container_free) struct container *made = NULL;
	struct container c;

	if (r->container == NULL)
		return refuse_absent("container", err);
	c = wire_container_in(call_arena(call), r->container);
	if (container_update(store_of(self), ctx_of(call), &c,
			    wire_mask_in(call_arena(call), r->update_mask), &made, err) < 0)
		return CALL_FAILED;
	answer.container = wire_container_out(call_arena(call), made);
	return call_answer(call, &answer.base, err);
}

static enum call_fate delete (struct call *call, void *self,
		const struct ProtobufCMessage *request, struct err *err) {
	const Containers__DeleteContainerRequest *r = (const void *)request;

	return answer_done(
			call, container_remove(store_of(self), ctx_of(call), r->id, err), err);
}

static const struct rpc_method methods[] = {
	UNARY("Get", RPC_ON_LOOP, containers__get_container_request,
			containers__get_container_response, get),
	UNARY("List", RPC_ON_LOOP, containers__list_containers_request,
			containers__list_containers_response, list),
	SERVER_STREAM("ListStream", RPC_ON_WORKER, containers__list_containers_request,
			containers__list_container_message, list_stream),
	UNARY("Create", RPC_ON_WORKER, containers__create_container_request,
			containers__create_container_response, create),
	UNARY("Update", RPC_ON_WORKER, containers__update_container_request,
			containers__update_container_response, update),
	TO_EMPTY("Delete", RPC_ON_WORKER, containers__delete_container_request, delete),
};

const struct rpc_service containers_service = { "containerd.services.containers.v1.Containers",
	methods, ARRAY_LEN(methods) };
