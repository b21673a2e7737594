/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <string.h>

#include "api/pb/shim_sandbox.pb-c.h"
#include "api/services.h"
#include "api/timestamp.h"
#include "base/str.h"
#include "support/fake_shim_priv.h"
#include "support/served.h"

#define POD_PID 815

#define ANSWER(type, Type)                                                                     \
	ShimSandbox__##Type##Response m = SHIM_SANDBOX__##type##_RESPONSE__INIT

static bool is_to_fail(struct fake_shim *f, const char *method, struct err *err)
{
	if (!str_eq(str_or(f->pod.asked_to_fail, ""), method))
		return false;
	(void)err_plain(err, ERR_UNKNOWN, "%s of the pod fails", method);
	return true;
}

static enum call_fate on_create(
		struct fake_shim *f, struct call *call, const void *request, struct err *err)
{
	ANSWER(CREATE_SANDBOX, CreateSandbox);

	if (is_to_fail(f, "CreateSandbox", err))
		return CALL_FAILED;
	f->pod.is_created = true;
	f->pod.has_exited = false;
	return call_answer(call, &m.base, err);
}

static enum call_fate on_start(
		struct fake_shim *f, struct call *call, const void *request, struct err *err)
{
	ANSWER(START_SANDBOX, StartSandbox);

	if (is_to_fail(f, "StartSandbox", err))
		return CALL_FAILED;
	f->pod.is_started = true;
	m.pid = POD_PID;
	m.created_at = timestamp_new(call_arena(call), 55);
	return call_answer(call, &m.base, err);
}

static enum call_fate on_platform(
		struct fake_shim *f, struct call *call, const void *request, struct err *err)
{
	ANSWER(PLATFORM, Platform);

	return call_answer(call, &m.base, err);
}

static enum call_fate answer_wait(struct fake_shim *f, struct call *call, struct err *err)
{
	ANSWER(WAIT_SANDBOX, WaitSandbox);

	m.exit_status = f->pod.exit_status;
	m.exited_at = timestamp_new(call_arena(call), 66);
	return call_answer(call, &m.base, err);
}

void fake_pod_exit_locked(struct fake_shim *f, uint32_t status)
{
	f->pod.has_exited = true;
	f->pod.exit_status = status;
	for (size_t i = 0; i < f->pod.waiter_count; i++) {
		AUTO_ERR struct err err = { 0 };

		(void)answer_wait(f, f->pod.waiters[i], &err);
		call_finish(f->pod.waiters[i], NULL);
		call_unref(f->pod.waiters[i]);
	}
	f->pod.waiter_count = 0;
}

void fake_shim_exit_pod(struct fake_shim *f, uint32_t status)
{
	LOCKED(&f->lock);
	fake_pod_exit_locked(f, status);
}

static enum call_fate on_stop(
		struct fake_shim *f, struct call *call, const void *request, struct err *err)
{
	const ShimSandbox__StopSandboxRequest *r = request;
	ANSWER(STOP_SANDBOX, StopSandbox);

	if (is_to_fail(f, "StopSandbox", err))
		return CALL_FAILED;
	f->pod.stop_timeout = r->timeout_secs;
	fake_pod_exit_locked(f, 137);
	return call_answer(call, &m.base, err);
}

static enum call_fate on_wait(
		struct fake_shim *f, struct call *call, const void *request, struct err *err)
{
	if (f->pod.has_exited)
		return answer_wait(f, call, err);
	f->pod.waiters[f->pod.waiter_count++] = call_ref(call);
	cond_broadcast(&f->changed);
	return CALL_PARKED;
}

static enum call_fate on_status(
		struct fake_shim *f, struct call *call, const void *request, struct err *err)
{
	const ShimSandbox__SandboxStatusRequest *r = request;
	ShimSandbox__SandboxStatusResponse__InfoEntry entry =
			SHIM_SANDBOX__SANDBOX_STATUS_RESPONSE__INFO_ENTRY__INIT;
	ShimSandbox__SandboxStatusResponse__InfoEntry *entries[] = { &entry };
	ANSWER(SANDBOX_STATUS, SandboxStatus);

	if (is_to_fail(f, "SandboxStatus", err))
		return CALL_FAILED;
	entry.key = "verbose";
	entry.value = r->verbose ? "yes" : "no";
	m.info = entries;
	m.n_info = 1;
	m.sandbox_id = r->sandbox_id;
	m.pid = POD_PID;
	m.state = f->pod.has_exited ? "SANDBOX_NOTREADY" : "SANDBOX_READY";
	m.created_at = timestamp_new(call_arena(call), 55);
	return call_answer(call, &m.base, err);
}

static enum call_fate on_ping(
		struct fake_shim *f, struct call *call, const void *request, struct err *err)
{
	ANSWER(PING, Ping);

	return call_answer(call, &m.base, err);
}

static enum call_fate on_shutdown(
		struct fake_shim *f, struct call *call, const void *request, struct err *err)
{
	ANSWER(SHUTDOWN_SANDBOX, ShutdownSandbox);

	if (is_to_fail(f, "ShutdownSandbox", err))
		return CALL_FAILED;
	f->shutdowns++;
	cond_broadcast(&f->changed);
	f->pod.is_created = f->pod.is_started = false;
	served_stop_soon(f->served);
	return call_answer(call, &m.base, err);
}

static enum call_fate on_metrics(
		struct fake_shim *f, struct call *call, const void *request, struct err *err)
{
	const ShimSandbox__SandboxMetricsRequest *r = request;
	Types__Metric metric = TYPES__METRIC__INIT;
	ANSWER(SANDBOX_METRICS, SandboxMetrics);

	metric.id = r->sandbox_id;
	metric.timestamp = timestamp_new(call_arena(call), 99);
	m.metrics = &metric;
	return call_answer(call, &m.base, err);
}

#define HANDLERS(M)                                                                            \
	M(CreateSandbox, on_create)                                                            \
	M(StartSandbox, on_start)                                                              \
	M(Platform, on_platform)                                                               \
	M(StopSandbox, on_stop)                                                                \
	M(WaitSandbox, on_wait)                                                                \
	M(SandboxStatus, on_status)                                                            \
	M(PingSandbox, on_ping)                                                                \
	M(ShutdownSandbox, on_shutdown)                                                        \
	M(SandboxMetrics, on_metrics)

HANDLERS(FAKE_HANDLER)

static const struct rpc_method methods[] = { API_METHODS_SHIM_SANDBOX(FAKE_ROW) };

const struct rpc_service fake_pod_service = { "containerd.runtime.sandbox.v1.Sandbox", methods,
	ARRAY_LEN(methods) };
