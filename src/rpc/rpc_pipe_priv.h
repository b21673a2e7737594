/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The messages of one call in both directions, between the thread that works on the call and
 * the loop that moves the bytes. Both sides of the wire use it: struct call when we serve,
 * struct rpc_stream when we call.
 *
 * Backward pressure: the user waits in rpc_pipe_send() while much is queued, and the transport
 * stops reading (rpc_pipe_hold()) while the user does not receive.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/attr.h"
#include "base/err.h"
#include "base/mutex.h"
#include "loop/loop.h"
#include "rpc/rpc_msg_priv.h"

struct rpc_pipe;

struct rpc_pipe_ops {
	/* On the loop: something changed on the user's side. */
	void (*wake)(struct rpc_pipe *p);
	void (*ref)(struct rpc_pipe *p);
	void (*unref)(struct rpc_pipe *p);
	/* On the loop: a message was sent, its memory may serve again. NULL: it is freed. */
	void (*sent)(struct rpc_pipe *p, struct rpc_msg *own_m);
};

/* Queued bytes at which a sender waits, or the transport stops reading. */
#define RPC_PIPE_HIGH ((size_t)1 << 20)

/* Smaller ones malloc() has at hand; larger ones are no habit. */
#define RPC_SPARE_MIN ((size_t)128 << 10)
#define RPC_SPARE_MAX ((size_t)2 << 20)

struct rpc_pipe {
	struct mutex lock; /* everything below, and the owner's shared fields */
	struct cond changed;
	const struct rpc_pipe_ops *ops;
	struct loop *loop; /* where the transport lives; NULL: gone, nothing is posted any more
			    */
	bool pump;	   /* waiting drives the loop instead of sleeping */
	struct msgq in, out;
	struct rpc_msg *spare; /* memory of a large message that was read, for the next */
	bool in_end;	       /* the peer sends no more: after "in", "why" (or a clean end) */
	bool out_end;	       /* the user sends no more */
	bool over;  /* nothing moves any more in either direction, because of "why" */
	bool held;  /* the transport waits for the user to receive */
	bool hurry; /* the user is to come to an end: receiving fails, sending does not wait */
	bool no_recv, no_send; /* with hurry, of users who will go on later: these fail */
	struct err why;
	unsigned waiting;
	struct loop_task task;
	bool woken; /* task is posted */
};

void rpc_pipe_init(struct rpc_pipe *p, const struct rpc_pipe_ops *ops, struct loop *loop);
void rpc_pipe_done(struct rpc_pipe *p);

/* For the user, any thread but the loop's (there sending does not wait). */
MUST_USE int rpc_pipe_send(struct rpc_pipe *p, struct rpc_msg *own_m, struct err *err);
MUST_USE bool rpc_pipe_try_send(struct rpc_pipe *p, struct rpc_msg *own_m, size_t limit);
/* After reading: the memory of a large message serves the next one, which spares the kernel
 * from mapping and clearing it anew for every MiB. NULL is fine. */
void rpc_pipe_give_back(struct rpc_pipe *p, struct rpc_msg *own_m);
/* 1, 0 at a clean end, -1. */
MUST_USE int rpc_pipe_recv(struct rpc_pipe *p, struct rpc_msg **ret_m, struct err *err);

/* With the lock held. */
void rpc_pipe_wake_locked(struct rpc_pipe *p);
void rpc_pipe_changed_locked(struct rpc_pipe *p);
void rpc_pipe_wait_locked(struct rpc_pipe *p);
/* The first reason counts; NULL: none. */
void rpc_pipe_end_in_locked(struct rpc_pipe *p, const struct err *why);
void rpc_pipe_break_locked(struct rpc_pipe *p, const struct err *why);

/* For the transport, on the loop. */
void rpc_pipe_deliver(struct rpc_pipe *p, struct rpc_msg *own_m);
void rpc_pipe_end_in(struct rpc_pipe *p);
/* What was given back; NULL if nothing was. */
MUST_USE struct rpc_msg *rpc_pipe_spare(struct rpc_pipe *p);
/* True if the transport must stop reading until the next wake. */
MUST_USE bool rpc_pipe_hold(struct rpc_pipe *p);
/* What was taken is on its way. */
void rpc_pipe_sent(struct rpc_pipe *p, struct rpc_msg *own_m);
/* NULL if nothing is queued; then *ret_end tells whether nothing will be. */
MUST_USE struct rpc_msg *rpc_pipe_take(struct rpc_pipe *p, bool *ret_end);
