/* SPDX-License-Identifier: Apache-2.0 */
/* What every service file here begins with. */
#pragma once

#include "api/arena.h"
#include "api/pb/empty.pb-c.h"
#include "base/ctx.h"
#include "base/err.h"
#include "rpc/call.h"
#include "services/services.h"

/* Rows of a method table; request and response are prefixes of generated messages. */
#define METHOD(name, kind, where, request, response, handler)                                  \
	{                                                                                      \
		name, &request##__descriptor, &response##__descriptor, kind, where, handler    \
	}
#define UNARY(name, where, request, response, handler)                                         \
	METHOD(name, RPC_UNARY, where, request, response, handler)
#define TO_EMPTY(name, where, request, handler)                                                \
	METHOD(name, RPC_UNARY, where, request, google__protobuf__empty, handler)
#define SERVER_STREAM(name, where, request, response, handler)                                 \
	METHOD(name, RPC_SERVER_STREAM, where, request, response, handler)

/* The modules of core do not change a ctx; they only do not say so. */
static inline struct ctx *ctx_of(const struct call *call)
{
	return (struct ctx *)call_ctx(call);
}

/* The end of handlers that answer google.protobuf.Empty: rc is what core returned. */
static inline enum call_fate answer_done(struct call *call, int rc, struct err *err)
{
	return rc < 0 ? CALL_FAILED : call_answer_empty(call, err);
}

/* Runs the handler here, or on the pool where calls of what it works on wait (may be NULL). */
static inline enum call_fate on_pool(struct call *call, struct pool *pool, rpc_handler handler,
		void *self, const struct ProtobufCMessage *request, struct err *err)
{
	if (pool == NULL)
		return handler(call, self, request, err);
	return call_move(call, pool, handler, self, request, err);
}

/* INVALID for a message that the original would crash without (reference 01 §3.1). */
enum call_fate refuse_absent(const char *what, struct err *err);

/*
 * Messages of an answer that may be many, packed one by one while core walks its records: what
 * is made of a record lives in "scratch" until the next.
 */
struct packing {
	struct call *call;
	struct arena scratch;
};
#define AUTO_PACKING __attribute__((cleanup(packing_done)))
void packing_init(struct packing *p);
void packing_done(struct packing *p);

/*
 * Lists stay on the loop while they are quick, as nearly all are: one that has not walked the
 * store within a moment there begins anew on a worker, and one whose records may each take long
 * goes there at once.
 *
 *	struct ctx ctx;
 *
 *	if (!walk_begin(call, filters, &ctx))
 *		return call_to_worker(call, list, self, request, err);
 *	if (thing_list(store, &ctx, …, err) < 0)
 *		return walk_failed(call, list, self, request, err);
 */
MUST_USE bool walk_begin(struct call *call, char *const *filters, struct ctx *ret_ctx);
enum call_fate walk_failed(struct call *call, rpc_handler handler, void *self,
		const struct ProtobufCMessage *request, struct err *err);

/*
 * Messages of an answer, gathered while core walks its records. They live in the call's arena
 * and are bounded, because a walk goes on whatever the peer can still take.
 */
struct gather {
	struct arena *arena;
	void **items;
	size_t count, room;
	size_t bytes;
};

/* Adds a message that is already in the arena. EXHAUSTED when the answer gets absurd. */
MUST_USE int gather_add(
		struct gather *g, const struct ProtobufCMessage *message, struct err *err);
