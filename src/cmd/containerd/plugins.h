/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The init and fini functions that builtins.c lists, by the file they are in, and the types of
 * plugins. Adding a plugin: a row in builtins.c, a function in the plugins_*.c it belongs to, a
 * line here, and rows in config/config_keys_plugins.c if it has settings.
 */
#pragma once

#include <stdbool.h>
#include <sys/types.h>

#include "base/attr.h"
#include "plugin/plugin.h"

#define TYPE_INTERNAL	       "io.containerd.internal.v1"
#define TYPE_RUNTIME	       "io.containerd.runtime.v2"
#define TYPE_SERVICE	       "io.containerd.service.v1"
#define TYPE_GRPC	       "io.containerd.grpc.v1"
#define TYPE_TTRPC	       "io.containerd.ttrpc.v1"
#define TYPE_SNAPSHOTTER       "io.containerd.snapshotter.v1"
#define TYPE_TASK_MONITOR      "io.containerd.monitor.task.v1"
#define TYPE_CONTAINER_MONITOR "io.containerd.monitor.container.v1"
#define TYPE_DIFFER	       "io.containerd.differ.v1"
#define TYPE_METADATA	       "io.containerd.metadata.v1"
#define TYPE_CONTENT	       "io.containerd.content.v1"
#define TYPE_GC		       "io.containerd.gc.v1"
#define TYPE_EVENT	       "io.containerd.event.v1"
#define TYPE_LEASE	       "io.containerd.lease.v1"
#define TYPE_STREAMING	       "io.containerd.streaming.v1"
#define TYPE_TRANSFER	       "io.containerd.transfer.v1"
#define TYPE_SANDBOX_STORE     "io.containerd.sandbox.store.v1"
#define TYPE_SANDBOX	       "io.containerd.sandbox.controller.v1"
#define TYPE_VERIFIER	       "io.containerd.image-verifier.v1"
#define TYPE_WARNING	       "io.containerd.warning.v1"
#define TYPE_NRI	       "io.containerd.nri.v1"
#define TYPE_SHIM	       "io.containerd.shim.v1"
#define TYPE_SERVER	       "io.containerd.server.v1"
#define TYPE_MOUNT_MANAGER     "io.containerd.mount-manager.v1"
#define TYPE_MOUNT_HANDLER     "io.containerd.mount-handler.v1"

typedef int plugin_init(struct plugin_env *env, void **ret_instance, struct err *err);
typedef void plugin_fini(void *instance);

/* The plugin's own directory, made with 0700 if "mode" says no more. */
MAY_BLOCK MUST_USE int plugin_make_dir(const char *path, mode_t mode, struct err *err);

/* Says that a plugin works for this machine: clients refuse those that name no platform. */
void add_host_platform(struct plugin_env *env);

/* plugins_base.c */
plugin_init plugin_opt_init;
plugin_init plugin_warning_init;
plugin_fini plugin_warning_fini;

/* plugins_server.c: where the API is served. */
struct api_listener {
	char *address;
	uid_t uid;
	gid_t gid;
	bool is_ttrpc;
	int fd; /* -1 once the server has it */
};
plugin_init plugin_grpc_init;
plugin_init plugin_ttrpc_init;
plugin_fini plugin_listener_fini;
MAY_BLOCK MUST_USE int api_listener_open(
		struct api_listener *l, struct listeners *listeners, struct err *err);

/* plugins_services.c */
plugin_init plugin_version_init;
plugin_init plugin_health_init;
plugin_init plugin_introspection_service_init;
plugin_fini plugin_introspection_service_fini;
plugin_init plugin_introspection_init;

/* plugins_meta.c. Instances: struct event_bus, struct content_store, struct meta; of the
 * services struct container_store and so on, of "snapshots-service" struct snapshots_service;
 * of TYPE_LEASE struct lease_store. Instances of TYPE_SNAPSHOTTER are struct snapshotter. */
plugin_init plugin_exchange_init;
plugin_fini plugin_exchange_fini;
plugin_init plugin_content_init;
plugin_fini plugin_content_fini;
plugin_init plugin_metadata_init;
plugin_fini plugin_metadata_fini;
plugin_init plugin_gc_init;
plugin_fini plugin_gc_fini;
plugin_init plugin_lease_init;
plugin_init plugin_containers_store_init;
plugin_init plugin_images_store_init;
plugin_init plugin_namespaces_store_init;
plugin_init plugin_content_store_init;
plugin_init plugin_sandboxes_store_init; /* of TYPE_SANDBOX_STORE: struct sandbox_store */
plugin_init plugin_snapshots_store_init;
plugin_fini plugin_snapshots_store_fini;
plugin_init plugin_containers_init;
plugin_init plugin_images_init;
plugin_init plugin_namespaces_init;
plugin_init plugin_content_service_init;
plugin_init plugin_leases_init;
plugin_init plugin_sandboxes_init;
plugin_init plugin_snapshots_init;
plugin_init plugin_events_init;
plugin_fini plugin_service_fini;

/* plugins_mounts.c. The instance of TYPE_MOUNT_MANAGER is a struct mounts_service. */
plugin_init plugin_mounts_init;
plugin_fini plugin_mounts_fini;
plugin_init plugin_mounts_service_init;

/* plugins_streaming.c. The instance of TYPE_STREAMING is a struct streaming_service. */
plugin_init plugin_streams_init;
plugin_fini plugin_streams_fini;
plugin_init plugin_streaming_init;

/* plugins_snapshotters.c. Instances: struct snapshotter. */
plugin_init plugin_overlay_init;
plugin_init plugin_native_init;
plugin_fini plugin_snapshotter_fini;

/* plugins_runtime.c. The instance of "tasks-service" is a struct task_service. */
plugin_init plugin_shims_init;
plugin_fini plugin_shims_fini;
plugin_init plugin_tasks_init;
plugin_fini plugin_tasks_fini;
plugin_init plugin_task_store_init;
plugin_init plugin_tasks_service_init;
plugin_fini plugin_tasks_service_fini;
/* A pool for calls that make something with a shim's help. */
struct pool;
struct pool *plugin_creators(void);

/* plugins_sandbox.c. Instances of TYPE_SANDBOX: struct sandbox_controller. */
plugin_init plugin_sandbox_shim_init;
plugin_fini plugin_sandbox_shim_fini;
plugin_init plugin_controllers_init;
plugin_fini plugin_controllers_fini;

/* plugins_nri.c. What tasks and sandboxes are given, as plugins of the Node Resource Interface
 * see it; the same if they are shown none of it. */
struct plugin_set;
struct sandbox_controller;
struct task_service;
plugin_init plugin_nri_init;
plugin_fini plugin_nri_fini;
MUST_USE int nri_show_tasks(
		struct plugin_env *env, struct task_service **tasks, struct err *err);
struct sandbox_controller *nri_show_sandboxes(
		struct plugin_env *env, const char *id, struct sandbox_controller *inner);
/* From now on plugins may come; all that they are to be shown is there. */
MAY_BLOCK void nri_serve(struct plugin_set *plugins);
/* Plugins are told of nothing any more, and ask for nothing: all else may end. */
MAY_BLOCK void nri_silence(struct plugin_set *plugins);

/* plugins_debug.c */
plugin_init plugin_debug_init;
plugin_fini plugin_debug_fini;

/* plugins_metrics.c */
plugin_init plugin_metrics_init;
plugin_fini plugin_metrics_fini;

/* plugins_monitor.c: what watches tasks and containers. */
plugin_init plugin_restart_init;
plugin_fini plugin_restart_fini;

/* plugins_diff.c. Instances: struct differ; of "diff-service" struct diff_service. */
plugin_init plugin_walking_init;
plugin_fini plugin_differ_fini;
plugin_init plugin_diff_service_init;
plugin_fini plugin_diff_service_fini;
plugin_init plugin_diff_init;
