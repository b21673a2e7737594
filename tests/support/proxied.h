/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A process that serves plugins, played by a gRPC server on a thread of this one, and the link
 * to it with a loop of its own: what stands between a proxy and what it stands for.
 */
#pragma once

#include "rpc/server.h"

struct loop;
struct pool;
struct proxy_link;

struct proxied_service {
	const struct rpc_service *service;
	void *self;
};

struct proxied {
	struct loop *server_loop, *client_loop;
	struct pool *workers, *data;
	struct rpc_server *server;
	unsigned long server_thread, client_thread;
	char dir[64], socket[96];
	struct proxy_link *link;
};

/* Ends with a NULL service. */
struct proxied *proxied_start(const struct proxied_service *services);
/* The server goes, the link stays; and a new one comes. */
void proxied_stop_server(struct proxied *p);
void proxied_start_server(struct proxied *p, const struct proxied_service *services);
void proxied_free(struct proxied *p);
