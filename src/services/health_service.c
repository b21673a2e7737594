/* SPDX-License-Identifier: Apache-2.0 */
/* The one thing that is served is the daemon, under the name ""; it serves or is not there. */
#include <stdlib.h>

#include "api/pb/health.pb-c.h"
#include "base/auto.h"
#include "base/cancel.h"
#include "base/mem.h"
#include "base/str.h"
#include "services/services_priv.h"

#define SERVING		HEALTH__HEALTH_CHECK_RESPONSE__SERVING_STATUS__SERVING
#define SERVICE_UNKNOWN HEALTH__HEALTH_CHECK_RESPONSE__SERVING_STATUS__SERVICE_UNKNOWN

/* More than any answer of ours: a watch sends one message in its life. */
#define WATCH_QUEUE 4096

static enum call_fate check(struct call *call, void *self,
		const struct ProtobufCMessage *request, struct err *err)
{
	const Health__HealthCheckRequest *r = (const void *)request;
	Health__HealthCheckResponse answer = HEALTH__HEALTH_CHECK_RESPONSE__INIT;

	if (!str_is_empty(r->service)) {
		(void)err_plain(err, ERR_NOT_FOUND, "unknown service");
		return CALL_FAILED;
	}
	answer.status = SERVING;
	return call_answer(call, &answer.base, err);
}

static enum call_fate list(struct call *call, void *self,
		const struct ProtobufCMessage *request, struct err *err)
{
	Health__HealthListResponse answer = HEALTH__HEALTH_LIST_RESPONSE__INIT;
	Health__HealthListResponse__StatusesEntry entry =
			HEALTH__HEALTH_LIST_RESPONSE__STATUSES_ENTRY__INIT;
	Health__HealthListResponse__StatusesEntry *entries[] = { &entry };
	Health__HealthCheckResponse status = HEALTH__HEALTH_CHECK_RESPONSE__INIT;

	status.status = SERVING;
	entry.key = "";
	entry.value = &status;
	answer.statuses = entries;
	answer.n_statuses = 1;
	return call_answer(call, &answer.base, err);
}

/* A watch: nothing ever changes, so it only waits for the client to go. */
struct watch {
	struct cancel_hook hook;
	struct call *call;
};

static void watch_free(struct watch *w)
{
	if (w == NULL)
		return;
	call_unref(w->call);
	free(w);
}
DEFINE_AUTO(struct watch *, watch_free)

static void client_gone(struct cancel_hook *hook)
{
	AUTO(watch_free) struct watch *w = container_of(hook, struct watch, hook);
	AUTO_ERR struct err err = { 0 };

	(void)err_set(&err, ERR_CANCELED, "%s", "");
	call_finish(w->call, &err);
}

static enum call_fate watch(struct call *call, void *self,
		const struct ProtobufCMessage *request, struct err *err)
{
	const Health__HealthCheckRequest *r = (const void *)request;
	Health__HealthCheckResponse answer = HEALTH__HEALTH_CHECK_RESPONSE__INIT;
	AUTO(watch_free) struct watch *w = xzalloc(sizeof(*w));

	answer.status = str_is_empty(r->service) ? SERVING : SERVICE_UNKNOWN;
	w->hook.fired = client_gone;
	w->call = call_ref(call);
	if (!call_try_send(call, &answer.base, WATCH_QUEUE) ||
			!cancel_hook_add(call_ctx(call)->cancel, &w->hook)) {
		(void)err_set(err, ERR_CANCELED, "%s", "");
		return CALL_FAILED;
	}
	take_ptr(w); /* the hook has it now */
	return CALL_PARKED;
}

static const struct rpc_method methods[] = {
	UNARY("Check", RPC_ON_LOOP, health__health_check_request, health__health_check_response,
			check),
	UNARY("List", RPC_ON_LOOP, health__health_list_request, health__health_list_response,
			list),
	SERVER_STREAM("Watch", RPC_ON_LOOP | RPC_AGAIN, health__health_check_request,
			health__health_check_response, watch),
};

const struct rpc_service health_service = { "grpc.health.v1.Health", methods,
	ARRAY_LEN(methods) };
