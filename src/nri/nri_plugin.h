/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One plugin: its process if we started it, its connection, what it is called and which events
 * it wants. Counted references; the last one may go on any thread.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "api/pb/nri.pb-c.h"
#include "base/attr.h"
#include "base/auto.h"
#include "base/list.h"
#include "base/pool.h"
#include "loop/loop.h"
#include "rpc/call.h"

struct arena;
struct err;
struct nri_plugin;

/* What the owner keeps with each plugin. */
struct nri_seat {
	struct nri_plugin *plugin;
	struct list node;
	struct job job;
	struct loop_task task;
	int fd;
	bool is_gone, is_connected;
	uint32_t warned;
};

struct nri_plugin_owner {
	struct loop *loop;
	struct pool *workers; /* for what plugins ask of us */
	int64_t registration_ns;
	/* On the loop, each at most once; "gone" last, and also for who never registered, but
	 * only for who was connected. */
	void (*registered)(void *arg, struct nri_plugin *p);
	void (*gone)(void *arg, struct nri_plugin *p);
	/* UpdateContainers, on a worker. */
	enum call_fate (*update)(void *arg, struct nri_plugin *p, struct call *call,
			const Nri__UpdateContainersRequest *r, struct err *err);
	void *arg;
};

/* One that connected: it will tell its index and name. */
MUST_USE struct nri_plugin *nri_plugin_external(const struct nri_plugin_owner *owner);
/* Starts dir/idx-base. */
MAY_BLOCK MUST_USE int nri_plugin_launch(const struct nri_plugin_owner *owner, const char *dir,
		const char *idx, const char *base, const char *config,
		struct nri_plugin **ret_plugin, int *ret_fd, struct err *err);
/* Takes the socket to it over: from now on it has registration_ns to register. */
ON_LOOP MUST_USE int nri_plugin_connect(struct nri_plugin *p, int own_fd, struct err *err);

ANY_THREAD struct nri_plugin *nri_plugin_ref(struct nri_plugin *p);
ANY_THREAD void nri_plugin_unref(struct nri_plugin *p);
DEFINE_AUTO(struct nri_plugin *, nri_plugin_unref)

/* Ends the connection, and the process if we started it. "gone" follows if it was connected. */
ANY_THREAD void nri_plugin_close(struct nri_plugin *p);
ANY_THREAD bool nri_plugin_is_closed(const struct nri_plugin *p);
ANY_THREAD bool nri_plugin_is_registered(const struct nri_plugin *p);
ANY_THREAD bool nri_plugin_is_external(const struct nri_plugin *p);

struct nri_seat *nri_plugin_seat(struct nri_plugin *p);
void *nri_plugin_owner_arg(const struct nri_plugin *p);
const char *nri_plugin_index(const struct nri_plugin *p); /* "" until it is known */
const char *nri_plugin_base(const struct nri_plugin *p);
const char *nri_plugin_name(const struct nri_plugin *p); /* "10-logger" */
/* "external:10-logger[4711]" */
const char *nri_plugin_full_name(const struct nri_plugin *p);
const char *nri_plugin_config(const struct nri_plugin *p);
/* 0: all that there are. */
void nri_plugin_set_events(struct nri_plugin *p, int32_t mask);
/* It named validation among its events: nothing may be created without its word. */
bool nri_plugin_is_validator(const struct nri_plugin *p);
bool nri_plugin_wants(const struct nri_plugin *p, Nri__Event event);

#define NRI_ALL_EVENTS ((1 << (NRI__EVENT__LAST - 1)) - 1)

enum nri_outcome {
	NRI_ANSWERED,
	NRI_REFUSED, /* err has what the plugin said */
	NRI_LOST,    /* err has why: too late, gone, or it makes no sense; it was closed */
};
/* Asks by a method of the Plugin service and waits for the answer. */
MAY_BLOCK MUST_USE enum nri_outcome nri_plugin_ask(struct nri_plugin *p, const char *method,
		int64_t timeout_ns, const ProtobufCMessage *request,
		const ProtobufCMessageDescriptor *response, struct arena *arena,
		ProtobufCMessage **ret_response, struct err *err);

/* Names as plugins may have them. */
MUST_USE int nri_check_name(const char *name, struct err *err);
MUST_USE int nri_check_index(const char *idx, struct err *err);
