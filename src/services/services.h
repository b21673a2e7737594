/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The gRPC services over core: a table of methods each, and what its handlers work on. Whoever
 * sets up the server fills the struct (which must outlive the server) and passes both to
 * rpc_server_add().
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "rpc/call.h"

struct container_store;
struct content_store;
struct deprecations;
struct differ;
struct event_bus;
struct image_store;
struct lease_store;
struct mount_manager;
struct namespace_store;
struct plugin_set;
struct pool;
struct sandbox_controller;
struct sandbox_store;
struct snapshotter;
struct streaming_table;
struct task_service;

struct containers_service {
	struct container_store *store;
};
extern const struct rpc_service containers_service;

struct images_service {
	struct image_store *store;
};
extern const struct rpc_service images_service;

struct namespaces_service {
	struct namespace_store *store;
};
extern const struct rpc_service namespaces_service;

struct leases_service {
	struct lease_store *store;
};
extern const struct rpc_service leases_service;

struct sandboxes_service {
	struct sandbox_store *store;
};
extern const struct rpc_service sandboxes_service;

/* Controllers by the name that requests carry ("sandboxer"); the table is borrowed. */
struct named_controller {
	const char *name;
	struct sandbox_controller *controller;
};
struct controllers_service {
	const struct named_controller *list;
	size_t count;
	struct event_bus *bus;
	struct pool *creators; /* as in tasks_service, for controllers without a pool */
};
extern const struct rpc_service controllers_service;

/* Snapshotters by the name that requests carry; the table is borrowed. */
struct named_snapshotter {
	const char *name;
	struct snapshotter *snapshotter;
};
struct snapshots_service {
	const struct named_snapshotter *list;
	size_t count;
};
extern const struct rpc_service snapshots_service;

struct content_service {
	struct content_store *store;
};
extern const struct rpc_service content_service;

/* Both over the same bus: what clients see, and what shims report to (ttrpc). */
struct events_service {
	struct event_bus *bus;
};
extern const struct rpc_service events_service;
extern const struct rpc_service shim_events_service;

/* Differs in the order they are tried; the next one is asked when one says UNIMPLEMENTED. */
struct diff_service {
	struct differ *const *differs;
	size_t count;
	bool sync_fs; /* for every Apply, whatever the request says */
};
extern const struct rpc_service diff_service;

struct mounts_service {
	struct mount_manager *manager;
};
extern const struct rpc_service mounts_service;

struct streaming_service {
	struct streaming_table *table;
};
extern const struct rpc_service streaming_service;

struct tasks_service {
	struct task_service *tasks;
	/* Where Create waits for shims, so that those which never answer stand in the way of no
	 * other call; NULL: on the server's workers. */
	struct pool *creators;
};
extern const struct rpc_service tasks_service;

struct version_service {
	const char *version, *revision;
};
extern const struct rpc_service version_service;

/* Works on nothing. */
extern const struct rpc_service health_service;

struct introspection_service {
	const struct plugin_set *plugins;
	const char *uuid;		   /* of this root; NULL: */
	const char *uuid_fault;		   /* why there is none */
	uint64_t pid_namespace;		   /* inode */
	struct deprecations *deprecations; /* may be NULL */
	struct task_service *tasks;	   /* for questions about runtimes; may be NULL */
};
extern const struct rpc_service introspection_service;
