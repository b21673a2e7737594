/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Serves gRPC and ttrpc on one loop: owns listeners, connections and the table of services.
 */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/auto.h"
#include "rpc/call.h"

struct loop;
struct pool;
struct err;
struct rpc_server;

struct rpc_limits {
	size_t max_recv_message; /* bytes of one message; 0: 16 MiB (ttrpc: always 4 MiB) */
	size_t max_send_message;
	size_t max_connections; /* 0: 4096 */
	size_t max_streams;	/* open calls per connection; 0: 10000 */
};

/* Either pool may be NULL: then its methods run on the loop too (the shim's case; handlers that
 * wait, as in call_recv(), then have no place). A method that finds its pool's queue full
 * answers UNAVAILABLE. */
MUST_USE struct rpc_server *rpc_server_new(struct loop *loop, struct pool *workers,
		struct pool *data, const struct rpc_limits *limits);

/* Before the first listen. The table is borrowed for the server's life. The same service may be
 * offered on gRPC, ttrpc or both. */
enum rpc_transport {
	RPC_GRPC = 1,
	RPC_TTRPC = 2,
};
void rpc_server_add(struct rpc_server *s, int transports, const struct rpc_service *service,
		void *self);

/* Accepts on a listening, non-blocking stream socket, which the server takes over. With
 * same_user_only, peers whose euid and egid differ from ours are dropped (ttrpc's rule,
 * reference 02 §1.6). ttrpc_serve_fd() serves one already connected socket. */
ON_LOOP MUST_USE int grpc_listen(struct rpc_server *s, int own_fd, struct err *err);
ON_LOOP MUST_USE int ttrpc_listen(
		struct rpc_server *s, int own_fd, bool same_user_only, struct err *err);
ON_LOOP void ttrpc_serve_fd(struct rpc_server *s, int own_fd);

/* Stops accepting, sends GOAWAY, lets calls in flight finish for at most grace_ms, then cancels
 * them; "done" runs on the loop when the last connection has gone and every handler has come
 * back. Parked calls are not waited for: they are cancelled, and may still be finished. */
ON_LOOP void rpc_server_stop(
		struct rpc_server *s, int64_t grace_ms, void (*done)(void *arg), void *arg);
/* No handler may be running any more (see "done" above), and none may call this. */
ON_LOOP void rpc_server_free(struct rpc_server *s);

/* There is nothing to do: gives memory back that was kept for the next call. */
ON_LOOP void rpc_server_rest(struct rpc_server *s);

/* Calls being served now, parked ones included. */
ON_LOOP size_t rpc_server_calls(const struct rpc_server *s);

/*
 * What is counted of a method once rpc_server_measure() was called; each an addition without a
 * lock. Messages count as grpc-go's users count them: one received per request and one sent per
 * answer, or those of a stream.
 */
#define RPC_STATUSES 17 /* numbers of gRPC; what is beyond counts as UNKNOWN */
#define RPC_BUCKETS  12 /* below 5, 10, 25, 50, 100, 250, 500 ms, 1, 2.5, 5, 10 s, longer */
struct rpc_stats {
	atomic_uint_least64_t started, received, sent, total_ns;
	atomic_uint_least64_t handled[RPC_STATUSES], took[RPC_BUCKETS];
};
/* Before calls are served, also for services that are added later. */
void rpc_server_measure(struct rpc_server *s);
/* Shows all methods, sorted by service. Once calls are served; any thread then. */
ANY_THREAD void rpc_server_stats(const struct rpc_server *s, enum rpc_transport transport,
		void (*each)(void *arg, const char *service, const struct rpc_method *method,
				const struct rpc_stats *stats),
		void *arg);

/* Invoked after each call for the access log and metrics; may be NULL. Loop thread. */
struct rpc_call_report {
	const char *service, *method;
	int status; /* gRPC number */
	int64_t duration_ns;
	enum rpc_kind kind;
	enum rpc_transport transport;
};
ON_LOOP void rpc_server_observe(struct rpc_server *s,
		void (*report)(void *arg, const struct rpc_call_report *report), void *arg);
