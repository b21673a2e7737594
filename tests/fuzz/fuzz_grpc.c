/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any bytes may come from a gRPC peer, in any pieces. Bit 0 of the first byte picks the side
 * that hears them (1: client), bit 1 whether the connection's first bytes are ours (so that the
 * rest gets past them), the other bits the size of the pieces.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "api/arena.h"
#include "api/pb/any.pb-c.h"
#include "base/auto.h"
#include "base/ctx.h"
#include "base/err.h"
#include "loop/loop.h"
#include "rpc/channel.h"
#include "rpc/grpc/grpc_serve_priv.h"
#include "rpc/grpc/grpc_text_priv.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define ANY &google__protobuf__any__descriptor

static const char opening[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
			      "\0\0\0\4\0\0\0\0\0"
			      "\0\0\0\4\1\0\0\0\0";

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

static void drain(struct grpc_conn *conn)
{
	unsigned char room[1000];

	while (grpc_conn_ops.output(conn, room, sizeof(room)) > 0)
		continue;
}

static void hear(const uint8_t *data, size_t size, size_t piece, bool open)
{
	struct loop *loop = loop_new();
	struct rpc_server *server = rpc_server_new(loop, NULL, NULL, NULL);
	struct grpc_conn *conn;
	bool alive = true;

	rpc_server_add(server, RPC_GRPC, &service, NULL);
	conn = grpc_conn_new(server);
	if (open && !grpc_conn_ops.input(conn, opening, sizeof(opening) - 1))
		abort();
	for (size_t at = 0; at < size && alive; at += piece) {
		alive = grpc_conn_ops.input(
				conn, data + at, size - at < piece ? size - at : piece);
		drain(conn);
	}
	if (!alive && !grpc_conn_ops.finished(conn))
		abort();
	grpc_conn_ops.closed(conn);
	if (rpc_server_calls(server) != 0)
		abort();
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
	channel = channel_adopt_grpc(NULL, pair[0]);
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

/* What is written must read back; what reads must be safe to read. */
static void texts(const uint8_t *data, size_t size)
{
	AUTO_FREE char *text = strndup((const char *)data, size);
	AUTO_FREE char *encoded = grpc_message_encode(text, SIZE_MAX / 4);
	AUTO_FREE char *decoded = grpc_message_decode(encoded, strlen(encoded));
	AUTO_FREE char *again = grpc_message_encode(decoded, SIZE_MAX / 4);
	AUTO_FREE char *lenient = grpc_message_decode(text, strlen(text));
	int64_t ns;

	if (strcmp(encoded, again) != 0)
		abort();
	if (grpc_timeout_parse(text, &ns) && ns < 0)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size == 0)
		return 0;
	texts(data + 1, size - 1);
	if (data[0] & 1)
		call(data + 1, size - 1);
	else
		hear(data + 1, size - 1, data[0] / 4 * 4 + 1, data[0] & 2);
	return 0;
}
