/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Keepalive of one connection, either side's: after some silence the peer is asked for a sign
 * of life (a PING, which its HTTP/2 answers by itself), and is lost when none comes in time.
 * Anything heard is a sign of life.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"

struct h2_conn;
struct loop;
struct loop_timer;

struct grpc_alive_ops {
	bool (*is_wanted)(void *conn); /* false: sleep until grpc_alive_wake() */
	void (*kick)(void *conn);      /* there is something to send */
	void (*lost)(void *conn);      /* the last call: may end everything */
};

struct grpc_alive {
	const struct grpc_alive_ops *ops;
	void *conn;
	struct h2_conn *h2;
	struct loop *loop; /* NULL: not begun yet */
	struct loop_timer *timer;
	int64_t silence_ms, timeout_ms;
	int64_t heard_ns, pinged_ns; /* pinged_ns 0: not asked */
	bool awake;
};

ON_LOOP void grpc_alive_init(struct grpc_alive *a, struct loop *loop, struct h2_conn *h2,
		const struct grpc_alive_ops *ops, void *conn);
/* Fine on a zeroed struct. */
ON_LOOP void grpc_alive_done(struct grpc_alive *a);
ON_LOOP void grpc_alive_heard(struct grpc_alive *a);
/* Begins to watch, with a silence that begins now; nothing if it does already. */
ON_LOOP void grpc_alive_wake(struct grpc_alive *a);
