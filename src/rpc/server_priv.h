/* SPDX-License-Identifier: Apache-2.0 */
/* What the server, its calls and its transports know of each other. All of it belongs to the
 * loop thread unless a line says otherwise. */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "api/arena.h"
#include "base/buf.h"
#include "base/ctx.h"
#include "base/list.h"
#include "base/map.h"
#include "base/pool.h"
#include "rpc/handover.h"
#include "rpc/rpc_pipe_priv.h"
#include "rpc/server.h"

struct buf;
struct rpc_conn;
struct rpc_sock;

/* Whether a connection can be given to a successor as it stands. */
enum rpc_readiness {
	RPC_READY,
	RPC_SOON,  /* a call is being answered, or bytes are on their way */
	RPC_NEVER, /* what hangs on it can only be finished here */
};

/* Which handler serves a call. Zeroed: none. */
struct rpc_route {
	const struct rpc_service *service;
	const struct rpc_method *method;
	void *self;
	struct rpc_stats *stats; /* NULL: not counted */
};

/* What the Response envelope adds to the payload, at most; ttrpc's limit counts it. */
#define TTRPC_ENVELOPE ((size_t)5)

enum call_phase {
	PHASE_OPEN,    /* waits for the first message */
	PHASE_RUNNING, /* the handler runs, or waits for a worker */
	PHASE_PARKED,
};

/* How a call speaks to its stream. "link" is the transport's. */
struct call_link_ops {
	/* Something may be there to send (rpc_pipe_take()) or to read on (rpc_pipe_hold());
	 * when the call is done and nothing is queued, its status. */
	void (*update)(void *link, struct call *call);
};

struct call {
	struct rpc_pipe pipe; /* first */
	atomic_int refs;
	struct rpc_server *server; /* NULL when it has gone before the call */
	struct rpc_route route;
	enum rpc_transport transport;
	const struct call_link_ops *link_ops;
	void *link; /* NULL: the wire is gone */
	struct list node;
	struct job job;
	struct {
		rpc_handler handler;
		void *self;
		const struct ProtobufCMessage *request;
	} moved; /* what the job is to run after call_move() */
	struct loop_timer *timer;
	int64_t start_ns;
	size_t max_recv, max_send;
	const struct rpc_codec *codec; /* what the client uses; NULL: none */
	bool settled;		       /* reported, and out of the server's list */
	bool counted;		       /* its handler is in server->running */
	struct rpc_msg *kept;	/* the request again, for methods that may be asked twice */
	struct rpc_msg *resume; /* of call_suspend(); NULL: runs for the first time */

	struct ctx ctx;
	struct arena arena;
	struct buf headers;	 /* names and values, each with its 0 byte */
	struct rpc_msg *request; /* first message, until it is decoded */
	struct arena recv_arena;
	struct rpc_msg *borrowed; /* lent by call_recv_bytes() */
	struct rpc_msg *packing;  /* what call_pack() has so far */
	size_t packed_size;	  /* of all that it was given */

	/* under pipe.lock */
	enum call_phase phase;
	bool answered;
	bool done;
	bool suspended;	   /* is to be dispatched again */
	struct err result; /* the status, once done */
};

static inline bool call_has_trait(const struct call *call, enum rpc_trait trait)
{
	return (call->route.method->where & trait) != 0;
}

/* The caller (a transport) gets a reference, to be dropped by call_drop_link(). */
MUST_USE struct call *call_new(struct rpc_server *s, const struct rpc_route *route,
		enum rpc_transport transport, const struct call_link_ops *link_ops, void *link);
/* Copied; bounded by the transport. */
void call_add_header(struct call *call, const char *name, size_t name_size, const char *value,
		size_t value_size);
/* All of them, as names and values one behind the other, each with its 0 byte. */
void call_take_headers(struct call *call, struct buf *headers);
/* The name at *at, which moves on; NULL at the end. */
const char *header_next(const struct buf *headers, size_t *at, const char **ret_value);
const char *header_find(const struct buf *headers, const char *name); /* NULL: not there */
/* Runs the handler, here or on a worker. Kinds with one request need it; NULL for the others.
 * After this call->link may be gone. */
void call_dispatch(struct call *call, struct rpc_msg *own_request);
/* Ends the call from our side: peer reset, deadline, broken request, shutdown. The handler is
 * told by cancellation; the status goes out if the link is still there. */
void call_abort(struct call *call, const struct err *why);
/* The wire is gone: aborts and drops the link's reference. */
void call_drop_link(struct call *call);
/* It knows the server and its loop no longer: neither wakes nor counts go there. Nothing of it
 * may be on the wire, nor its handler run. */
void call_leave_server(struct call *call);
/* True, with the status, when all is queued that will be. */
bool call_is_done(struct call *call, struct err *ret_status);

enum route_result {
	ROUTE_FOUND,
	ROUTE_NO_SERVICE,
	ROUTE_NO_METHOD,
};

enum route_result rpc_server_route(const struct rpc_server *s, enum rpc_transport transport,
		const char *service, const char *method, struct rpc_route *ret_route);

static inline void rpc_count(atomic_uint_least64_t *counter)
{
	(void)atomic_fetch_add_explicit(counter, 1, memory_order_relaxed);
}

struct rpc_server {
	bool measures;
	struct loop *loop;
	struct pool *workers, *data;
	struct rpc_limits limits;
	/* An idle gRPC connection is asked for a sign of life, and closed without one. */
	int64_t keepalive_ms, keepalive_timeout_ms;
	struct map grpc, ttrpc; /* full name -> struct entry */
	struct list listeners;	/* struct listener */
	struct list conns;	/* struct rpc_conn */
	struct list calls;	/* struct call */
	size_t conn_count, call_count;
	size_t running; /* handlers that have not come back */
	enum rpc_hold hold;
	bool left; /* for a successor: what has not begun is refused, and asked there */
	bool stopping, stop_told;
	struct loop_timer *stop_timer;
	void (*stopped)(void *arg);
	void *stopped_arg;
	void (*report)(void *arg, const struct rpc_call_report *report);
	void *report_arg;
	/* Memory of a large answer, for the next: mapping and clearing it anew takes a third of
	 * the time that a list does. */
	_Atomic(struct rpc_msg *) spare;
};

/* Any thread. NULL if there is none. */
MUST_USE struct rpc_msg *rpc_server_spare(struct rpc_server *s);
void rpc_server_give_back(struct rpc_server *s, struct rpc_msg *own_m);

/* One connection of either transport; embedded first in its struct. */
struct rpc_conn_ops {
	void (*shutdown)(struct rpc_conn *conn); /* no new calls, end when idle */
	/* server->hold has changed: stops reading, or begins what was held. */
	void (*hold)(struct rpc_conn *conn);
	enum rpc_readiness (*readiness)(struct rpc_conn *conn);
	/* All that a successor must know besides the socket and what waits to be sent there. */
	void (*describe)(struct rpc_conn *conn, struct buf *record);
};

struct rpc_conn {
	struct list node;
	struct rpc_server *server;
	const struct rpc_conn_ops *ops;
	struct rpc_sock *sock; /* NULL in tests that move the bytes themselves */
	enum rpc_wire wire;
	bool given; /* a successor has it, or is about to */
};

void rpc_conn_add(struct rpc_server *s, struct rpc_conn *conn, const struct rpc_conn_ops *ops);
void rpc_conn_remove(struct rpc_conn *conn);
bool rpc_server_holds(const struct rpc_server *s, const struct rpc_method *method);
/* For rpc_server_leave(): connections that a successor has are closed without a word. */
void rpc_server_drop_given(struct rpc_server *s);
void rpc_server_watch_listeners(struct rpc_server *s);
/* Runs a suspended call again. */
void call_continue(struct call *call);

typedef void (*rpc_accepted)(struct rpc_server *s, int own_fd);
MUST_USE int rpc_server_listen(struct rpc_server *s, int own_fd, bool same_user_only,
		rpc_accepted accepted, struct err *err);

/* Bookkeeping of calls, for rpc_call.c. */
void rpc_server_settle(struct rpc_server *s, struct call *call, int status);
void rpc_server_handler_back(struct rpc_server *s);
