/* SPDX-License-Identifier: Apache-2.0 */
/* What serving and calling share of HTTP/2: an nghttp2 session as bytes in and out, and streams
 * that carry the messages of an rpc_pipe. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <nghttp2/nghttp2.h>

#include "base/list.h"
#include "rpc/grpc/grpc_reader_priv.h"
#include "rpc/rpc_pipe_priv.h"

struct err;

/* Receive windows: what a peer may send ahead (stack notes §2: below 1 MiB uploads are slow).
 */
#define H2_STREAM_WINDOW     ((int32_t)1 << 20)
#define H2_CONNECTION_WINDOW ((int32_t)8 << 20)

struct h2_conn {
	nghttp2_session *session;
	struct list streams;
	size_t stream_count;
	const unsigned char *unsent; /* nghttp2's, until the next mem_send */
	size_t unsent_size;
	bool broken; /* no more input; what is queued (a GOAWAY) still goes out */
};

/* Embedded first in the stream structs of both sides. */
struct h2_stream {
	struct list node; /* h2->streams */
	struct h2_conn *h2;
	struct rpc_pipe *pipe; /* NULL: no call yet, what comes is thrown away */
	int32_t id;
	struct grpc_reader reader;
	struct rpc_msg *current; /* being sent */
	size_t at;
	size_t held;  /* received, but the peer's window not yet given back */
	bool sending; /* has a data provider */
	bool deaf;    /* what comes is thrown away */
};

/* Options of both sides; the caller frees. */
MUST_USE nghttp2_option *h2_options(void);
void h2_init(struct h2_conn *h2);
void h2_done(struct h2_conn *h2);

/* The three work as their namesakes in rpc_sock_ops. */
bool h2_input(struct h2_conn *h2, const void *data, size_t size);
size_t h2_output(struct h2_conn *h2, void *room, size_t size);
bool h2_finished(const struct h2_conn *h2);

void h2_stream_init(struct h2_stream *s, struct h2_conn *h2, int32_t id, size_t max_message);
void h2_stream_done(struct h2_stream *s);

/* Bytes of a DATA frame: delivers whole messages, gives windows back. -1 for a message that is
 * not acceptable. */
MUST_USE int h2_receive(
		struct h2_stream *s, const unsigned char *data, size_t size, struct err *err);
/* The user has received: gives back what was held. */
void h2_unhold(struct h2_stream *s);
/* Fills a DATA frame from the pipe; *ret_end when nothing will follow. */
size_t h2_fill(struct h2_stream *s, unsigned char *room, size_t size, bool *ret_end);
/* There may be something to send again. */
void h2_resume(struct h2_stream *s);

/* Names are literals, in small letters: nghttp2 need not copy them. */
#define H2_NV(name, value, size)                                                               \
	((nghttp2_nv){ (uint8_t *)("" name), (uint8_t *)(value), sizeof(name) - 1, (size),     \
			NGHTTP2_NV_FLAG_NO_COPY_NAME })
/* Both are literals. */
#define H2_NV_FIXED(name, value)                                                               \
	((nghttp2_nv){ (uint8_t *)("" name), (uint8_t *)("" value), sizeof(name) - 1,          \
			sizeof(value) - 1,                                                     \
			NGHTTP2_NV_FLAG_NO_COPY_NAME | NGHTTP2_NV_FLAG_NO_COPY_VALUE })
