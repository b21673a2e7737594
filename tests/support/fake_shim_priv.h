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

/* The method's handler, and its row in a table that is made by an API_METHODS_…() list. */
#define FAKE_HANDLER(name, on)                                                                 \
	static enum call_fate handle_##name(struct call *call, void *self,                     \
			const struct ProtobufCMessage *request, struct err *err)               \
	{                                                                                      \
		return fake_shim_run(call, self, request, on, err);                            \
	}
#define FAKE_ROW(id, name, kind, req, resp)                                                    \
	{ #name, &FAKE_TYPE_(req), &FAKE_TYPE_(resp), RPC_##kind, RPC_ON_LOOP, handle_##name },
#define FAKE_TYPE_(prefix)  FAKE_TYPE__(prefix)
#define FAKE_TYPE__(prefix) prefix##__descriptor
