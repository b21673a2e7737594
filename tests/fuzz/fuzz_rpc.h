/* SPDX-License-Identifier: Apache-2.0 */
/* What the fuzz targets of gRPC and ttrpc share: a service of small handlers, and a client that
 * waits for whatever its peer says. */
#pragma once

#include <stdint.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "api/arena.h"
#include "api/pb/any.pb-c.h"
#include "base/auto.h"
#include "base/ctx.h"
#include "base/err.h"
#include "loop/loop.h"
#include "rpc/channel.h"
#include "rpc/server.h"

#define ANY &google__protobuf__any__descriptor

static enum call_fate echo(struct call *call, void *self UNUSED,
		const ProtobufCMessage *request, struct err *err)
{
	return call_answer(call, request, err);
}

static enum call_fate twice(struct call *call, void *self UNUSED,
		const ProtobufCMessage *request, struct err *err)
{
	if (call_send(call, request, err) < 0 || call_send(call, request, err) < 0)
		return CALL_FAILED;
	return CALL_OK;
}

static enum call_fate refuse(struct call *call UNUSED, void *self UNUSED,
		const ProtobufCMessage *request, struct err *err)
{
	const Google__Protobuf__Any *any = (const Google__Protobuf__Any *)request;

	err_set(err, ERR_NOT_FOUND, "%s", any->type_url);
	return CALL_FAILED;
}

static enum call_fate park(struct call *call UNUSED, void *self UNUSED,
		const ProtobufCMessage *request UNUSED, struct err *err UNUSED)
{
	return CALL_PARKED;
}

static const struct rpc_method methods[] = {
	{ "Echo", ANY, ANY, RPC_UNARY, RPC_ON_LOOP, echo },
	{ "Fail", ANY, ANY, RPC_UNARY, RPC_ON_LOOP, refuse },
	{ "Wait", ANY, ANY, RPC_UNARY, RPC_ON_LOOP, park },
	{ "Twice", ANY, ANY, RPC_SERVER_STREAM, RPC_ON_LOOP, twice },
	{ "Talk", ANY, ANY, RPC_BIDI, RPC_ON_LOOP, park },
};
static const struct rpc_service service = { "t.T", methods, ARRAY_LEN(methods) };

/* One call and one stream wait for these bytes; then the connection ends. */
static inline void call(struct channel *(*adopt)(struct loop *loop, int own_fd),
		const uint8_t *data, size_t size)
{
	AUTO_ERR struct err err = { 0 };
	AUTO_ARENA struct arena arena;
	Google__Protobuf__Any any = GOOGLE__PROTOBUF__ANY__INIT;
	struct ctx ctx = { 0 };
	struct rpc_stream *stream = NULL;
	struct channel *channel;
	ProtobufCMessage *m;
	int pair[2];

	arena_init(&arena, SIZE_MAX);
	if (size > 100000 || socketpair(AF_UNIX, SOCK_STREAM, 0, pair) < 0)
		return;
	channel = adopt(NULL, pair[0]);
	if (channel_stream(channel, &ctx, "t.T", "Talk", &stream, &err) < 0)
		abort();
	if (write(pair[1], data, size) != (ssize_t)size || shutdown(pair[1], SHUT_WR) < 0)
		abort();
	if (channel_call(channel, &ctx, "t.T", "Echo", &any.base, ANY, &arena, &m, &err) < 0 &&
			err.kind == ERR_NONE)
		abort();
	err_clear(&err);
	while (rpc_stream_recv(stream, ANY, &arena, &m, &err) == 1)
		continue;
	rpc_stream_free(stream);
	channel_unref(channel);
	close(pair[1]);
}
