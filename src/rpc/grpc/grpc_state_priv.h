/* SPDX-License-Identifier: Apache-2.0 */
/* What a gRPC connection that we serve is made of; for the files that serve it. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/list.h"
#include "rpc/grpc/grpc_alive_priv.h"
#include "rpc/grpc/grpc_guard_priv.h"
#include "rpc/grpc/grpc_h2_priv.h"
#include "rpc/grpc/grpc_track_priv.h"
#include "rpc/server_priv.h"

struct grpc_call {
	struct h2_stream h2; /* first */
	struct grpc_conn *conn;
	struct call *call;   /* NULL: none yet, or refused */
	struct list ready;   /* in conn->ready: to be dispatched */
	struct buf headers;  /* name, 0, value, 0 … until the call exists */
	char *path, *method; /* pseudo headers */
	size_t header_bytes;
	unsigned pseudo_seen; /* bits of enum pseudo */
	bool regular_seen, malformed, too_large;
	bool routed;	/* headers are complete: what follows are trailers */
	bool in_ended;	/* END_STREAM came */
	bool responded; /* headers of the response are queued */
	size_t swallow; /* bytes an earlier server has sent in our place */
};

struct grpc_conn {
	struct rpc_conn conn; /* first */
	struct h2_conn h2;
	struct grpc_guard guard;
	struct list ready;
	struct grpc_alive alive;
	bool draining;	/* first GOAWAY sent, waits for the ping behind it */
	bool settled;	/* the peer has taken our settings */
	bool replaying; /* nothing that is said is sent: the peer has it already */
	uint32_t last_id, dummy_id;
	struct h2_track track;
};

/* Headers of one request, counted as HPACK does: name + value + 32. */
#define GRPC_MAX_HEADERS ((size_t)16 * 1024)

/* The headers of a response with messages. */
void grpc_respond_data(struct grpc_call *g);
/* Begins what may begin. Outside of nghttp2's callbacks. */
void grpc_dispatch_ready(struct grpc_conn *c);

/* grpc_handover.c: see struct rpc_conn_ops. */
void grpc_conn_hold(struct rpc_conn *conn);
enum rpc_readiness grpc_conn_readiness(struct rpc_conn *conn);
void grpc_conn_describe(struct rpc_conn *conn, struct buf *record);
