/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Services behind a real server on a thread of its own, and a channel to them: how a handler is
 * tested from the client's side. ttrpc carries them, whatever they are served on in the daemon:
 * handlers cannot tell the difference, and the test needs no HTTP/2.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "api/arena.h"
#include "base/ctx.h"
#include "base/err.h"
#include "rpc/channel.h"
#include "rpc/server.h"

struct loop;
struct pool;

struct served_service {
	const struct rpc_service *service;
	void *self;
};

struct served {
	struct loop *loop;
	struct pool *workers, *data;
	struct rpc_server *server;
	unsigned long thread;
	_Atomic bool is_stopping;
	char dir[64], socket[96];
	struct channel *channel;
	struct arena arena; /* of all answers */
	struct ctx ctx;	    /* namespace "ns" */
};

/* Ends with a NULL service. */
struct served *serve(const struct served_service *services);
/* The same on a socket of the caller's choice, without a channel. */
struct served *serve_at(const char *socket, const struct served_service *services);
void served_free(struct served *s);
/* Drops all connections and ends the thread, soon; served_free() is still to be called. Also
 * for handlers. */
void served_stop_soon(struct served *s);

/* One unary call; 0 or -1. */
int served_call(struct served *s, const char *service, const char *method,
		const ProtobufCMessage *request, const ProtobufCMessageDescriptor *response,
		void *ret_response, struct err *err);
