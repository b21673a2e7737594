/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Giving the connections of a server to another process, calls and all (docs/design/041). The
 * peers notice nothing: not a byte is lost or sent twice, and calls that wait there go on
 * waiting. All of it is the loop's.
 *
 * The giver holds back calls, waits until it is quiet, describes its connections, and leaves or
 * goes on as before. The taker holds everything back, adopts, and lets go.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"

struct buf;
struct err;
struct rpc_server;

enum rpc_hold {
	RPC_HOLD_NONE,
	RPC_HOLD_SLOW, /* calls of RPC_SLOW methods wait, all others are served */
	RPC_HOLD_ALL,  /* no call begins, nothing is accepted or read */
};

/* Going back to NONE begins what waited. */
ON_LOOP void rpc_server_hold(struct rpc_server *s, enum rpc_hold hold);

/* Calls of RPC_SLOW methods that are under way and not older than max_age_ns. What is older
 * hangs on something, and is not waited for. */
ON_LOOP size_t rpc_server_slow_calls(const struct rpc_server *s, int64_t max_age_ns);

/* After RPC_HOLD_ALL: */
enum rpc_quiet {
	RPC_BUSY,   /* handlers run that may touch anything */
	RPC_NEARLY, /* none do; some connection waits for a last word */
	RPC_QUIET,  /* all connections can be given away that ever will */
};
ON_LOOP enum rpc_quiet rpc_server_quiet(const struct rpc_server *s);

/* What the taker must know, for each connection in turn. The descriptor is the callee's. False:
 * this one stays here after all. */
enum rpc_wire {
	RPC_WIRE_GRPC = 1,
	RPC_WIRE_TTRPC = 2,
};
typedef bool (*rpc_give)(void *arg, enum rpc_wire wire, int own_fd, const struct buf *record);
/* Nothing is read or sent any more on what was given, until it is held no more. */
ON_LOOP void rpc_server_give(struct rpc_server *s, rpc_give give, void *arg);

/* The taker has them: forgets what was given, and stops as rpc_server_stop() does, so that what
 * could not be given is finished here. Calls that begin on those connections all the same are
 * refused as HTTP/2 has it for calls that may be made again elsewhere. */
ON_LOOP void rpc_server_leave(
		struct rpc_server *s, int64_t grace_ms, void (*done)(void *arg), void *arg);

/* Takes a connection. The server must be at RPC_HOLD_ALL. INVALID if the record is not one. */
ON_LOOP MUST_USE int grpc_adopt(struct rpc_server *s, int own_fd, const void *record,
		size_t size, struct err *err);
ON_LOOP MUST_USE int ttrpc_adopt(struct rpc_server *s, int own_fd, const void *record,
		size_t size, struct err *err);
