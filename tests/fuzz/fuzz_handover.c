/* SPDX-License-Identifier: Apache-2.0 */
/* Records of connections, as another process may have written them. The first byte picks the
 * protocol (bit 0: ttrpc). What is taken for a record must then serve and end as any other. */
#include "fuzz_rpc.h"

#include <sys/socket.h>

#include "base/auto.h"
#include "rpc/handover.h"
#include "rpc/server_priv.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	AUTO_ERR struct err err = { 0 };
	struct loop *loop;
	struct rpc_server *server;
	int pair[2];

	if (size == 0 || socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0,
					 pair) < 0)
		return 0;
	loop = loop_new();
	server = rpc_server_new(loop, NULL, NULL, NULL);
	rpc_server_add(server, RPC_GRPC | RPC_TTRPC, &service, NULL);
	rpc_server_hold(server, RPC_HOLD_ALL);
	if ((data[0] & 1 ? ttrpc_adopt : grpc_adopt)(
			    server, pair[0], data + 1, size - 1, &err) < 0)
		close_fd(&pair[0]);
	rpc_server_hold(server, RPC_HOLD_NONE);
	loop_run_once(loop, 0);
	close_fd(&pair[1]);
	for (int i = 0; i < 3 && server->conn_count > 0; i++)
		loop_run_once(loop, 0);
	rpc_server_free(server);
	loop_free(loop);
	return 0;
}
