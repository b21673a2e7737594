/* SPDX-License-Identifier: Apache-2.0 */
#include "support/served.h"

#include <assert.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/mutex.h"
#include "base/pool.h"
#include "base/thread.h"
#include "loop/loop.h"

static int listen_at(const char *path)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	assert(strlen(path) < sizeof(sun.sun_path));
	memcpy(sun.sun_path, path, strlen(path));
	if (bind(fd, (struct sockaddr *)&sun, sizeof(sun)) < 0 || listen(fd, 128) < 0)
		abort();
	return fd;
}

static void *loop_thread(void *arg)
{
	loop_run(arg);
	return NULL;
}

struct served *serve_at(const char *socket, const struct served_service *services)
{
	struct served *s = xzalloc(sizeof(*s));
	struct err err = { 0 };

	(void)snprintf(s->socket, sizeof(s->socket), "%s", socket);
	s->loop = loop_new();
	s->workers = pool_new("workers", 4, 1000);
	s->data = pool_new("data", 4, 1000);
	s->server = rpc_server_new(s->loop, s->workers, s->data, NULL);
	for (; services->service != NULL; services++)
		rpc_server_add(s->server, RPC_TTRPC, services->service, services->self);
	if (ttrpc_listen(s->server, listen_at(s->socket), true, &err) < 0)
		abort();
	arena_init(&s->arena, SIZE_MAX);
	s->ctx.ns = "ns";
	if (thread_start(&s->thread, loop_thread, s->loop, "served") < 0)
		abort();
	return s;
}

struct served *serve(const struct served_service *services)
{
	char dir[] = "/tmp/served-XXXXXX", socket[64];
	struct err err = { 0 };
	struct served *s = NULL;

	if (mkdtemp(dir) == NULL)
		abort();
	(void)snprintf(socket, sizeof(socket), "%s/s", dir);
	s = serve_at(socket, services);
	(void)snprintf(s->dir, sizeof(s->dir), "%s", dir);
	if (channel_open_ttrpc(NULL, s->socket, &s->ctx, &s->channel, &err) < 0)
		abort();
	return s;
}

struct stopping {
	struct loop_task task;
	struct served *s;
};

static void stopped(void *arg)
{
	struct served *s = arg;

	rpc_server_free(s->server);
	loop_stop(s->loop);
}

static void begin_stop(struct loop_task *task)
{
	struct stopping *stopping = container_of(task, struct stopping, task);

	rpc_server_stop(stopping->s->server, 0, stopped, stopping->s);
	free(stopping);
}

void served_stop_soon(struct served *s)
{
	struct stopping *stopping = NULL;

	if (atomic_exchange(&s->is_stopping, true))
		return;
	stopping = xzalloc(sizeof(*stopping));
	stopping->task.run = begin_stop;
	stopping->s = s;
	loop_post(s->loop, &stopping->task);
}

void served_free(struct served *s)
{
	channel_unref(s->channel);
	served_stop_soon(s);
	thread_join(s->thread);
	pool_free(s->workers);
	pool_free(s->data);
	loop_free(s->loop);
	arena_done(&s->arena);
	(void)unlink(s->socket);
	if (s->dir[0] != '\0')
		(void)rmdir(s->dir);
	free(s);
}

int served_call(struct served *s, const char *service, const char *method,
		const ProtobufCMessage *request, const ProtobufCMessageDescriptor *response,
		void *ret_response, struct err *err)
{
	ProtobufCMessage *message = NULL;

	if (channel_call(s->channel, &s->ctx, service, method, request, response, &s->arena,
			    &message, err) < 0)
		return -1;
	if (ret_response != NULL)
		*(ProtobufCMessage **)ret_response = message;
	return 0;
}
