/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The only list of plugins. With their needs, the order here gives the order of start and of
 * "ctr plugins ls"; it is the original's.
 */
#include "base/err.h"
#include "cmd/containerd/daemon.h"
#include "cmd/containerd/plugins.h"
#include "plugin/plugin_set.h"

static const struct plugin_need introspection_service_needs[] = { { TYPE_WARNING, NULL },
	{ 0 } };
static const struct plugin_need introspection_needs[] = {
	{ TYPE_SERVICE, "introspection-service" }, { TYPE_SERVICE, "tasks-service" }, { 0 }
};
static const struct plugin_need metadata_needs[] = { { TYPE_CONTENT, NULL },
	{ TYPE_EVENT, NULL }, { TYPE_SNAPSHOTTER, NULL }, { 0 } };
static const struct plugin_need on_metadata[] = { { TYPE_METADATA, NULL }, { 0 } };
static const struct plugin_need lease_needs[] = { { TYPE_METADATA, NULL }, { TYPE_GC, NULL },
	{ 0 } };
static const struct plugin_need on_differs[] = { { TYPE_DIFFER, NULL }, { 0 } };
static const struct plugin_need on_warning[] = { { TYPE_WARNING, NULL }, { 0 } };
static const struct plugin_need on_event[] = { { TYPE_EVENT, NULL }, { 0 } };
static const struct plugin_need on_lease[] = { { TYPE_LEASE, NULL }, { 0 } };
static const struct plugin_need snapshots_store_needs[] = { { TYPE_METADATA, NULL },
	{ TYPE_SNAPSHOTTER, NULL }, { 0 } };
static const struct plugin_need shim_needs[] = { { TYPE_EVENT, NULL }, { TYPE_METADATA, NULL },
	{ 0 } };
static const struct plugin_need task_needs[] = { { TYPE_EVENT, NULL }, { TYPE_METADATA, NULL },
	{ TYPE_MOUNT_MANAGER, NULL }, { TYPE_SHIM, NULL }, { TYPE_WARNING, NULL }, { 0 } };
static const struct plugin_need on_sandboxes[] = { { TYPE_SANDBOX_STORE, NULL }, { 0 } };
static const struct plugin_need pods_needs[] = { { TYPE_RUNTIME, "task" }, { TYPE_EVENT, NULL },
	{ 0 } };
static const struct plugin_need controllers_needs[] = { { TYPE_SANDBOX, NULL },
	{ TYPE_EVENT, NULL }, { 0 } };
static const struct plugin_need on_mounts[] = { { TYPE_MOUNT_MANAGER, NULL }, { 0 } };
static const struct plugin_need walking_needs[] = { { TYPE_METADATA, NULL },
	{ TYPE_MOUNT_MANAGER, NULL }, { 0 } };
static const struct plugin_need on_streaming[] = { { TYPE_STREAMING, NULL }, { 0 } };
static const struct plugin_need tasks_store_needs[] = { { TYPE_RUNTIME, NULL },
	{ TYPE_METADATA, NULL }, { TYPE_EVENT, NULL }, { TYPE_DIFFER, NULL }, { 0 } };
#define ON_SERVICE(name, id)                                                                   \
	static const struct plugin_need name[] = { { TYPE_SERVICE, id }, { 0 } }
ON_SERVICE(on_containers, "containers-service");
ON_SERVICE(on_content, "content-service");
ON_SERVICE(on_diff, "diff-service");
ON_SERVICE(on_images, "images-service");
ON_SERVICE(on_namespaces, "namespaces-service");
ON_SERVICE(on_snapshots, "snapshots-service");
ON_SERVICE(on_tasks, "tasks-service");
static const struct plugin_need restart_needs[] = { { TYPE_EVENT, NULL },
	{ TYPE_SERVICE, "containers-service" }, { TYPE_SERVICE, "namespaces-service" },
	{ TYPE_SERVICE, "snapshots-service" }, { TYPE_SERVICE, "tasks-service" }, { 0 } };
static const struct plugin_need metrics_needs[] = { { TYPE_SERVICE, "namespaces-service" },
	{ TYPE_SERVICE, "tasks-service" }, { 0 } };
/* Served last: by then everything that registers with the server has done so. */
static const struct plugin_need server_needs[] = { { TYPE_GRPC, NULL }, { 0 } };

static const struct plugin_desc builtins[] = {
	{ TYPE_CONTENT, "content", NULL, plugin_content_init, plugin_content_fini, NULL },
	{ TYPE_INTERNAL, "opt", NULL, plugin_opt_init, NULL, NULL },
	{ TYPE_SANDBOX_STORE, "local", on_metadata, plugin_sandboxes_store_init, NULL, NULL },
	{ TYPE_WARNING, "deprecations", NULL, plugin_warning_init, plugin_warning_fini, NULL },
	{ TYPE_EVENT, "exchange", NULL, plugin_exchange_init, plugin_exchange_fini, NULL },
	{ TYPE_SNAPSHOTTER, "native", NULL, plugin_native_init, plugin_snapshotter_fini, NULL },
	{ TYPE_SNAPSHOTTER, "overlayfs", NULL, plugin_overlay_init, plugin_snapshotter_fini,
			NULL },
	{ TYPE_METADATA, "bolt", metadata_needs, plugin_metadata_init, plugin_metadata_fini,
			NULL },
	{ TYPE_GC, "scheduler", on_metadata, plugin_gc_init, plugin_gc_fini, NULL },
	{ TYPE_NRI, "nri", on_warning, plugin_nri_init, plugin_nri_fini, NULL },
	{ TYPE_MOUNT_MANAGER, "bolt", on_metadata, plugin_mounts_init, plugin_mounts_fini,
			NULL },
	{ TYPE_DIFFER, "walking", walking_needs, plugin_walking_init, plugin_differ_fini,
			NULL },
	{ TYPE_SERVICE, "containers-service", on_metadata, plugin_containers_store_init, NULL,
			NULL },
	{ TYPE_SERVICE, "content-service", on_metadata, plugin_content_store_init, NULL, NULL },
	{ TYPE_SERVICE, "diff-service", on_differs, plugin_diff_service_init,
			plugin_diff_service_fini, NULL },
	{ TYPE_SERVICE, "images-service", on_metadata, plugin_images_store_init, NULL, NULL },
	{ TYPE_SERVICE, "introspection-service", introspection_service_needs,
			plugin_introspection_service_init, plugin_introspection_service_fini,
			NULL },
	{ TYPE_SERVICE, "namespaces-service", on_metadata, plugin_namespaces_store_init, NULL,
			NULL },
	{ TYPE_SERVICE, "snapshots-service", snapshots_store_needs, plugin_snapshots_store_init,
			plugin_snapshots_store_fini, NULL },
	{ TYPE_SHIM, "manager", shim_needs, plugin_shims_init, plugin_shims_fini, NULL },
	{ TYPE_RUNTIME, "task", task_needs, plugin_tasks_init, plugin_tasks_fini, NULL },
	{ TYPE_SERVICE, "tasks-service", tasks_store_needs, plugin_task_store_init, NULL,
			NULL },
	{ TYPE_CONTAINER_MONITOR, "restart", restart_needs, plugin_restart_init,
			plugin_restart_fini, NULL },
	{ TYPE_GRPC, "containers", on_containers, plugin_containers_init, plugin_service_fini,
			NULL },
	{ TYPE_GRPC, "content", on_content, plugin_content_service_init, plugin_service_fini,
			NULL },
	{ TYPE_GRPC, "diff", on_diff, plugin_diff_init, NULL, NULL },
	{ TYPE_GRPC, "events", on_event, plugin_events_init, plugin_service_fini, NULL },
	{ TYPE_GRPC, "images", on_images, plugin_images_init, plugin_service_fini, NULL },
	{ TYPE_GRPC, "introspection", introspection_needs, plugin_introspection_init, NULL,
			NULL },
	{ TYPE_LEASE, "manager", lease_needs, plugin_lease_init, NULL, NULL },
	{ TYPE_GRPC, "leases", on_lease, plugin_leases_init, plugin_service_fini, NULL },
	{ TYPE_GRPC, "mounts", on_mounts, plugin_mounts_service_init, NULL, NULL },
	{ TYPE_GRPC, "namespaces", on_namespaces, plugin_namespaces_init, plugin_service_fini,
			NULL },
	{ TYPE_SANDBOX, "shim", pods_needs, plugin_sandbox_shim_init, plugin_sandbox_shim_fini,
			NULL },
	{ TYPE_GRPC, "sandbox-controllers", controllers_needs, plugin_controllers_init,
			plugin_controllers_fini, NULL },
	{ TYPE_GRPC, "sandboxes", on_sandboxes, plugin_sandboxes_init, plugin_service_fini,
			NULL },
	{ TYPE_GRPC, "snapshots", on_snapshots, plugin_snapshots_init, NULL, NULL },
	{ TYPE_STREAMING, "manager", on_metadata, plugin_streams_init, plugin_streams_fini,
			NULL },
	{ TYPE_GRPC, "streaming", on_streaming, plugin_streaming_init, NULL, NULL },
	{ TYPE_GRPC, "tasks", on_tasks, plugin_tasks_service_init, plugin_tasks_service_fini,
			NULL },
	{ TYPE_GRPC, "version", NULL, plugin_version_init, NULL, NULL },
	{ TYPE_GRPC, "healthcheck", NULL, plugin_health_init, NULL, NULL },
	{ TYPE_SERVER, "debug", NULL, plugin_debug_init, plugin_debug_fini, NULL },
	{ TYPE_SERVER, "metrics", metrics_needs, plugin_metrics_init, plugin_metrics_fini,
			NULL },
	{ TYPE_SERVER, "ttrpc", server_needs, plugin_ttrpc_init, plugin_listener_fini, NULL },
	{ TYPE_SERVER, "grpc", server_needs, plugin_grpc_init, plugin_listener_fini, NULL },
};

int daemon_add_builtins(struct plugin_set *set, struct err *err)
{
	for (size_t i = 0; i < ARRAY_LEN(builtins); i++)
		if (plugin_set_add(set, &builtins[i], err) < 0)
			return -1;
	return 0;
}
