/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any bytes may come from a ttrpc peer, in any pieces. The first byte picks the side that hears
 * them (1: client) and the size of the pieces. A server must answer in whole frames.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "api/arena.h"
#include "api/pb/any.pb-c.h"
#include "base/auto.h"
#include "base/clock.h"
#include "base/ctx.h"
#include "base/err.h"
#include "loop/loop.h"
#include "rpc/channel.h"
#include "rpc/ttrpc/ttrpc_frame_priv.h"
#include "rpc/ttrpc/ttrpc_serve_priv.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

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

static enum call_fate park(struct call *call UNUSED, void *self UNUSED,
		const ProtobufCMessage *request UNUSED, struct err *err UNUSED)
{
	return CALL_PARKED;
}

static const struct rpc_method methods[] = {
	{ "Echo", ANY, ANY, RPC_UNARY, RPC_ON_LOOP, echo },
	{ "Wait", ANY, ANY, RPC_UNARY, RPC_ON_LOOP, park },
	{ "Twice", ANY, ANY, RPC_SERVER_STREAM, RPC_ON_LOOP, twice },
	{ "Talk", ANY, ANY, RPC_BIDI, RPC_ON_LOOP, park },
};
static const struct rpc_service service = { "t.T", methods, ARRAY_LEN(methods) };

static void count_frame(void *arg, const struct ttrpc_frame *f)
{
	if (f->data == NULL || f->type < TTRPC_RESPONSE || f->type > TTRPC_DATA)
		abort();
	++*(size_t *)arg;
}

static void hear(const uint8_t *data, size_t size, size_t piece)
{
	struct loop *loop = loop_new();
	struct rpc_server *server = rpc_server_new(loop, NULL, NULL, NULL);
	struct ttrpc_conn *conn;
	struct ttrpc_reader reader = { 0 };
	unsigned char room[1000];
	size_t n, frames = 0;

	rpc_server_add(server, RPC_TTRPC, &service, NULL);
	conn = ttrpc_conn_new(server);
	for (size_t at = 0; at < size; at += piece) {
		n = size - at < piece ? size - at : piece;
		if (!ttrpc_conn_ops.input(conn, data + at, n))
			abort(); /* ttrpc has no broken connections */
		while ((n = ttrpc_conn_ops.output(conn, room, sizeof(room))) > 0)
			ttrpc_read(&reader, room, n, count_frame, &frames);
	}
	if (reader.header_have != 0)
		abort();
	ttrpc_reader_done(&reader);
	ttrpc_conn_ops.closed(conn);
	rpc_server_free(server);
	loop_free(loop);
}

/* One call and one stream wait for whatever comes; then the connection ends. */
static void call(const uint8_t *data, size_t size)
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
	channel = channel_adopt_ttrpc(NULL, pair[0]);
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

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size == 0)
		return 0;
	if (data[0] & 1)
		call(data + 1, size - 1);
	else
		hear(data + 1, size - 1, data[0] / 2 + 1);
	return 0;
}
