/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Moves bytes between a socket and a protocol that does no I/O of its own. Loop thread.
 * Reading stops while the protocol does not want bytes; writing is one send() of up to 64 KiB
 * per round (stack notes §2).
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/attr.h"

struct loop;
struct rpc_sock;

struct rpc_sock_ops {
	/* False when the connection cannot go on: what output() has left is sent, then closed.
	 */
	bool (*input)(void *proto, const void *data, size_t size);
	/* Fills the room with the next bytes for the peer; returns how many, 0 for none now. */
	size_t (*output)(void *proto, void *room, size_t size);
	bool (*wants_input)(void *proto);
	/* True when nothing will be said or heard any more. */
	bool (*finished)(void *proto);
	/* Bytes that are missing of a frame that has begun to come; 0: none has. */
	size_t (*missing)(void *proto);
	/* The socket has gone. Called once, at last; may free the protocol. */
	void (*closed)(void *proto);
};

MUST_USE struct rpc_sock *rpc_sock_new(
		struct loop *loop, int own_fd, const struct rpc_sock_ops *ops, void *proto);
/* Asks for output() (and wants_input() and finished()) soon. NULL is fine. */
void rpc_sock_kick(struct rpc_sock *s);
/* closed() runs before this returns, unless called from inside another callback: then right
 * after that. NULL is fine. */
void rpc_sock_close(struct rpc_sock *s);

/* For handing over. Paused, it reads no further than to the end of a frame. */
void rpc_sock_pause(struct rpc_sock *s, bool on);
/* Sealed, nothing is read or sent; what the protocol had to send waits in rpc_sock_unsent(). */
void rpc_sock_seal(struct rpc_sock *s, bool on);
const void *rpc_sock_unsent(const struct rpc_sock *s, size_t *ret_size);
/* A second descriptor of the socket, or -1. */
int rpc_sock_dup(const struct rpc_sock *s);
/* The other side of it: one that begins sealed, and sends these bytes first. */
MUST_USE struct rpc_sock *rpc_sock_adopt(struct loop *loop, int own_fd,
		const struct rpc_sock_ops *ops, void *proto, const void *unsent, size_t size);
