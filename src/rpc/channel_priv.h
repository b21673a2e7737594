/* SPDX-License-Identifier: Apache-2.0 */
/* What channels of both transports share: connections, calls in flight, waiting. */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/cancel.h"
#include "base/list.h"
#include "rpc/channel.h"
#include "rpc/rpc_pipe_priv.h"

struct rpc_sock;
struct rpc_sock_ops;

/* One call that we make: unary ones too. */
struct rpc_stream {
	struct rpc_pipe pipe; /* first */
	atomic_int refs;
	struct channel *channel;
	char *service, *method, *ns, *lease;
	int64_t deadline_ns;
	struct cancel *cancel;
	bool unary;
	bool is_users; /* holds one of the channel's user references */
	rpc_done done; /* channel_start() */
	void *done_arg;

	/* under pipe.lock */
	bool cancelled;
	bool asked; /* the user waits for the peer */

	/* on the loop */
	struct list node; /* channel->streams */
	struct cancel_hook hook;
	bool hooked, started, ended;
	struct loop_timer *timer;
	void *link; /* the transport's */
};

struct channel_ops {
	void (*start)(struct channel *c, struct rpc_stream *s);
	/* The user sent, closed, received or asked. */
	void (*update)(struct channel *c, struct rpc_stream *s);
	/* Nobody wants the answer any more: tell the peer if the transport can; drops the link.
	 */
	void (*forget)(struct channel *c, struct rpc_stream *s);
	/* Why calls fail once the connection is gone. */
	void (*gone)(const struct channel *c, struct err *err);
	const struct rpc_sock_ops *sock_ops; /* their "proto" is the channel */
	void (*free)(struct channel *c);     /* the transport's parts; the last thing */
};

/* Embedded first in the transport's struct. */
struct channel {
	atomic_int users, refs;
	const struct channel_ops *ops;
	struct loop *loop;
	bool own_loop;
	pid_t peer_pid;
	atomic_bool closed;

	struct mutex lock;
	struct list watchers; /* struct watcher; under lock */
	bool told;	      /* under lock */

	/* on the loop */
	struct rpc_sock *sock;
	int fd; /* until it is attached */
	struct list streams;
	struct loop_task attach, close;
};

/* Makes the channel of a freshly made, zeroed transport struct work. */
void channel_init(struct channel *c, const struct channel_ops *ops, struct loop *loop,
		int own_fd);
/* A connected stream socket, or -1. */
MUST_USE int channel_connect(const char *address, const struct ctx *ctx, struct err *err);

/* For transports, on the loop: */
/* Ends a call with the peer's status (empty: OK), after what was delivered. */
void rpc_stream_ended(struct rpc_stream *s, const struct err *status);
/* Ends it at once, dropping what was not received. */
void rpc_stream_broken(struct rpc_stream *s, const struct err *why);
/* The sock_ops' "closed" of every transport. */
void channel_on_closed(void *channel);
/* Makes the connection fail after what is queued: calls end through channel_on_closed(). */
void channel_fail(struct channel *c);
