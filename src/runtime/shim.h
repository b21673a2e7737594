/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One task as the daemon knows it: its bundle and the connection to the shim that runs it. A
 * shim process may serve several tasks; each has a connection of its own here.
 */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "api/arena.h"
#include "base/attr.h"
#include "base/auto.h"
#include "base/ctx.h"
#include "base/mutex.h"
#include "rpc/channel.h"
#include "runtime/shim_endpoint.h"

struct loop;
struct shim_log;

/* What outlives the connection: told when it ends. */
struct shim_link {
	struct mutex lock;
	struct cond changed;
	bool is_closed; /* under lock */
	_Atomic int refs;
};

struct shim {
	char *ns, *id;
	char *bundle;	/* path */
	char *binary;	/* path; NULL if it is not known */
	char *runtime;	/* what the client called it; NULL: not started by this daemon */
	char *sandbox;	/* the container's sandbox, or "" */
	bool is_pod;	/* serves a sandbox, not a task: pods.h */
	bool is_joined; /* the shim is its sandbox's, and was not started for it */
	_Atomic int refs;

	/* Set before the table shows the shim to others, constant from then on. */
	struct shim_endpoint endpoint;
	struct channel *channel;
	struct shim_link *link;
	struct shim_log *log;

	/* Task API spoken; lowered once if a shim that claims 3 turns out to know only 2. */
	_Atomic int version;
	/* Whoever sets it cleans up: the call that deletes the task, or the end of the
	 * connection. */
	atomic_bool is_claimed;

	bool is_ready; /* the table's lock: there is a connection */
};

MUST_USE struct shim *shim_new(const char *ns, const char *id, const char *bundle);
ANY_THREAD struct shim *shim_ref(struct shim *s);
ANY_THREAD void shim_unref(struct shim *s); /* the last one closes connection and log */
DEFINE_AUTO(struct shim *, shim_unref)

/* Takes the endpoint over and connects. "lost" runs on the loop when the connection ends; it
 * gets what names the shim, not the shim, which may be gone by then, and another in its place:
 * compare the link. */
typedef void (*shim_lost)(
		void *arg, const char *ns, const char *id, const struct shim_link *link);
MAY_BLOCK MUST_USE int shim_connect(struct shim *s, struct loop *loop, struct ctx *ctx,
		struct shim_endpoint *own_endpoint, shim_lost lost, void *arg, struct err *err);

/* Ends the connection, if there is one; calls in flight fail. */
ANY_THREAD void shim_close(struct shim *s);

/* False if the connection is still there when the time is over. */
MAY_BLOCK bool shim_wait_closed(struct shim *s, int64_t mono_deadline_ns);

/* True for the one caller that is to clean up. */
bool shim_claim(struct shim *s);

/* One call of the task service. The request's type is task_v3's: v2 has the same bytes. The
 * answer is decoded into the arena. */
MAY_BLOCK MUST_USE int shim_call(struct shim *s, struct ctx *ctx, const char *method,
		const ProtobufCMessage *request, const ProtobufCMessageDescriptor *response,
		struct arena *arena, ProtobufCMessage **ret_response, struct err *err);

/* The same without waiting: the caller's struct, alive until done has run (on the loop, or on
 * the calling thread). */
struct shim_ask {
	struct shim *shim; /* our reference, dropped by the caller in done */
	struct ctx ctx;
	const char *method;
	const ProtobufCMessage *request;
	void (*done)(struct shim_ask *ask, const struct rpc_answer *answer);
};
ANY_THREAD void shim_ask(struct shim_ask *ask);

/* What a failed call means to a client: of a connection that has ended, the original says
 * "ttrpc: closed" without a class. */
void shim_translate(const struct shim *s, const struct err *from, struct err *err);
