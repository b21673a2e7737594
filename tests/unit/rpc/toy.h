/* SPDX-License-Identifier: Apache-2.0 */
/* A service of all four kinds, and a server on a thread of its own that offers it. */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

#include "api/arena.h"
#include "api/pb/any.pb-c.h"
#include "base/mutex.h"
#include "base/pool.h"
#include "loop/loop.h"
#include "rpc/channel.h"
#include "rpc/server.h"

#define TOY	  "toy.v1.Toy"
#define TOY_QUEUE 1200 /* calls that may wait for a worker */

/* Requests and answers are google.protobuf.Any: a text and some bytes. */
struct toy {
	struct mutex lock;
	struct cond changed;
	struct parker *parked[2000];
	size_t parked_count;
	size_t cancelled; /* handlers and parked calls that were told */
	size_t blocked;	  /* handlers inside Block */
	size_t received;  /* bytes that Slow took so far */
	bool may_receive; /* Slow waits for this */
	size_t sent;	  /* messages Flood got rid of */
	size_t reports;
	struct rpc_call_report last;
};

extern const struct rpc_service toy_service;

void toy_init(struct toy *t);
void toy_done(struct toy *t);
/* Until the value at "what" (a field of t) is at least "want"; dies after 20 seconds. */
void toy_wait(struct toy *t, const size_t *what, size_t want);
/* The value at "what" now. */
size_t toy_look(struct toy *t, const size_t *what);
/* A reference to the first that is parked. */
struct call *toy_first_parked(struct toy *t);
void toy_finish_parked(struct toy *t, const struct err *err);

struct toy_server {
	struct toy toy;
	struct loop *loop;
	struct pool *workers;
	struct rpc_server *server;
	unsigned long thread;
	char dir[64];
	char grpc[96], ttrpc[96]; /* socket paths */
};

/* "grpc_serve" is grpc_listen, or NULL without gRPC: so that ttrpc tests link without it. */
typedef int (*toy_listen)(struct rpc_server *s, int own_fd, struct err *err);
struct toy_server *toy_serve(
		size_t workers, const struct rpc_limits *limits, toy_listen grpc_serve);
void toy_stop(struct toy_server *s);
/* Runs fn on the server's loop and waits for it. */
void toy_on_loop(struct toy_server *s, void (*fn)(void *arg), void *arg);
int toy_connect_raw(const char *path);

/* Any in the arena with this text and "size" bytes of value. */
Google__Protobuf__Any *toy_any(struct arena *a, const char *text, size_t size);
/* Calls a unary method; 0 or -1. */
int toy_call(struct channel *c, const struct ctx *ctx, const char *method, const char *text,
		size_t size, struct arena *a, Google__Protobuf__Any **ret, struct err *err);
