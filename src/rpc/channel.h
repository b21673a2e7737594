/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The calling side: one connection to a gRPC or ttrpc server on a unix socket.
 *
 * A channel lives on a loop. Given the daemon's loop, any thread but the loop's may make
 * blocking calls and the loop moves the bytes; given NULL, the channel has a loop of its own
 * that the calling thread drives while it waits: no thread is started, and one thread at a time
 * may use it (libctrd, tests). channel_start() is the form for loop threads: it never blocks.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/attr.h"
#include "base/auto.h"
#include "base/cancel.h"

struct arena;
struct channel;
struct ctx;
struct err;
struct loop;
struct rpc_stream;
struct ProtobufCMessage;
struct ProtobufCMessageDescriptor;

/* Connects to a unix socket path (or "unix://…", or "\0abstract" as "@abstract"). UNAVAILABLE
 * if nobody listens. own_fd forms take a connected socket. Reconnecting is the caller's
 * business: after the peer has gone every call fails with UNAVAILABLE ("ttrpc: closed" for
 * ttrpc). */
MAY_BLOCK MUST_USE int channel_open_grpc(struct loop *loop, const char *address,
		const struct ctx *ctx, struct channel **ret_channel, struct err *err);
MAY_BLOCK MUST_USE int channel_open_ttrpc(struct loop *loop, const char *address,
		const struct ctx *ctx, struct channel **ret_channel, struct err *err);
MUST_USE struct channel *channel_adopt_grpc(struct loop *loop, int own_fd);
MUST_USE struct channel *channel_adopt_ttrpc(struct loop *loop, int own_fd);

ANY_THREAD struct channel *channel_ref(struct channel *c);
/* The last one closes the connection; what channel_start() began then fails with UNAVAILABLE.
 * Streams hold a reference of their own. */
ANY_THREAD void channel_unref(struct channel *c);
DEFINE_AUTO(struct channel *, channel_unref)

/* Tells once, on the loop thread, that the connection has ended (soon, if it already has). Not
 * told when it ends because the last reference was dropped. */
ANY_THREAD void channel_on_close(struct channel *c, void (*closed)(void *arg), void *arg);
ANY_THREAD bool channel_is_closed(struct channel *c);
/* Ends the connection now, whoever else holds a reference: calls in flight fail as if the peer
 * had gone, and whoever asked to be told is told. */
ANY_THREAD void channel_close(struct channel *c);
/* SO_PEERCRED of a unix socket; 0 if unknown. */
ANY_THREAD pid_t channel_peer_pid(const struct channel *c);

/* One unary call. The namespace and lease of ctx travel as headers, its deadline as timeout.
 * The answer is decoded into the arena. Statuses come back as struct err with the peer's
 * message. */
MAY_BLOCK MUST_USE int channel_call(struct channel *c, const struct ctx *ctx,
		const char *service, const char *method, const struct ProtobufCMessage *request,
		const struct ProtobufCMessageDescriptor *response, struct arena *arena,
		struct ProtobufCMessage **ret_response, struct err *err);

/* The same without waiting: "done" runs once on the loop thread with the undecoded answer (NULL
 * and err on failure; err is the callee's to read, not to keep). Any thread may start one. */
struct rpc_answer {
	const void *data;
	size_t size;
	const struct err *err; /* NULL on success */
};
typedef void (*rpc_done)(void *arg, const struct rpc_answer *answer);
ANY_THREAD void channel_start(struct channel *c, const struct ctx *ctx, const char *service,
		const char *method, const struct ProtobufCMessage *request, rpc_done done,
		void *arg);

/* Streams (gRPC, and ttrpc where the peer has them). For a server stream send one message, then
 * rpc_stream_close_send(). One thread may send while another receives (not with a loop of the
 * channel's own). */
MAY_BLOCK MUST_USE int channel_stream(struct channel *c, const struct ctx *ctx,
		const char *service, const char *method, struct rpc_stream **ret_stream,
		struct err *err);
MAY_BLOCK MUST_USE int rpc_stream_send(
		struct rpc_stream *s, const struct ProtobufCMessage *message, struct err *err);
MAY_BLOCK MUST_USE int rpc_stream_close_send(struct rpc_stream *s, struct err *err);
/* 1 and a message in the arena, 0 at the end with status OK, -1 otherwise. */
MAY_BLOCK MUST_USE int rpc_stream_recv(struct rpc_stream *s,
		const struct ProtobufCMessageDescriptor *type, struct arena *arena,
		struct ProtobufCMessage **ret_message, struct err *err);
/* Cancels the call if it has not ended. NULL is fine. */
ANY_THREAD void rpc_stream_free(struct rpc_stream *s);
DEFINE_AUTO(struct rpc_stream *, rpc_stream_free)
