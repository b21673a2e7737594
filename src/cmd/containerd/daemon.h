/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The daemon as an object: what it is made of, in the order it is built. Nothing of it is
 * global; two of them may live in one process.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/auto.h"
#include "plugin/plugin.h"

struct config;
struct daemon_flags;
struct err;
struct heritage;
struct listeners;
struct takeover;

struct daemon {
	int64_t start_ns; /* monotonic */
	struct config *config;
	char *root, *state; /* absolute */
	int lock; /* holds the root: two daemons would destroy each other's work there */
	struct plugin_host host;
	struct proxies *proxies;
	bool is_stopping;
	unsigned long stopper; /* thread that ends the plugins while the loop runs */
	bool has_stopper;

	/* What to start when another one is to take over; NULL: not known. */
	char *program;
	char *const *argv;	   /* of main() */
	struct takeover *takeover; /* another one is taking over */
	struct heritage *heritage; /* we are, until we serve */
	struct listeners *listeners;
};

#define DAEMON_INIT                                                                            \
	{                                                                                      \
		.lock = -1                                                                     \
	}

/* Everything up to the moment before the first call is served: directories, loop, pools,
 * server, plugins, sockets. Signals must be blocked already. Says nothing but what the log is
 * for. */
MAY_BLOCK MUST_USE int daemon_boot(
		const struct daemon_flags *flags, struct daemon *d, struct err *err);

/* The first step of it: configuration, flags, and where everything is. */
MAY_BLOCK MUST_USE int daemon_load_config(
		const struct daemon_flags *f, struct daemon *d, struct err *err);

/* Serves until a signal or daemon_stop() ends it. The calling thread becomes the loop's. */
MUST_USE int daemon_serve(struct daemon *d, struct err *err);

/* Closes the sockets, cancels calls, ends plugins; daemon_serve() returns when all is done. */
ON_LOOP void daemon_stop(struct daemon *d);

/* The last part of it: no call is served any more. */
ON_LOOP void daemon_end(struct daemon *d);

/* Tells the service manager. */
ANY_THREAD void daemon_notify(const char *state);

/* What daemon_done() does about plugins that still run. */
MAY_BLOCK void daemon_end_plugins(struct daemon *d);

/* Gives back what boot made, also half of it. */
MAY_BLOCK void daemon_done(struct daemon *d);
#define AUTO_DAEMON __attribute__((cleanup(daemon_done)))

/* Writes what the daemon is doing to the log and to a file: the answer to SIGUSR1. */
ON_LOOP void daemon_dump(struct daemon *d);

/* Its parts: the state of loop, pools and plugins, and what the kernel knows of the process. */
struct buf;
void daemon_add_state(
		const struct plugin_host *host, int64_t up_ns, size_t calls, struct buf *out);
MAY_BLOCK void daemon_add_process(struct buf *out);

/* The plugins of this build; see builtins.c. */
MUST_USE int daemon_add_builtins(struct plugin_set *set, struct err *err);
