/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a plugin says about itself, and what it may ask for while it starts. Plugins start once,
 * on the main thread, in an order that follows their needs, and stop in reverse. A failure is
 * soft: the daemon runs on and the list of plugins shows why.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"

struct config;
struct err;
struct listeners;
struct loop;
struct metrics;
struct plugin_env;
struct pool;
struct rpc_server;
struct toml_value;

struct plugin_need {
	const char *type; /* "*": everything else */
	const char *id;	  /* NULL: every plugin of that type */
};

struct plugin_desc {
	const char *type;		 /* "io.containerd.snapshotter.v1" */
	const char *id;			 /* "overlayfs" */
	const struct plugin_need *needs; /* ends with a NULL type; may be NULL */
	/* Blocking is fine. On failure nothing may be left behind but what "err" tells. */
	int (*init)(struct plugin_env *env, void **ret_instance, struct err *err);
	void (*fini)(void *instance); /* may be NULL; runs when the loop has stopped */
	const void *arg;	      /* for plugin_arg(): rows that share an init */
};

/* What the daemon offers to all of them. */
struct plugin_host {
	struct loop *loop;	   /* does not run yet while plugins start */
	struct pool *workers;	   /* for calls */
	struct pool *data;	   /* for long copies */
	struct rpc_server *server; /* services are added to it */
	struct metrics *metrics;   /* what /v1/metrics tells */
	struct config *config;	   /* top-level keys: config_get() */
	const char *root, *state;  /* absolute */
	const char *grpc_address, *ttrpc_address;
	struct listeners *listeners; /* sockets are opened through it (cmd/containerd) */
	struct plugin_set *plugins;  /* for introspection */
};

/* --- inside init --- */

const struct plugin_host *plugin_host(const struct plugin_env *env);
const void *plugin_arg(const struct plugin_env *env);
/* The plugin's table, checked and complete (config/config_key.h has its rows). */
const struct toml_value *plugin_config(const struct plugin_env *env);
/* "<root>/<type>.<id>" and the same below state; nobody has made them. */
const char *plugin_root(const struct plugin_env *env);
const char *plugin_state(const struct plugin_env *env);

/* The instance of a plugin that the needs name; id NULL: the only one of its type. Fails with
 * the failure of that plugin, or NOT_FOUND. */
MUST_USE int plugin_get(struct plugin_env *env, const char *type, const char *id,
		void **ret_instance, struct err *err);

/* Every running plugin of a type, in order of start: *at begins at 0; false at the end. */
bool plugin_next(struct plugin_env *env, const char *type, size_t *at, const char **ret_id,
		void **ret_instance);

/* Ends init as "not for this machine": logged as information, not as a failure. Returns -1. */
int plugin_skip(struct plugin_env *env, struct err *err, const char *fmt, ...)
		PRINTF_LIKE(3, 4);

/* What the list of plugins shows. All are copied. */
void plugin_export(struct plugin_env *env, const char *key, const char *value);
void plugin_add_capability(struct plugin_env *env, const char *capability);
void plugin_add_platform(struct plugin_env *env, const char *platform); /* "linux/amd64" */

/*
 * Handing over to another process, which opens what this one has open (docs/design/041). Each
 * entry may be NULL. "resume" undoes both when the other one does not come up; then everything
 * must go on as before.
 */
struct plugin_pause {
	/* While calls are still served: ends work of its own, or waits for it until then. */
	int (*quiesce)(void *arg, int64_t mono_deadline_ns, struct err *err);
	/* No call is served: lets go of files that the other one opens. */
	int (*suspend)(void *arg, struct err *err);
	int (*resume)(void *arg, struct err *err);
};
/* Once per plugin. Both are borrowed. */
void plugin_on_pause(struct plugin_env *env, const struct plugin_pause *pause, void *arg);
