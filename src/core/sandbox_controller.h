/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What runs sandboxes (reference 01 §10.1); the records of them are sandbox.h's.
 *
 * create makes things on this host and blocks. Everything else is a question that may take as
 * long as a sandbox lives: it holds no thread and tells the answer through a callback.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/labels.h"
#include "core/any.h"
#include "core/mount.h"

struct ctx;
struct err;
struct pool;
struct sandbox;
struct sandbox_controller;

/* All borrowed. */
struct sandbox_create {
	const struct sandbox *sandbox; /* id, runtime, spec */
	const struct mounts *rootfs;
	const struct any *options;
	const char *netns_path; /* "": none */
	const struct labels *annotations;
};

enum sandbox_verb {
	SANDBOX_START,
	SANDBOX_STOP,
	SANDBOX_WAIT,
	SANDBOX_STATUS,
	SANDBOX_METRICS,
	SANDBOX_SHUTDOWN, /* ends it and removes what it had */
	SANDBOX_UPDATE,
};

/* All borrowed until the callback has run. */
struct sandbox_request {
	enum sandbox_verb verb;
	const char *id;
	uint32_t timeout_secs;	       /* STOP */
	bool verbose;		       /* STATUS */
	const struct sandbox *sandbox; /* UPDATE */
	char *const *fields;	       /* UPDATE */
};

/* What a verb answers; the rest is empty, times are CLOCK_UNSET. Borrowed during the callback.
 */
struct sandbox_reply {
	uint32_t pid;		     /* START, STATUS */
	uint32_t exit_status;	     /* WAIT */
	int64_t created_ns;	     /* START, STATUS */
	int64_t exited_ns;	     /* WAIT, STATUS */
	const struct labels *labels; /* START; NULL: none */
	const struct labels *info;   /* STATUS; NULL: none */
	const char *state;	     /* STATUS */
	struct any extra;	     /* STATUS */
	const char *metrics_id;	     /* METRICS; NULL: none were measured */
	int64_t measured_ns;
	struct any metrics;
};

/* Nothing in it. */
extern const struct sandbox_reply sandbox_no_reply;

/* Runs once, on any thread; must not block. err is NULL on success, else reply is. */
typedef void (*sandbox_done)(
		void *arg, const struct sandbox_reply *reply, const struct err *err);

struct sandbox_controller_ops {
	int (*create)(struct sandbox_controller *self, struct ctx *ctx,
			const struct sandbox_create *r, struct err *err);
	void (*call)(struct sandbox_controller *self, struct ctx *ctx,
			const struct sandbox_request *r, sandbox_done done, void *arg);
	void (*free)(struct sandbox_controller *self);
};

struct sandbox_controller {
	const struct sandbox_controller_ops *ops;
	/* Where to call it from, because it may have to connect to somebody first; NULL: from
	 * anywhere. */
	struct pool *pool;
};

/* EXISTS, INVALID. Nothing is left behind on failure. */
MAY_BLOCK MUST_USE int sandbox_controller_create(struct sandbox_controller *c, struct ctx *ctx,
		const struct sandbox_create *r, struct err *err);

/* Never waits for the sandbox. ctx and r must last until done has run; it may have when this
 * returns. Of a sandbox that is not there: NOT_FOUND, but STOP has nothing to do, and STATUS
 * tells of one that has exited. */
void sandbox_controller_call(struct sandbox_controller *c, struct ctx *ctx,
		const struct sandbox_request *r, sandbox_done done, void *arg);

/* No call may be under way. NULL is fine. */
void sandbox_controller_free(struct sandbox_controller *c);
