/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "base/attr.h"
#include "rpc/call.h"

/* Content.Write; the other methods are in content_service.c. */
MAY_BLOCK enum call_fate content_write_stream(struct call *call, void *self,
		const struct ProtobufCMessage *request, struct err *err);
