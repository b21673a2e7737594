/* SPDX-License-Identifier: Apache-2.0 */
/*
 * struct err <-> google.rpc.Status, with its details: errors that were joined travel as
 * statuses, other details as they are. Both transports use it, the client's side for what any
 * peer may send.
 */
#pragma once

#include <stddef.h>

#include "api/pb/rpc.pb-c.h"
#include "base/attr.h"

struct arena;
struct err;

/* In the arena; borrows from err. Texts are cut at max_text bytes. */
MUST_USE Rpc__Status *rpc_status_out(
		const struct err *err, size_t max_text, struct arena *arena);

/* Sets err, which must be empty, for a code that is not 0. The texts of joined errors follow
 * the message, each in a line, as the original's clients have it. */
void rpc_status_in(const Rpc__Status *status, struct err *err);
