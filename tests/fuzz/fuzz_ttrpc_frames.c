/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any bytes may come from a ttrpc peer, in any pieces. The first byte picks the side that hears
 * them (1: client) and the size of the pieces. A server must answer in whole frames.
 */
#include "fuzz_rpc.h"

#include "rpc/ttrpc/ttrpc_frame_priv.h"
#include "rpc/ttrpc/ttrpc_serve_priv.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

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

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size == 0)
		return 0;
	if (data[0] & 1)
		call(channel_adopt_ttrpc, data + 1, size - 1);
	else
		hear(data + 1, size - 1, data[0] / 2 + 1);
	return 0;
}
