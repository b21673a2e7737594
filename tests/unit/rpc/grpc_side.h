/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A gRPC connection without sockets or threads: the test writes frames of a client, and reads
 * those of the server.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <nghttp2/nghttp2.h>

#include "api/arena.h"
#include "rpc/grpc/grpc_serve_priv.h"
#include "toy.h"

#define PREFACE "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"

enum {
	END_STREAM = 1,
	ACK = 1,
	END_HEADERS = 4,
};

struct frame {
	int type, flags;
	uint32_t stream;
	size_t size;
	const unsigned char *data;
	const char *headers; /* "name: value\n" … */
};

struct side {
	struct toy toy;
	struct loop *loop;
	struct rpc_server *server;
	struct grpc_conn *conn;
	struct arena arena;
	nghttp2_hd_deflater *deflater;
	nghttp2_hd_inflater *inflater;
	struct frame frames[2000];
	size_t count;
	bool alive;
};

/* After the greeting on both sides; limits may be NULL. */
struct side *begin_limited(const struct rpc_limits *limits);
struct side *begin(void);
/* Without a greeting. */
struct side *begin_with(const struct rpc_limits *limits);
void end(struct side *s);

/* Bytes, a frame, and what the server says to all that: then in s->frames. */
void talk(struct side *s, const void *data, size_t size);
void say(struct side *s, int type, int flags, uint32_t stream, const void *data, size_t size);
void hear(struct side *s);
/* The n-th of what was heard, or NULL. */
const struct frame *find(const struct side *s, int type, size_t nth);

struct request {
	uint32_t stream;
	int flags; /* END_STREAM */
	const char *method, *path, *type;
	const char *extra[8]; /* name, value … */
};

/* Next in nv, unless the value is NULL. */
void add_header(nghttp2_nv *nv, size_t *n, const char *name, const char *value);
/* A request's headers; its message; both, of a unary call to the toy. */
void say_headers(struct side *s, uint32_t stream, int flags, const nghttp2_nv *nv, size_t n);
void ask(struct side *s, const struct request *r);
void say_message(struct side *s, uint32_t stream, int flags, const char *text);
void call(struct side *s, uint32_t stream, const char *method, const char *text);

uint32_t u32(const unsigned char *p);
void expect_in(const char *text, const char *part);
/* One answer that is nothing but a status. */
void expect_status(struct side *s, uint32_t stream, const char *http, const char *status,
		const char *message);
void expect_reset(struct side *s, uint32_t stream, uint32_t code);
void expect_goaway(struct side *s, uint32_t code);
/* The connection is still good for calls. */
void expect_alive(struct side *s, uint32_t stream);
