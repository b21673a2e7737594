/* SPDX-License-Identifier: Apache-2.0 */
/*
 * containerd.runtime.sandbox.v1.Sandbox for a shim that runs containers with runc. The sandbox
 * is nothing but the shim itself: its pid is the shim's, and it ends when it is stopped.
 */
#include <stdlib.h>
#include <unistd.h>

#include "api/pb/shim_sandbox.pb-c.h"
#include "api/services.h"
#include "api/timestamp.h"
#include "base/clock.h"
#include "base/err.h"
#include "cmd/shim-runc/runc_service.h"
#include "cmd/shim-runc/runc_shim_priv.h"
#include "rpc/server.h"

void __real_runc_service_add(struct rpc_server *server, struct shim *s);
void __wrap_runc_service_add(struct rpc_server *server, struct shim *s);

struct pod {
	struct shim *shim;
	bool is_created, is_started, has_exited;
	int64_t created_ns, exited_ns;
	struct call *waiters[64];
	size_t waiter_count;
};

#define ANSWER(TYPE, Type)                                                                     \
	ShimSandbox__##Type##Response m = SHIM_SANDBOX__##TYPE##_RESPONSE__INIT

static enum call_fate on_create(struct call *call, void *self,
		const struct ProtobufCMessage *request, struct err *err)
{
	struct pod *p = self;
	ANSWER(CREATE_SANDBOX, CreateSandbox);

	p->is_created = true;
	p->created_ns = clock_wall_ns();
	return call_answer(call, &m.base, err);
}

/* A directory that is not there makes it fail. */
static enum call_fate on_start(struct call *call, void *self,
		const struct ProtobufCMessage *request, struct err *err)
{
	struct pod *p = self;
	ANSWER(START_SANDBOX, StartSandbox);

	if (access("rootfs", F_OK) < 0 || !p->is_created) {
		(void)err_plain(err, ERR_PRECONDITION, "the sandbox was not created");
		return CALL_FAILED;
	}
	p->is_started = true;
	m.pid = (uint32_t)getpid();
	m.created_at = timestamp_new(call_arena(call), p->created_ns);
	return call_answer(call, &m.base, err);
}

static enum call_fate on_platform(struct call *call, void *self,
		const struct ProtobufCMessage *request, struct err *err)
{
	ANSWER(PLATFORM, Platform);

	return call_answer(call, &m.base, err);
}

static enum call_fate answer_wait(struct pod *p, struct call *call, struct err *err)
{
	ANSWER(WAIT_SANDBOX, WaitSandbox);

	m.exited_at = timestamp_new(call_arena(call), p->exited_ns);
	return call_answer(call, &m.base, err);
}

static enum call_fate on_wait(struct call *call, void *self,
		const struct ProtobufCMessage *request, struct err *err)
{
	struct pod *p = self;

	if (p->has_exited)
		return answer_wait(p, call, err);
	if (p->waiter_count == ARRAY_LEN(p->waiters)) {
		(void)err_set(err, ERR_EXHAUSTED, "waiters");
		return CALL_FAILED;
	}
	p->waiters[p->waiter_count++] = call_ref(call);
	return CALL_PARKED;
}

static enum call_fate on_stop(struct call *call, void *self,
		const struct ProtobufCMessage *request, struct err *err)
{
	struct pod *p = self;
	ANSWER(STOP_SANDBOX, StopSandbox);

	if (!p->has_exited)
		p->exited_ns = clock_wall_ns();
	p->has_exited = true;
	for (size_t i = 0; i < p->waiter_count; i++) {
		AUTO_ERR struct err ignored = { 0 };

		(void)answer_wait(p, p->waiters[i], &ignored);
		call_finish(p->waiters[i], NULL);
		call_unref(p->waiters[i]);
	}
	p->waiter_count = 0;
	return call_answer(call, &m.base, err);
}

static enum call_fate on_status(struct call *call, void *self,
		const struct ProtobufCMessage *request, struct err *err)
{
	const ShimSandbox__SandboxStatusRequest *r = (const void *)request;
	struct pod *p = self;
	ANSWER(SANDBOX_STATUS, SandboxStatus);

	m.sandbox_id = r->sandbox_id;
	m.pid = (uint32_t)getpid();
	m.state = p->is_started && !p->has_exited ? "SANDBOX_READY" : "SANDBOX_NOTREADY";
	m.created_at = timestamp_new(call_arena(call), p->created_ns);
	return call_answer(call, &m.base, err);
}

static enum call_fate on_ping(struct call *call, void *self,
		const struct ProtobufCMessage *request, struct err *err)
{
	ANSWER(PING, Ping);

	return call_answer(call, &m.base, err);
}

static enum call_fate on_shutdown(struct call *call, void *self,
		const struct ProtobufCMessage *request, struct err *err)
{
	struct pod *p = self;
	ANSWER(SHUTDOWN_SANDBOX, ShutdownSandbox);
	enum call_fate fate = call_answer(call, &m.base, err);

	p->shim->stop(p->shim->stop_arg);
	return fate;
}

static enum call_fate on_metrics(struct call *call, void *self,
		const struct ProtobufCMessage *request, struct err *err)
{
	ANSWER(SANDBOX_METRICS, SandboxMetrics);

	return call_answer(call, &m.base, err);
}

#define CreateSandbox_	 on_create
#define StartSandbox_	 on_start
#define Platform_	 on_platform
#define StopSandbox_	 on_stop
#define WaitSandbox_	 on_wait
#define SandboxStatus_	 on_status
#define PingSandbox_	 on_ping
#define ShutdownSandbox_ on_shutdown
#define SandboxMetrics_	 on_metrics
#define ROW(id, name, kind, req, resp)                                                         \
	{ #name, &ROW_(req), &ROW_(resp), RPC_##kind, RPC_ON_LOOP, name##_ },
#define ROW_(prefix)  ROW__(prefix)
#define ROW__(prefix) prefix##__descriptor
static const struct rpc_method methods[] = { API_METHODS_SHIM_SANDBOX(ROW) };

static const struct rpc_service service = { "containerd.runtime.sandbox.v1.Sandbox", methods,
	ARRAY_LEN(methods) };

void __wrap_runc_service_add(struct rpc_server *server, struct shim *s)
{
	static struct pod pod; /* there is one in a program */

	pod.shim = s;
	__real_runc_service_add(server, s);
	rpc_server_add(server, RPC_TTRPC, &service, &pod);
}
