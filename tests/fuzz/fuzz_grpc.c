/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any bytes may come from a gRPC peer, in any pieces. Bit 0 of the first byte picks the side
 * that hears them (1: client), bit 1 whether the connection's first bytes are ours (so that the
 * rest gets past them), the other bits the size of the pieces.
 */
#include "fuzz_rpc.h"

#include <string.h>

#include "rpc/grpc/grpc_serve_priv.h"
#include "rpc/grpc/grpc_text_priv.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char opening[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
			      "\0\0\0\4\0\0\0\0\0"
			      "\0\0\0\4\1\0\0\0\0";

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
		call(channel_adopt_grpc, data + 1, size - 1);
	else
		hear(data + 1, size - 1, data[0] / 4 * 4 + 1, data[0] & 2);
	return 0;
}
