/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sandbox controllers by name (reference 01 §10.1). All but Create are questions to whoever
 * runs the sandbox: the call is parked.
 */
#include "api/pb/event.pb-c.h"
#include "api/pb/sandbox.pb-c.h"
#include "api/timestamp.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/str.h"
#include "core/event.h"
#include "core/sandbox.h"
#include "core/sandbox_controller.h"
#include "services/services_priv.h"
#include "wire/wire_event.h"
#include "wire/wire_map.h"
#include "wire/wire_mount.h"
#include "wire/wire_sandbox.h"

/* The class stands in front, as in the original. */
static struct sandbox_controller *find(
		const struct controllers_service *s, const char *name, struct err *err)
{
	for (size_t i = 0; i < s->count; i++)
		if (str_eq(s->list[i].name, name))
			return s->list[i].controller;
	if (str_is_empty(name))
		(void)err_plain(err, ERR_INVALID,
				"invalid argument: sandbox controller name can not be empty");
	else
		(void)err_plain(err, ERR_NOT_FOUND,
				"not found: failed to get sandbox controller by %s", name);
	return NULL;
}

static void publish(const struct controllers_service *s, const struct ctx *ctx,
		const char *topic, const ProtobufCMessage *message)
{
	AUTO_ERR struct err err = { 0 };
	AUTO_ANY struct any payload = { 0 };
	struct ctx of_call = { .ns = ctx->ns };

	wire_payload(message, &payload);
	if (event_publish(s->bus, &of_call, topic, &payload, &err) < 0)
		log_warn(ctx, "publish %s: %s (ignored)", topic, err_text(&err));
}

static void publish_create(
		const struct controllers_service *s, const struct ctx *ctx, const char *id)
{
	Event__SandboxCreate e = EVENT__SANDBOX_CREATE__INIT;

	e.sandbox_id = id;
	publish(s, ctx, "/sandboxes/create", &e.base);
}

static enum call_fate create_here(struct call *call, void *self,
		const struct ProtobufCMessage *request, struct err *err)
{
	const Sandbox__ControllerCreateRequest *r = (const void *)request;
	Sandbox__ControllerCreateResponse answer = SANDBOX__CONTROLLER_CREATE_RESPONSE__INIT;
	struct arena *a = call_arena(call);
	struct sandbox sandbox = { .id = (char *)r->sandbox_id, .runtime_name = (char *)"" };
	struct mounts rootfs = wire_mounts_in(a, r->n_rootfs, r->rootfs);
	struct labels annotations = wire_labels_in(a, r->n_annotations, r->annotations);
	struct any options = wire_any_in(r->options);
	struct sandbox_create in = { &sandbox, &rootfs, &options, r->netns_path, &annotations };
	struct sandbox_controller *c = find(self, r->sandboxer, err);

	if (c == NULL)
		return CALL_FAILED;
	if (r->sandbox != NULL)
		sandbox = wire_sandbox_in(a, r->sandbox);
	if (sandbox_controller_create(c, ctx_of(call), &in, err) < 0)
		return CALL_FAILED;
	publish_create(self, call_ctx(call), r->sandbox_id);
	answer.sandbox_id = r->sandbox_id;
	return call_answer(call, &answer.base, err);
}

static enum call_fate create(struct call *call, void *self,
		const struct ProtobufCMessage *request, struct err *err)
{
	const struct controllers_service *s = self;
	const Sandbox__ControllerCreateRequest *r = (const void *)request;
	struct sandbox_controller *c = find(self, r->sandboxer, err);

	if (c == NULL)
		return CALL_FAILED;
	if (r->sandbox != NULL && r->sandbox->runtime == NULL)
		return refuse_absent("sandbox.runtime", err);
	return on_pool(call, c->pool != NULL ? c->pool : s->creators, create_here, self,
			request, err);
}

/* Packs what a verb answers, and tells of it; on the thread that brought the answer. */
struct parked;
typedef enum call_fate (*answer_fn)(
		struct parked *p, const struct sandbox_reply *reply, struct err *err);

struct parked { /* in the call's arena */
	struct call *call;
	const struct controllers_service *service;
	struct sandbox_controller *controller;
	struct sandbox_request request;
	answer_fn answer;
};

/* The original says which sandbox it was only here. */
static void fail(struct parked *p, const struct err *failure)
{
	AUTO_FREE char *quoted = str_quote(p->request.id);
	AUTO_ERR struct err err = { 0 };

	if (p->request.verb != SANDBOX_START) {
		call_finish(p->call, failure);
		return;
	}
	(void)err_plain(&err, failure->kind, "failed to start sandbox %s: %s", quoted,
			err_text(failure));
	call_finish(p->call, &err);
}

static void answered(void *arg, const struct sandbox_reply *reply, const struct err *failure)
{
	struct parked *p = arg;
	AUTO(call_unref) struct call *call = p->call;
	AUTO_ERR struct err err = { 0 };

	if (failure != NULL)
		fail(p, failure);
	else if (p->answer(p, reply, &err) == CALL_FAILED)
		call_finish(call, &err);
	else
		call_finish(call, NULL);
}

static enum call_fate ask(struct call *call, void *self, const struct ProtobufCMessage *request,
		struct err *err)
{
	struct parked *p = self;

	p->call = call_ref(call);
	sandbox_controller_call(p->controller, ctx_of(call), &p->request, answered, p);
	return CALL_PARKED;
}

static enum call_fate park(struct call *call, void *self, const char *sandboxer,
		const struct sandbox_request *request, answer_fn answer, struct err *err)
{
	struct parked *p = arena_alloc(call_arena(call), sizeof(*p));
	struct sandbox_controller *c = find(self, sandboxer, err);

	if (c == NULL)
		return CALL_FAILED;
	*p = (struct parked){ NULL, self, c, *request, answer };
	return on_pool(call, c->pool, ask, p, NULL, err);
}

static Google__Protobuf__Timestamp *time_out(const struct parked *p, int64_t ns)
{
	return timestamp_new(call_arena(p->call), ns);
}

static enum call_fate with_start(
		struct parked *p, const struct sandbox_reply *reply, struct err *err)
{
	Sandbox__ControllerStartResponse answer = SANDBOX__CONTROLLER_START_RESPONSE__INIT;
	Event__SandboxStart e = EVENT__SANDBOX_START__INIT;

	e.sandbox_id = answer.sandbox_id = p->request.id;
	answer.pid = reply->pid;
	answer.created_at = time_out(p, reply->created_ns);
	if (reply->labels != NULL)
		answer.labels = wire_labels_out(call_arena(p->call), reply->labels,
				&sandbox__controller_start_response__labels_entry__descriptor,
				&answer.n_labels);
	publish(p->service, call_ctx(p->call), "/sandboxes/start", &e.base);
	return call_answer(p->call, &answer.base, err);
}

/* The original answers with no more than this: neither address nor version nor spec. */
static enum call_fate start(struct call *call, void *self,
		const struct ProtobufCMessage *request, struct err *err)
{
	const Sandbox__ControllerStartRequest *r = (const void *)request;
	struct sandbox_request q = { .verb = SANDBOX_START, .id = r->sandbox_id };

	if (find(self, r->sandboxer, err) != NULL)
		return park(call, self, r->sandboxer, &q, with_start, err);
	(void)err_wrap(err, "failed to get sandbox controller for \"%s\"", r->sandboxer);
	return CALL_FAILED;
}

static enum call_fate platform(struct call *call, void *self,
		const struct ProtobufCMessage *request, struct err *err)
{
	(void)err_plain(err, ERR_UNIMPLEMENTED, "method Platform not implemented");
	return CALL_FAILED;
}

static enum call_fate with_stop(
		struct parked *p, const struct sandbox_reply *reply, struct err *err)
{
	Sandbox__ControllerStopResponse answer = SANDBOX__CONTROLLER_STOP_RESPONSE__INIT;

	return call_answer(p->call, &answer.base, err);
}

static enum call_fate stop(struct call *call, void *self,
		const struct ProtobufCMessage *request, struct err *err)
{
	const Sandbox__ControllerStopRequest *r = (const void *)request;
	struct sandbox_request q = {
		.verb = SANDBOX_STOP, .id = r->sandbox_id, .timeout_secs = r->timeout_secs
	};

	return park(call, self, r->sandboxer, &q, with_stop, err);
}

/* Every Wait tells of the exit, as in the original. */
static enum call_fate with_exit(
		struct parked *p, const struct sandbox_reply *reply, struct err *err)
{
	Sandbox__ControllerWaitResponse answer = SANDBOX__CONTROLLER_WAIT_RESPONSE__INIT;
	Event__SandboxExit e = EVENT__SANDBOX_EXIT__INIT;

	e.sandbox_id = p->request.id;
	e.exit_status = answer.exit_status = reply->exit_status;
	e.exited_at = answer.exited_at = time_out(p, reply->exited_ns);
	publish(p->service, call_ctx(p->call), "/sandboxes/exit", &e.base);
	return call_answer(p->call, &answer.base, err);
}

static enum call_fate wait_for(struct call *call, void *self,
		const struct ProtobufCMessage *request, struct err *err)
{
	const Sandbox__ControllerWaitRequest *r = (const void *)request;
	struct sandbox_request q = { .verb = SANDBOX_WAIT, .id = r->sandbox_id };

	return park(call, self, r->sandboxer, &q, with_exit, err);
}

static enum call_fate with_status(
		struct parked *p, const struct sandbox_reply *reply, struct err *err)
{
	Sandbox__ControllerStatusResponse answer = SANDBOX__CONTROLLER_STATUS_RESPONSE__INIT;
	struct arena *a = call_arena(p->call);

	answer.sandbox_id = p->request.id;
	answer.pid = reply->pid;
	answer.state = str_or(reply->state, "");
	if (reply->info != NULL)
		answer.info = wire_labels_out(a, reply->info,
				&sandbox__controller_status_response__info_entry__descriptor,
				&answer.n_info);
	answer.created_at = time_out(p, reply->created_ns);
	answer.exited_at = time_out(p, reply->exited_ns);
	/* Always there: clients read it. */
	answer.extra = reply->extra.is_set ? wire_any_out(a, &reply->extra)
					   : ARENA_NEW(a, Google__Protobuf__Any,
							     google__protobuf__any);
	return call_answer(p->call, &answer.base, err);
}

static enum call_fate status(struct call *call, void *self,
		const struct ProtobufCMessage *request, struct err *err)
{
	const Sandbox__ControllerStatusRequest *r = (const void *)request;
	struct sandbox_request q = {
		.verb = SANDBOX_STATUS, .id = r->sandbox_id, .verbose = r->verbose
	};

	return park(call, self, r->sandboxer, &q, with_status, err);
}

static enum call_fate with_shutdown(
		struct parked *p, const struct sandbox_reply *reply, struct err *err)
{
	Sandbox__ControllerShutdownResponse answer =
			SANDBOX__CONTROLLER_SHUTDOWN_RESPONSE__INIT;

	return call_answer(p->call, &answer.base, err);
}

static enum call_fate shut_down(struct call *call, void *self,
		const struct ProtobufCMessage *request, struct err *err)
{
	const Sandbox__ControllerShutdownRequest *r = (const void *)request;
	struct sandbox_request q = { .verb = SANDBOX_SHUTDOWN, .id = r->sandbox_id };

	return park(call, self, r->sandboxer, &q, with_shutdown, err);
}

static enum call_fate with_metrics(
		struct parked *p, const struct sandbox_reply *reply, struct err *err)
{
	Sandbox__ControllerMetricsResponse answer = SANDBOX__CONTROLLER_METRICS_RESPONSE__INIT;
	Types__Metric m = TYPES__METRIC__INIT;

	if (reply->metrics_id != NULL) {
		m.id = reply->metrics_id;
		m.timestamp = time_out(p, reply->measured_ns);
		m.data = wire_any_out(call_arena(p->call), &reply->metrics);
		answer.metrics = &m;
	}
	return call_answer(p->call, &answer.base, err);
}

static enum call_fate metrics(struct call *call, void *self,
		const struct ProtobufCMessage *request, struct err *err)
{
	const Sandbox__ControllerMetricsRequest *r = (const void *)request;
	struct sandbox_request q = { .verb = SANDBOX_METRICS, .id = r->sandbox_id };

	return park(call, self, r->sandboxer, &q, with_metrics, err);
}

static enum call_fate with_update(
		struct parked *p, const struct sandbox_reply *reply, struct err *err)
{
	Sandbox__ControllerUpdateResponse answer = SANDBOX__CONTROLLER_UPDATE_RESPONSE__INIT;

	return call_answer(p->call, &answer.base, err);
}

static enum call_fate update(struct call *call, void *self,
		const struct ProtobufCMessage *request, struct err *err)
{
	const Sandbox__ControllerUpdateRequest *r = (const void *)request;
	struct sandbox *sandbox = arena_alloc(call_arena(call), sizeof(*sandbox));
	struct sandbox_request q = { .verb = SANDBOX_UPDATE,
		.id = r->sandbox_id,
		.sandbox = sandbox,
		.fields = wire_strv_in(call_arena(call), r->n_fields, r->fields) };

	if (find(self, r->sandboxer, err) == NULL)
		return CALL_FAILED;
	if (r->sandbox == NULL) {
		(void)err_plain(err, ERR_INVALID, "sandbox can not be nil");
		return CALL_FAILED;
	}
	*sandbox = wire_sandbox_in(call_arena(call), r->sandbox);
	return park(call, self, r->sandboxer, &q, with_update, err);
}

#define ROW(name, where, type, handler)                                                        \
	UNARY(name, where, sandbox__controller_##type##_request,                               \
			sandbox__controller_##type##_response, handler)
static const struct rpc_method methods[] = {
	ROW("Create", RPC_ON_WORKER | RPC_SLOW, create, create),
	ROW("Start", RPC_ON_LOOP | RPC_SLOW, start, start),
	ROW("Platform", RPC_ON_LOOP | RPC_AGAIN, platform, platform),
	ROW("Stop", RPC_ON_LOOP | RPC_SLOW, stop, stop),
	ROW("Wait", RPC_ON_LOOP | RPC_AGAIN, wait, wait_for),
	ROW("Status", RPC_ON_LOOP | RPC_AGAIN, status, status),
	ROW("Shutdown", RPC_ON_LOOP | RPC_SLOW, shutdown, shut_down),
	ROW("Metrics", RPC_ON_LOOP | RPC_AGAIN, metrics, metrics),
	ROW("Update", RPC_ON_LOOP | RPC_SLOW, update, update),
};

const struct rpc_service controllers_service = { "containerd.services.sandbox.v1.Controller",
	methods, ARRAY_LEN(methods) };
