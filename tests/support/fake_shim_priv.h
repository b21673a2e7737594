/* SPDX-License-Identifier: Apache-2.0 */
/* What the two services of the fake shim share. */
#pragma once

#include "base/err.h"
#include "rpc/call.h"
#include "support/fake_shim.h"

typedef enum call_fate (*fake_handler)(
		struct fake_shim *f, struct call *call, const void *request, struct err *err);

/* Runs it under the lock, unless the shim is mute or on its way out. */
enum call_fate fake_shim_run(struct call *call, void *self, const void *request,
		fake_handler on, struct err *err);

/* fake_pod.c */
extern const struct rpc_service fake_pod_service;
void fake_pod_exit_locked(struct fake_shim *f, uint32_t status);
