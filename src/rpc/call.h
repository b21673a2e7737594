/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One call, on the serving side. gRPC and ttrpc share it; a handler does not know which one
 * it serves. A method is a row in a table; the dispatcher decodes the request (within the
 * limits of api/pb.h), runs the handler on the loop or on a worker, turns its struct err into
 * a status, and writes the access log.
 *
 * Handlers are straight-line code. What waits for the outside takes a reference, returns
 * CALL_PARKED and is finished later from any thread with call_finish(). When the client goes
 * away or the deadline passes, call_ctx()->cancel fires: a parker hooks in there to forget the
 * call (nothing else would drop its reference).
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "api/pb_sink.h"
#include "base/attr.h"
#include "base/auto.h"

struct call;
struct ctx;
struct err;
struct pool;
struct arena;
struct ProtobufCMessage;
struct ProtobufCMessageDescriptor;

enum call_fate {
	CALL_OK,	/* answered (unary: call_answer() was called; streams: all was sent) */
	CALL_FAILED,	/* err says why */
	CALL_PARKED,	/* somebody holds a reference and will call call_finish() */
	CALL_MOVED,	/* call_move() has it: another thread runs a handler for it */
	CALL_SUSPENDED, /* call_suspend() has kept what is to go on with */
};

enum rpc_kind {
	RPC_UNARY,
	RPC_SERVER_STREAM, /* one request, many answers */
	RPC_CLIENT_STREAM,
	RPC_BIDI,
};

enum rpc_where {
	RPC_ON_WORKER, /* may block for a while: disk, children, shims */
	RPC_ON_LOOP,   /* never blocks: answered at once on the loop thread */
	RPC_ON_DATA,   /* long copies: the second pool */
	RPC_PLACE = 15,
};

/* What a method allows when another process takes over (rpc/handover.h), OR-ed to its place. */
enum rpc_trait {
	/* It only waits or asks: unanswered, it is simply asked again there. */
	RPC_AGAIN = 16,
	/* It may take long: not begun once a successor waits, so that the others need not. */
	RPC_SLOW = 32,
	/* Its handler knows call_is_suspended(). */
	RPC_RESUMABLE = 64,
};

/* "request" is the decoded first message (NULL for CLIENT_STREAM and BIDI: use call_recv()); it
 * lives in the call's arena until the call ends. "self" is what the service was added with. */
typedef enum call_fate (*rpc_handler)(struct call *call, void *self,
		const struct ProtobufCMessage *request, struct err *err);

struct rpc_method {
	const char *name; /* "Create" */
	const struct ProtobufCMessageDescriptor *request, *response;
	enum rpc_kind kind;
	unsigned where; /* an enum rpc_where, and any enum rpc_trait */
	rpc_handler handler;
};

struct rpc_service {
	const char *name; /* "containerd.services.containers.v1.Containers" */
	const struct rpc_method *methods;
	size_t count;
};

/* Namespace, lease, deadline, cancellation; as long as the call. */
const struct ctx *call_ctx(const struct call *call);
/* First value of a request header (gRPC) or metadata key (ttrpc); NULL if absent. */
const char *call_header(const struct call *call, const char *name);
/* Memory that lives as long as the call; use pb allocations through it. */
struct arena *call_arena(struct call *call);

ANY_THREAD struct call *call_ref(struct call *call);
ANY_THREAD void call_unref(struct call *call);
DEFINE_AUTO(struct call *, call_unref)

/* Queues the answer of a unary call (copied out at once). Returns CALL_OK, or CALL_FAILED when
 * it is over the peer's message limit. */
ANY_THREAD enum call_fate call_answer(
		struct call *call, const struct ProtobufCMessage *response, struct err *err);
/* google.protobuf.Empty. */
ANY_THREAD enum call_fate call_answer_empty(struct call *call, struct err *err);

/* An answer that is one repeated field of messages: each is packed at once, so that what it was
 * made of may go. call_answer_packed() then is the answer, in place of call_answer(). */
void call_pack(struct call *call, unsigned field, pb_put put, const void *what);
enum call_fate call_answer_packed(struct call *call, struct err *err);

/* Sends one message of a stream; waits while the peer is slow (flow control). Fails with
 * CANCELED or DEADLINE when the call ends first. In an RPC_ON_LOOP handler it never waits, so
 * there it is for what is in memory anyway (a short list in a few messages). */
MAY_BLOCK MUST_USE int call_send(
		struct call *call, const struct ProtobufCMessage *message, struct err *err);
/* Never waits: false when more than queue_limit bytes wait to be sent (each message counts 64
 * more than its size), or the call has ended. */
ANY_THREAD bool call_try_send(
		struct call *call, const struct ProtobufCMessage *message, size_t queue_limit);

/* Next message of the client: 1 and *ret_message (valid until the next receive), 0 when the
 * client has closed its side, -1 on error or cancellation. Waits, so never in an RPC_ON_LOOP
 * handler; one thread at a time, the handler's or, for a parked call, any other. */
MAY_BLOCK MUST_USE int call_recv(
		struct call *call, struct ProtobufCMessage **ret_message, struct err *err);
/* The same without decoding: bytes are borrowed until the next receive. For the one hot stream,
 * Content.Write, whose handler reads the bytes field straight from the frame. */
MAY_BLOCK MUST_USE int call_recv_bytes(
		struct call *call, const void **ret_data, size_t *ret_size, struct err *err);

/* Goes on with "handler" on another pool, for handlers that find they would wait long on a
 * thread that others need. The call counts as running, as before. Returns what the handler is
 * to return: CALL_MOVED, or CALL_FAILED (UNAVAILABLE) when that pool's queue is full. */
ANY_THREAD enum call_fate call_move(struct call *call, struct pool *pool, rpc_handler handler,
		void *self, const struct ProtobufCMessage *request, struct err *err);

/* True in a handler that keeps the loop busy while there are workers to go on on. */
ANY_THREAD bool call_can_move(struct call *call);
/* call_move() to the workers. */
ON_LOOP enum call_fate call_to_worker(struct call *call, rpc_handler handler, void *self,
		const struct ProtobufCMessage *request, struct err *err);

/* True if receiving or sending failed because the handler is to come to an end, but not the
 * call: it gives up what it holds and returns what call_suspend() says. Sooner or later it is
 * run again, perhaps in another process, and finds the state in call_resumed(). */
ANY_THREAD bool call_is_suspended(struct call *call);
/* Copied. Clears err, and returns CALL_SUSPENDED. */
ANY_THREAD enum call_fate call_suspend(
		struct call *call, const void *state, size_t size, struct err *err);
/* NULL if the call was not suspended before. */
const void *call_resumed(const struct call *call, size_t *ret_size);

/* Ends a parked call: OK if err is NULL or empty (after what was sent or answered). The first
 * end counts, also against the deadline; later ones are ignored. The reference that the parker
 * took is not dropped here. */
ANY_THREAD void call_finish(struct call *call, const struct err *err);
