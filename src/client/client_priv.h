/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Inside libctrd: struct err and core values; the public functions are thin wrappers that turn
 * a struct err into a struct ctrd_error at the very end. Objects handed out are core values
 * that live in the arena their message was decoded into.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "api/arena.h"
#include "api/services.def"
#include "base/attr.h"
#include "base/auto.h"
#include "base/ctx.h"
#include "base/err.h"
#include "base/labels.h"
#include "base/mutex.h"
#include "core/any.h"

#include "ctrd/ctrd.h"

struct buf;
struct channel;
struct rpc_stream;
struct ProtobufCMessage;
struct ProtobufCMessageDescriptor;

#define CLIENT_MAX_IDLE 4

struct ctrd_client {
	char *address, *ns, *lease;
	int64_t connect_timeout_ns;
	int64_t deadline_ns; /* monotonic; 0: none */
	struct cancel *cancel;
	struct mutex lock;
	struct channel *idle[CLIENT_MAX_IDLE]; /* under lock: connections nobody uses */
	size_t idle_count;
};

struct ctrd_error {
	int code;
	char *text;
};

/* A struct labels under its public name. */
struct ctrd_labels {
	struct labels set;
};

struct ctrd_any {
	struct any any;
};

static inline const struct ctrd_labels *public_labels(const struct labels *l)
{
	return container_of(l, const struct ctrd_labels, set);
}

static inline const struct labels *inner_labels(const struct ctrd_labels *l)
{
	static const struct labels none = { 0 };

	return l == NULL ? &none : &l->set;
}

/* The last line of a public function: 0, or -1 with the error handed over. Empties err. */
int api_result(int rc, struct err *err, struct ctrd_error **ret_error);

/* Replies may be lists of many thousand objects. */
#define CLIENT_REPLY_BUDGET ((size_t)1 << 30)

/* Which method to call: CLIENT_CONTAINERS_Get, … */
enum client_method {
#define CLIENT_METHOD(id, method, kind, request, response) CLIENT_##id##_##method,
#define CLIENT_METHODS                                                                         \
	API_METHODS_CONTAINERS(CLIENT_METHOD)                                                  \
	API_METHODS_CONTENT(CLIENT_METHOD)                                                     \
	API_METHODS_DIFF(CLIENT_METHOD)                                                        \
	API_METHODS_EVENTS(CLIENT_METHOD)                                                      \
	API_METHODS_IMAGES(CLIENT_METHOD)                                                      \
	API_METHODS_INTROSPECTION(CLIENT_METHOD)                                               \
	API_METHODS_LEASES(CLIENT_METHOD)                                                      \
	API_METHODS_NAMESPACES(CLIENT_METHOD)                                                  \
	API_METHODS_SANDBOX_STORE(CLIENT_METHOD)                                               \
	API_METHODS_SANDBOX_CONTROLLER(CLIENT_METHOD)                                          \
	API_METHODS_SNAPSHOTS(CLIENT_METHOD)                                                   \
	API_METHODS_TASKS(CLIENT_METHOD)                                                       \
	API_METHODS_VERSION(CLIENT_METHOD)
	CLIENT_METHODS
#undef CLIENT_METHOD
			CLIENT_METHOD_COUNT
};

struct ctx client_ctx(const struct ctrd_client *c);

/* One unary call; the answer lives in the arena. NULL on failure. */
MUST_USE const void *client_call(struct ctrd_client *c, enum client_method method,
		const struct ProtobufCMessage *request, struct arena *a, struct err *err);
/* For methods that answer nothing. */
MUST_USE int client_do(struct ctrd_client *c, enum client_method method,
		const struct ProtobufCMessage *request, struct err *err);

/* A stream, on a connection of its own while it lasts. */
struct client_stream {
	struct ctrd_client *client;
	struct channel *channel;
	struct rpc_stream *stream;
	const struct ProtobufCMessageDescriptor *response;
};

/* With a request: sends it and closes our side. */
MUST_USE int client_stream_open(struct ctrd_client *c, enum client_method method,
		const struct ProtobufCMessage *request, struct client_stream *ret_stream,
		struct err *err);
MUST_USE int client_stream_send(struct client_stream *s, const struct ProtobufCMessage *message,
		struct err *err);
/* 1 and a message, 0 at the end, -1. */
MUST_USE int client_stream_recv(struct client_stream *s, struct arena *a,
		const void **ret_message, struct err *err);
void client_stream_close(struct client_stream *s); /* fine on a zeroed one */

/* The name, or what a label of the namespace says instead of NULL or "", or the fallback;
 * owned. */
MUST_USE int client_default(struct ctrd_client *c, const char *label, const char *name,
		const char *fallback, char **ret_name, struct err *err);
/* The name that NULL or "" stands for; owned. */
MUST_USE int client_snapshotter(
		struct ctrd_client *c, const char *name, char **ret_name, struct err *err);

/* "<nanoseconds of now>-<four characters>", for keys and ids that must not repeat. */
MUST_USE char *client_random_id(void);

/* Runs between two calls of a longer operation: records everything under a lease that ends with
 * it, unless the client has one already. */
struct lease_scope {
	struct ctrd_client *client;
	char *id; /* NULL: none of ours */
};
MUST_USE int lease_scope_open(struct ctrd_client *c, struct lease_scope *ret, struct err *err);
void lease_scope_close(struct lease_scope *s);
#define AUTO_LEASE_SCOPE __attribute__((cleanup(lease_scope_close)))
