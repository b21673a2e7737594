/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Streams of messages that a client opened beforehand, for other calls to use by name
 * (reference 01 §10.2).
 */
#pragma once

#include "base/attr.h"
#include "base/auto.h"

struct any;
struct ctx;
struct err;
struct stream;
struct streams;

struct stream_ops {
	int (*send)(struct stream *self, const struct any *message, struct err *err);
	int (*recv)(struct stream *self, struct any *ret_message, struct err *err);
	void (*close)(struct stream *self);
	void (*release)(struct stream *self);
};
struct stream {
	const struct stream_ops *ops;
};

struct streams_ops {
	int (*take)(struct streams *self, struct ctx *ctx, const char *id,
			struct stream **ret_stream, struct err *err);
};
struct streams {
	const struct streams_ops *ops;
};

/* The stream of that id in the namespace of ctx (which may be none), for one user at a time:
 * NOT_FOUND if there is none, PRECONDITION while another one has it. */
ANY_THREAD MUST_USE int stream_take(struct streams *s, struct ctx *ctx, const char *id,
		struct stream **ret_stream, struct err *err);
/* Lets the next one take it. NULL is fine. */
ANY_THREAD void stream_release(struct stream *s);
DEFINE_AUTO(struct stream *, stream_release)

/* Waits while the client is slow. Fails when the client has gone, or the stream was closed. */
MAY_BLOCK MUST_USE int stream_send(
		struct stream *s, const struct any *message, struct err *err);
/* 1 and a message (borrowed until the next receive), 0 when the client sends no more. One
 * thread at a time, while another may send. */
MAY_BLOCK MUST_USE int stream_recv(struct stream *s, struct any *ret_message, struct err *err);
/* The client sees the end after what was sent. The name is free again. */
ANY_THREAD void stream_close(struct stream *s);
