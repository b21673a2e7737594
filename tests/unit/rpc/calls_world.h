/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A server of the toy service and a client of it. Each rule runs with a channel that drives its
 * own loop and with one on a loop thread, over both transports: the state is the mode.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/ctx.h"
#include "base/err.h"
#include "toy.h"

#define ANY &google__protobuf__any__descriptor

struct CMUnitTest;

struct mode {
	const char *name;
	bool grpc, own_loop;
};

struct world {
	const struct mode *mode;
	struct toy_server *s;
	struct toy *toy;
	struct loop *loop; /* the client's; NULL: the channel's own */
	unsigned long thread;
	struct channel *c;
	struct arena arena;
	struct ctx ctx;
	struct err err;
};

/* main() of such a test. */
int run_rules(const struct CMUnitTest *rules, size_t count);

struct world *begin_with(void **state, size_t workers, const struct rpc_limits *limits);
struct world *begin(void **state);
/* w->s and w->c may be gone already. */
void end(struct world *w);
/* One more connection. */
struct channel *dial(struct world *w);

/* 0, or -1 and w->err. */
int call(struct world *w, const char *method, const char *text, size_t size,
		Google__Protobuf__Any **ret);
/* w->err is this, and is empty again. */
void expect(struct world *w, enum err_kind kind, const char *text);

struct rpc_stream *open_stream(struct world *w, const char *method);
void send_any(struct world *w, struct rpc_stream *s, const char *text, size_t size);
/* The message lives until the next one comes. */
int recv_any(struct world *w, struct rpc_stream *s, Google__Protobuf__Any **ret);

/* Answers, from whatever thread they come. */
struct counter {
	struct mutex lock;
	struct cond changed;
	size_t ok, failed, unavailable;
};

void counter_init(struct counter *n);
/* A channel's callback. */
void counted(void *arg, const struct rpc_answer *answer);
/* The same for channel_on_close(). */
void told(void *arg);
void counter_wait(struct world *w, struct counter *n, size_t want);
