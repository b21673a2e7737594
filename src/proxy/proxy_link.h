/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The way to a process that serves plugins: one connection, made when it is needed and again
 * when it has ended. Several plugins may share one.
 *
 * A call may wait for as long as its caller does. One that nobody can cancel and that has no
 * deadline gets one, so that a process which never answers holds up only who asked it.
 */
#pragma once

#include <stddef.h>

#include "base/attr.h"
#include "base/auto.h"

struct arena;
struct channel;
struct ctx;
struct err;
struct loop;
struct proxy_link;
struct rpc_answer;
struct rpc_stream;
struct ProtobufCMessage;
struct ProtobufCMessageDescriptor;

/* What one answer may take, decoded. */
#define PROXY_ANSWER_MAX ((size_t)64 << 20)

/* The loop must outlive it. Does not connect yet. */
MUST_USE struct proxy_link *proxy_link_new(struct loop *loop, const char *address);
struct proxy_link *proxy_link_ref(struct proxy_link *l);
void proxy_link_unref(struct proxy_link *l);
DEFINE_AUTO(struct proxy_link *, proxy_link_unref)

const char *proxy_link_address(const struct proxy_link *l);

/* As channel_call() and channel_stream(); UNAVAILABLE when the process is not there.
 * ret_response: where a pointer to the response's type is. */
MAY_BLOCK MUST_USE int proxy_call(struct proxy_link *l, const struct ctx *ctx,
		const char *service, const char *method, const struct ProtobufCMessage *request,
		const struct ProtobufCMessageDescriptor *response, struct arena *arena,
		void *ret_response, struct err *err);
/* Waits only to connect, then as channel_start(): "done" runs once, perhaps at once. Bounded by
 * nothing but the ctx. */
MAY_BLOCK void proxy_start(struct proxy_link *l, const struct ctx *ctx, const char *service,
		const char *method, const struct ProtobufCMessage *request,
		void (*done)(void *arg, const struct rpc_answer *answer), void *arg);
MAY_BLOCK MUST_USE int proxy_stream(struct proxy_link *l, const struct ctx *ctx,
		const char *service, const char *method, struct rpc_stream **ret_stream,
		struct err *err);
/* A stream of answers to one request. */
MAY_BLOCK MUST_USE int proxy_ask(struct proxy_link *l, const struct ctx *ctx,
		const char *service, const char *method, const struct ProtobufCMessage *request,
		struct rpc_stream **ret_stream, struct err *err);

/* For answers that do not say what they must: UNKNOWN, naming the method and what it was asked
 * about (NULL: nothing in particular). */
int proxy_bad_answer(const char *method, const char *object, const char *what, struct err *err);
