/* SPDX-License-Identifier: Apache-2.0 */
/* The rows of all other plugins, and the list of sections: reference 03 §4.4. */
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/str.h"
#include "config/config_key.h"

#define MAX_ID	    UINT32_MAX
#define MAX_MESSAGE INT32_MAX
#define MESSAGE	    "16777216"

static const struct config_key grpc_keys[] = {
	{ "address", CONFIG_TEXT, "/run/containerd/containerd.sock",
			.help = "unix socket of the API" },
	{ "uid", CONFIG_INT, "@euid", 0, MAX_ID, .help = "owner of the socket" },
	{ "gid", CONFIG_INT, "@egid", 0, MAX_ID, .help = "group of the socket" },
	{ "max_recv_message_size", CONFIG_INT, MESSAGE, 0, MAX_MESSAGE,
			.help = "bytes of a request at most; 0: the default" },
	{ "max_send_message_size", CONFIG_INT, MESSAGE, 0, MAX_MESSAGE,
			.help = "bytes of an answer at most; 0: the default" },
	{ 0 },
};

static const struct config_key grpc_tcp_keys[] = {
	{ "address", CONFIG_TEXT, .help = "host and port; empty: not served" },
	{ "tls_ca", CONFIG_TEXT, .help = "authority that client certificates must come from" },
	{ "tls_cert", CONFIG_TEXT, .help = "certificate" },
	{ "tls_key", CONFIG_TEXT, .help = "private key" },
	{ "tls_common_name", CONFIG_TEXT,
			.help = "name in a certificate store (Windows only)" },
	{ "max_recv_message_size", CONFIG_INT, MESSAGE, 0, MAX_MESSAGE,
			.help = "bytes of a request at most" },
	{ "max_send_message_size", CONFIG_INT, MESSAGE, 0, MAX_MESSAGE,
			.help = "bytes of an answer at most" },
	{ 0 },
};

static const struct config_key ttrpc_keys[] = {
	{ "address", CONFIG_TEXT, "/run/containerd/containerd.sock.ttrpc",
			.help = "unix socket for shims; empty: not served" },
	{ "uid", CONFIG_INT, "@euid", 0, MAX_ID, .help = "owner of the socket" },
	{ "gid", CONFIG_INT, "@egid", 0, MAX_ID, .help = "group of the socket" },
	{ 0 },
};

static const struct config_key debug_server_keys[] = {
	{ "address", CONFIG_TEXT, .help = "unix socket or host and port; empty: not served" },
	{ "uid", CONFIG_INT, "0", 0, MAX_ID, .help = "owner of the socket" },
	{ "gid", CONFIG_INT, "0", 0, MAX_ID, .help = "group of the socket" },
	{ 0 },
};

static const struct config_key metrics_server_keys[] = {
	{ "address", CONFIG_TEXT, .help = "host and port; empty: not served" },
	{ 0 },
};

static const struct config_key prometheus_keys[] = {
	{ "grpc_histogram", CONFIG_BOOL, .help = "measure how long calls take" },
	{ 0 },
};

static const struct config_key bolt_keys[] = {
	{ "content_sharing_policy", CONFIG_TEXT, "shared",
			.help = "whether namespaces see each other's blobs" },
	{ "no_sync", CONFIG_BOOL,
			.help = "do not flush commits: faster, and lost with the power" },
	{ 0 },
};

static const struct config_key gc_keys[] = {
	{ "pause_threshold", CONFIG_FLOAT, "0.02",
			.help = "part of the time that collections may take" },
	{ "deletion_threshold", CONFIG_INT, "0",
			.help = "deletions that start a collection; 0: none do" },
	{ "mutation_threshold", CONFIG_INT, "100",
			.help = "changes that start a collection with the next deletion" },
	{ "schedule_delay", CONFIG_DURATION, "0s", .help = "wait before a collection" },
	{ "startup_delay", CONFIG_DURATION, "100ms",
			.help = "wait before the first collection" },
	{ 0 },
};

static const struct config_key diff_service_keys[] = {
	{ "default", CONFIG_LIST, "walking", .help = "differs in the order they are tried" },
	{ "sync_fs", CONFIG_BOOL, .help = "flush the file system after each layer" },
	{ 0 },
};

static const struct config_key tasks_service_keys[] = {
	{ "blockio_config_file", CONFIG_TEXT, .help = "classes of block I/O" },
	{ "rdt_config_file", CONFIG_TEXT, .help = "classes of cache and memory bandwidth" },
	{ 0 },
};

static const struct config_key unpack_keys[] = {
	{ "platform", CONFIG_TEXT, .help = "platform it is for" },
	{ "snapshotter", CONFIG_TEXT, .help = "snapshotter to unpack into" },
	{ "differ", CONFIG_TEXT, .help = "differ to unpack with" },
	{ "config_type", CONFIG_TEXT, .help = "media type of the image's configuration" },
	{ "layer_types", CONFIG_LIST, .help = "media types of layers" },
	{ "optional", CONFIG_BOOL, .help = "leave it out if its plugins are missing" },
	{ 0 },
};

static const struct config_key transfer_keys[] = {
	{ "max_concurrent_downloads", CONFIG_INT, "3", 0, 1000, .help = "downloads at a time" },
	{ "concurrent_layer_fetch_buffer", CONFIG_INT, "0", 0, INT64_MAX,
			.help = "bytes per part of a parallel fetch" },
	{ "max_concurrent_uploaded_layers", CONFIG_INT, "3", 0, 1000,
			.help = "uploads at a time" },
	{ "check_platform_supported", CONFIG_BOOL,
			.help = "refuse platforms that nothing unpacks" },
	{ "config_path", CONFIG_TEXT, .help = "directory with hosts.toml files" },
	{ "max_concurrent_unpacks", CONFIG_INT, "1", 0, 1000,
			.help = "layers unpacked at a time" },
	{ "unpack_config", CONFIG_TABLES, .keys = unpack_keys, .hidden_if_unset = true,
			.help = "how platforms are unpacked" },
	{ 0 },
};

static const struct config_key shim_manager_keys[] = {
	{ "env", CONFIG_LIST, .help = "environment added for shims" },
	{ "socket_dir", CONFIG_TEXT,
			.help = "directory of shim sockets; empty: /run/containerd/s" },
	{ 0 },
};

static const struct config_key task_runtime_keys[] = {
	{ "platforms", CONFIG_LIST, "@platform", .help = "platforms that can run here" },
	{ 0 },
};

static const struct config_key restart_keys[] = {
	{ "interval", CONFIG_DURATION, "10s", 0, INT64_MAX,
			.help = "time between two looks at who must be restarted; 0: 10s" },
	{ 0 },
};

static const struct config_key cgroups_keys[] = {
	{ "no_prometheus", CONFIG_BOOL, .help = "no metrics per task" },
	{ 0 },
};

static const struct config_key opt_keys[] = {
	{ "path", CONFIG_TEXT, "/opt/containerd", .help = "directory of added programs" },
	{ 0 },
};

static const struct config_key tracing_keys[] = {
	{ "service_name", CONFIG_TEXT, .hidden_if_unset = true, .help = "deprecated" },
	{ "sampling_ratio", CONFIG_FLOAT, .hidden_if_unset = true, .help = "deprecated" },
	{ 0 },
};

static const struct config_key otlp_keys[] = {
	{ "endpoint", CONFIG_TEXT, .hidden_if_unset = true, .help = "deprecated" },
	{ "protocol", CONFIG_TEXT, .hidden_if_unset = true, .help = "deprecated" },
	{ "insecure", CONFIG_BOOL, .hidden_if_unset = true, .help = "deprecated" },
	{ 0 },
};

static const struct config_key verifier_keys[] = {
	{ "bin_dir", CONFIG_TEXT, "/opt/containerd/image-verifier/bin",
			.help = "directory of verifier programs" },
	{ "max_verifiers", CONFIG_INT, "10",
			.help = "verifiers asked at most; less than 0: all" },
	{ "per_verifier_timeout", CONFIG_DURATION, "10s", .help = "time each may take" },
	{ 0 },
};

static const struct config_key nri_validator_keys[] = {
	{ "enable", CONFIG_BOOL, .help = "check what NRI plugins change" },
	{ "reject_oci_hook_adjustment", CONFIG_BOOL, .help = "refuse added hooks" },
	{ "reject_runtime_default_seccomp_adjustment", CONFIG_BOOL,
			.help = "refuse changes of the default seccomp profile" },
	{ "reject_unconfined_seccomp_adjustment", CONFIG_BOOL,
			.help = "refuse changes where seccomp is off" },
	{ "reject_custom_seccomp_adjustment", CONFIG_BOOL,
			.help = "refuse changes of other seccomp profiles" },
	{ "reject_namespace_adjustment", CONFIG_BOOL, .help = "refuse changes of namespaces" },
	{ "reject_sysctl_adjustment", CONFIG_BOOL, .help = "refuse changes of sysctls" },
	{ "required_plugins", CONFIG_LIST, .help = "plugins that must have been asked" },
	{ "tolerate_missing_plugins_annotation", CONFIG_TEXT,
			.help = "annotation that lets a pod do without them" },
	{ 0 },
};

static const struct config_key nri_keys[] = {
	{ "disable", CONFIG_BOOL, .help = "no NRI" },
	{ "socket_path", CONFIG_TEXT, "/var/run/nri/nri.sock",
			.help = "socket that plugins connect to" },
	{ "plugin_path", CONFIG_TEXT, "/opt/nri/plugins",
			.help = "directory of plugins to start" },
	{ "plugin_config_path", CONFIG_TEXT, "/etc/nri/conf.d",
			.help = "directory of their configuration" },
	{ "plugin_registration_timeout", CONFIG_DURATION, "5s",
			.help = "time a plugin has to register" },
	{ "plugin_request_timeout", CONFIG_DURATION, "2s",
			.help = "time a plugin has to answer" },
	{ "disable_connections", CONFIG_BOOL, .help = "only plugins that the daemon starts" },
	{ "default_validator", CONFIG_TABLE, .keys = nri_validator_keys,
			.help = "the built-in validator" },
	{ "namespaces", CONFIG_LIST, .hidden_if_unset = true,
			.help = "namespaces whose plain containers plugins are shown" },
	{ 0 },
};

static const struct config_key erofs_differ_keys[] = {
	{ "mkfs_options", CONFIG_LIST, .help = "options of mkfs.erofs" },
	{ "enable_tar_index", CONFIG_BOOL,
			.help = "index tar layers instead of converting them" },
	{ "enable_dmverity", CONFIG_BOOL, .help = "add hash trees" },
	{ 0 },
};

static const struct config_key walking_differ_keys[] = {
	{ "zstd_max_window", CONFIG_INT, "134217728", 8388608, 536870912,
			.help = "bytes of the largest window that zstd layers may ask for" },
	{ 0 },
};

static const struct config_key no_keys[] = { { 0 } };

static const struct config_key overlay_keys[] = {
	{ "root_path", CONFIG_TEXT, .help = "directory of snapshots; empty: below root" },
	{ "upperdir_label", CONFIG_BOOL, .help = "show the upper directory in the labels" },
	{ "sync_remove", CONFIG_BOOL, .help = "delete directories within the remove call" },
	{ "slow_chown", CONFIG_BOOL,
			.help = "chown copies where id-mapped mounts are missing" },
	{ "mount_options", CONFIG_LIST, .help = "options added to each mount" },
	{ 0 },
};

static const struct config_key root_path_keys[] = {
	{ "root_path", CONFIG_TEXT, .help = "directory of snapshots; empty: below root" },
	{ 0 },
};

static const struct config_key blockfile_keys[] = {
	{ "root_path", CONFIG_TEXT, .help = "directory of snapshots; empty: below root" },
	{ "scratch_file", CONFIG_TEXT, .help = "image that new snapshots start from" },
	{ "fs_type", CONFIG_TEXT, .help = "its file system" },
	{ "mount_options", CONFIG_LIST, .help = "options of each mount" },
	{ "recreate_scratch", CONFIG_BOOL, .help = "copy the scratch file anew at start" },
	{ 0 },
};

static const struct config_key devmapper_keys[] = {
	{ "root_path", CONFIG_TEXT, .help = "directory of metadata; empty: below root" },
	{ "pool_name", CONFIG_TEXT, .help = "thin pool" },
	{ "base_image_size", CONFIG_TEXT, .help = "size of a new device" },
	{ "async_remove", CONFIG_BOOL, .help = "delete devices in the background" },
	{ "discard_blocks", CONFIG_BOOL, .help = "give blocks back when a device is deleted" },
	{ "fs_type", CONFIG_TEXT, .help = "file system of devices" },
	{ "fs_options", CONFIG_TEXT, .help = "options of its mkfs" },
	{ 0 },
};

static const struct config_key erofs_keys[] = {
	{ "root_path", CONFIG_TEXT, .help = "directory of snapshots; empty: below root" },
	{ "ovl_mount_options", CONFIG_LIST, .help = "options added to each overlay mount" },
	{ "enable_fsverity", CONFIG_BOOL, .help = "protect layers with fs-verity" },
	{ "set_immutable", CONFIG_BOOL, .help = "set the immutable flag on layers" },
	{ "default_size", CONFIG_TEXT, .help = "size of a writable layer; empty: a directory" },
	{ "dmverity_mode", CONFIG_TEXT, .help = "when layers need a hash tree" },
	{ 0 },
};

const struct config_section config_sections[] = {
	{ "io.containerd.cri.v1.images", config_cri_images_keys },
	{ "io.containerd.cri.v1.runtime", config_cri_runtime_keys },
	{ "io.containerd.differ.v1.erofs", erofs_differ_keys },
	{ "io.containerd.differ.v1.walking", walking_differ_keys },
	{ "io.containerd.gc.v1.scheduler", gc_keys },
	{ "io.containerd.grpc.v1.cri", config_cri_server_keys },
	{ "io.containerd.image-verifier.v1.bindir", verifier_keys },
	{ "io.containerd.internal.v1.opt", opt_keys },
	{ "io.containerd.internal.v1.tracing", tracing_keys },
	{ "io.containerd.metadata.v1.bolt", bolt_keys },
	{ "io.containerd.metrics.v1.grpc-prometheus", prometheus_keys },
	{ "io.containerd.monitor.container.v1.restart", restart_keys },
	{ "io.containerd.monitor.task.v1.cgroups", cgroups_keys },
	{ "io.containerd.mount-handler.v1.erofs", no_keys },
	{ "io.containerd.nri.v1.nri", nri_keys },
	{ "io.containerd.runtime.v2.task", task_runtime_keys },
	{ "io.containerd.server.v1.debug", debug_server_keys },
	{ "io.containerd.server.v1.grpc", grpc_keys },
	{ "io.containerd.server.v1.grpc-tcp", grpc_tcp_keys },
	{ "io.containerd.server.v1.metrics", metrics_server_keys },
	{ "io.containerd.server.v1.ttrpc", ttrpc_keys },
	{ "io.containerd.service.v1.diff-service", diff_service_keys },
	{ "io.containerd.service.v1.tasks-service", tasks_service_keys },
	{ "io.containerd.shim.v1.manager", shim_manager_keys },
	{ "io.containerd.snapshotter.v1.blockfile", blockfile_keys },
	{ "io.containerd.snapshotter.v1.btrfs", root_path_keys },
	{ "io.containerd.snapshotter.v1.devmapper", devmapper_keys },
	{ "io.containerd.snapshotter.v1.erofs", erofs_keys },
	{ "io.containerd.snapshotter.v1.native", root_path_keys },
	{ "io.containerd.snapshotter.v1.overlayfs", overlay_keys },
	{ "io.containerd.snapshotter.v1.zfs", root_path_keys },
	{ "io.containerd.tracing.processor.v1.otlp", otlp_keys },
	{ "io.containerd.transfer.v1.local", transfer_keys },
};
const size_t config_section_count = ARRAY_LEN(config_sections);

static int by_uri(const void *uri, const void *section)
{
	return strcmp(uri, ((const struct config_section *)section)->uri);
}

const struct config_section *config_section_find(const char *uri)
{
	return bsearch(uri, config_sections, config_section_count, sizeof(config_sections[0]),
			by_uri);
}

const struct config_key *config_key_find(const struct config_key *keys, const char *name)
{
	for (; keys != NULL && keys->name != NULL; keys++)
		if (str_eq(keys->name, name))
			return keys;
	return NULL;
}
