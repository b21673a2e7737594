/* SPDX-License-Identifier: Apache-2.0 */
#include "support/proxied.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/err.h"
#include "base/mem.h"
#include "base/pool.h"
#include "base/thread.h"
#include "loop/loop.h"
#include "proxy/proxy_link.h"

static void *run_loop(void *arg)
{
	loop_run(arg);
	return NULL;
}

static int listen_at(const char *path)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	memcpy(sun.sun_path, path, strlen(path));
	if (bind(fd, (struct sockaddr *)&sun, sizeof(sun)) < 0 || listen(fd, 128) < 0)
		abort();
	return fd;
}

void proxied_start_server(struct proxied *p, const struct proxied_service *services)
{
	struct err err = { 0 };

	p->server_loop = loop_new();
	p->workers = pool_new("workers", 8, 1000);
	p->data = pool_new("data", 8, 1000);
	p->server = rpc_server_new(p->server_loop, p->workers, p->data, NULL);
	for (; services->service != NULL; services++)
		rpc_server_add(p->server, RPC_GRPC, services->service, services->self);
	(void)unlink(p->socket);
	if (grpc_listen(p->server, listen_at(p->socket), &err) < 0 ||
			thread_start(&p->server_thread, run_loop, p->server_loop, "server") < 0)
		abort();
}

struct proxied *proxied_start(const struct proxied_service *services)
{
	struct proxied *p = xzalloc(sizeof(*p));

	(void)snprintf(p->dir, sizeof(p->dir), "/tmp/proxied-XXXXXX");
	if (mkdtemp(p->dir) == NULL)
		abort();
	(void)snprintf(p->socket, sizeof(p->socket), "%s/s", p->dir);
	p->client_loop = loop_new();
	if (thread_start(&p->client_thread, run_loop, p->client_loop, "client") < 0)
		abort();
	p->link = proxy_link_new(p->client_loop, p->socket);
	if (services != NULL)
		proxied_start_server(p, services);
	return p;
}

struct stopping {
	struct loop_task task;
	struct proxied *p;
};

static void stopped(void *arg)
{
	struct proxied *p = arg;

	rpc_server_free(p->server);
	loop_stop(p->server_loop);
}

static void begin_stop(struct loop_task *task)
{
	struct stopping *stopping = container_of(task, struct stopping, task);

	rpc_server_stop(stopping->p->server, 0, stopped, stopping->p);
}

void proxied_stop_server(struct proxied *p)
{
	struct stopping stopping = { { .run = begin_stop }, p };

	loop_post(p->server_loop, &stopping.task);
	thread_join(p->server_thread);
	pool_free(p->workers);
	pool_free(p->data);
	loop_free(p->server_loop);
	p->server_loop = NULL;
	(void)unlink(p->socket);
}

void proxied_free(struct proxied *p)
{
	proxy_link_unref(p->link);
	/* First, so that nobody gets descriptors that the other loop closes behind the thread
	 * sanitizer's back. */
	if (p->server_loop != NULL)
		proxied_stop_server(p);
	loop_stop(p->client_loop);
	thread_join(p->client_thread);
	loop_free(p->client_loop);
	(void)rmdir(p->dir);
	free(p);
}
