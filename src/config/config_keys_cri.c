/* SPDX-License-Identifier: Apache-2.0 */
/* The rows of the three CRI plugins: reference 03 §6.2, 05 §8.2. */
#include "config/config_key.h"

static const struct config_key tls_pair_keys[] = {
	{ "tls_cert_file", CONFIG_TEXT, .help = "certificate" },
	{ "tls_key_file", CONFIG_TEXT, .help = "private key" },
	{ 0 },
};

const struct config_key config_cri_server_keys[] = {
	{ "disable_tcp_service", CONFIG_BOOL, "true", .help = "no CRI on the TCP listener" },
	{ "stream_server_address", CONFIG_TEXT, "127.0.0.1",
			.help = "address of the exec, attach and port-forward server" },
	{ "stream_server_port", CONFIG_TEXT, "0", .help = "its port; 0: any" },
	{ "stream_idle_timeout", CONFIG_DURATION, "4h0m0s",
			.help = "idle streams end after this" },
	{ "enable_tls_streaming", CONFIG_BOOL, .help = "serve streams over TLS" },
	{ "x509_key_pair_streaming", CONFIG_TABLE, .keys = tls_pair_keys,
			.help = "its key pair; none: self-signed" },
	{ 0 },
};

static const struct config_key pinned_keys[] = {
	{ "sandbox", CONFIG_TEXT, "registry.k8s.io/pause:3.10.2",
			.help = "image of the pause container" },
	{ 0 },
};
static const struct config_key any_pinned = { "*", CONFIG_TEXT,
	.help = "an image that is never collected" };

static const struct config_key platform_keys[] = {
	{ "platform", CONFIG_TEXT, .help = "platform of its images" },
	{ "snapshotter", CONFIG_TEXT, .help = "snapshotter of its images" },
	{ 0 },
};
static const struct config_key any_platform = { "*", CONFIG_TABLE, .keys = platform_keys,
	.help = "for one runtime handler" };

static const struct config_key anything = { "*", CONFIG_ANY, .help = "kept as it is" };

static const struct config_key registry_keys[] = {
	{ "config_path", CONFIG_TEXT,
			.help = "directories with hosts.toml files, separated by colons" },
	{ "mirrors", CONFIG_TABLE, .rest = &anything, .hidden_if_unset = true,
			.help = "deprecated: mirrors per registry" },
	{ "configs", CONFIG_TABLE, .rest = &anything, .hidden_if_unset = true,
			.help = "deprecated: credentials per registry" },
	{ "auths", CONFIG_TABLE, .rest = &anything, .hidden_if_unset = true,
			.help = "deprecated: credentials per address" },
	{ "headers", CONFIG_TABLE, .rest = &anything, .hidden_if_unset = true,
			.help = "headers sent with each request" },
	{ 0 },
};

static const struct config_key decryption_keys[] = {
	{ "key_model", CONFIG_TEXT, "node", .help = "where keys are: on the node" },
	{ 0 },
};

const struct config_key config_cri_images_keys[] = {
	{ "snapshotter", CONFIG_TEXT, "overlayfs", .help = "default snapshotter" },
	{ "disable_snapshot_annotations", CONFIG_BOOL, "true",
			.help = "pass no image annotations to snapshotters" },
	{ "discard_unpacked_layers", CONFIG_BOOL,
			.help = "drop layers once they are unpacked" },
	{ "max_concurrent_downloads", CONFIG_INT, "3", 0, 1000,
			.help = "downloads at a time per image" },
	{ "concurrent_layer_fetch_buffer", CONFIG_INT, "0", 0, INT64_MAX,
			.help = "bytes per part of a parallel fetch" },
	{ "image_pull_progress_timeout", CONFIG_DURATION, "5m0s",
			.help = "a pull without progress ends after this" },
	{ "image_pull_with_sync_fs", CONFIG_BOOL,
			.help = "flush the file system after unpacking" },
	{ "stats_collect_period", CONFIG_INT, "10", 0, 86400,
			.help = "seconds between measurements of snapshots" },
	{ "use_local_image_pull", CONFIG_BOOL, .help = "pull without the transfer service" },
	{ "pinned_images", CONFIG_TABLE, .keys = pinned_keys, .rest = &any_pinned,
			.help = "images kept for the daemon's own use" },
	{ "runtime_platforms", CONFIG_TABLE, .rest = &any_platform, .hidden_if_unset = true,
			.help = "images per runtime handler" },
	{ "registry", CONFIG_TABLE, .keys = registry_keys, .help = "registries" },
	{ "image_decryption", CONFIG_TABLE, .keys = decryption_keys,
			.help = "encrypted images" },
	{ 0 },
};

static const struct config_key runc_option_keys[] = {
	{ "BinaryName", CONFIG_TEXT, .help = "OCI runtime to run; empty: runc" },
	{ "CriuImagePath", CONFIG_TEXT, .help = "directory of checkpoint images" },
	{ "CriuWorkPath", CONFIG_TEXT, .help = "directory of checkpoint logs" },
	{ "IoGid", CONFIG_INT, "0", 0, UINT32_MAX, .help = "group of the output pipes" },
	{ "IoUid", CONFIG_INT, "0", 0, UINT32_MAX, .help = "user of the output pipes" },
	{ "NoNewKeyring", CONFIG_BOOL, .help = "share the session keyring" },
	{ "Root", CONFIG_TEXT, .help = "the runtime's own state directory" },
	{ "ShimCgroup", CONFIG_TEXT, .help = "cgroup of the shim" },
	{ "SystemdCgroup", CONFIG_BOOL, .help = "let systemd manage cgroups" },
	{ 0 },
};

#define RUNTIME_KEYS(type, sandboxer_name, option_rows, hide_options)                          \
	{ "runtime_type", CONFIG_TEXT, type, .help = "name of the shim" },                     \
			{ "runtime_path", CONFIG_TEXT, .help = "path of the shim" },           \
			{ "pod_annotations", CONFIG_LIST,                                      \
				.help = "pod annotations passed on" },                         \
			{ "container_annotations", CONFIG_LIST,                                \
				.help = "container annotations passed on" },                   \
			{ "privileged_without_host_devices", CONFIG_BOOL,                      \
				.help = "privileged containers get no host devices" },         \
			{ "privileged_without_host_devices_all_devices_allowed", CONFIG_BOOL,  \
				.help = "but may use those they make" },                       \
			{ "cgroup_writable", CONFIG_BOOL, .help = "mount cgroups writable" },  \
			{ "base_runtime_spec", CONFIG_TEXT,                                    \
				.help = "JSON file to start specs from" },                     \
			{ "cni_conf_dir", CONFIG_TEXT,                                         \
				.help = "network configuration of this handler" },             \
			{ "cni_max_conf_num", CONFIG_INT, "0", 0, 1000,                        \
				.help = "network files read at most" },                        \
			{ "snapshotter", CONFIG_TEXT, .help = "snapshotter of this handler" }, \
			{ "sandboxer", CONFIG_TEXT, sandboxer_name,                            \
				.help = "sandbox controller" },                                \
			{ "io_type", CONFIG_TEXT, .help = "fifo or streaming" },               \
			{ "options", CONFIG_TABLE, .keys = option_rows, .rest = &anything,     \
				.hidden_if_unset = hide_options,                               \
				.help = "options of the shim" },                               \
			{ 0 },

static const struct config_key runc_keys[] = { RUNTIME_KEYS(
		"io.containerd.runc.v2", "podsandbox", runc_option_keys, false) };
static const struct config_key runtime_keys[] = { RUNTIME_KEYS(NULL, NULL, NULL, true) };

static const struct config_key known_runtimes[] = {
	{ "runc", CONFIG_TABLE, .keys = runc_keys, .help = "the default runtime handler" },
	{ 0 },
};
static const struct config_key any_runtime = { "*", CONFIG_TABLE, .keys = runtime_keys,
	.help = "a runtime handler" };

static const struct config_key containerd_keys[] = {
	{ "default_runtime_name", CONFIG_TEXT, "runc",
			.help = "handler of pods that name none" },
	{ "ignore_blockio_not_enabled_errors", CONFIG_BOOL,
			.help = "start pods although block I/O classes are off" },
	{ "ignore_rdt_not_enabled_errors", CONFIG_BOOL,
			.help = "start pods although RDT classes are off" },
	{ "runtimes", CONFIG_TABLE, .keys = known_runtimes, .rest = &any_runtime,
			.help = "runtime handlers" },
	{ 0 },
};

static const struct config_key cni_keys[] = {
	{ "bin_dir", CONFIG_TEXT, .help = "deprecated: directory of network plugins" },
	{ "bin_dirs", CONFIG_LIST, "/opt/cni/bin", .help = "directories of network plugins" },
	{ "conf_dir", CONFIG_TEXT, "/etc/cni/net.d",
			.help = "directory of network configuration" },
	{ "max_conf_num", CONFIG_INT, "1", 0, 1000,
			.help = "network files read at most; 0: all" },
	{ "setup_serially", CONFIG_BOOL, .help = "set networks up one by one" },
	{ "conf_template", CONFIG_TEXT, .help = "template written as network configuration" },
	{ "ip_pref", CONFIG_TEXT, .choices = "ipv4 ipv6 cni",
			.help = "which address is the pod's first" },
	{ "use_internal_loopback", CONFIG_BOOL, .help = "bring up loopback without a plugin" },
	{ 0 },
};

const struct config_key config_cri_runtime_keys[] = {
	{ "enable_selinux", CONFIG_BOOL, .help = "label containers" },
	{ "selinux_category_range", CONFIG_INT, "1024", 0, 1024,
			.help = "categories to choose from" },
	{ "max_container_log_line_size", CONFIG_INT, "16384",
			.help = "bytes of a log line before it is cut; 0 or less: any" },
	{ "disable_apparmor", CONFIG_BOOL, .help = "use no AppArmor profiles" },
	{ "restrict_oom_score_adj", CONFIG_BOOL, .help = "never below the daemon's own score" },
	{ "disable_proc_mount", CONFIG_BOOL, .help = "refuse unmasked /proc" },
	{ "unset_seccomp_profile", CONFIG_TEXT, .help = "seccomp profile where none is named" },
	{ "tolerate_missing_hugetlb_controller", CONFIG_BOOL, "true",
			.help = "ignore huge page limits without their controller" },
	{ "disable_hugetlb_controller", CONFIG_BOOL, "true",
			.help = "ignore huge page limits" },
	{ "device_ownership_from_security_context", CONFIG_BOOL,
			.help = "devices belong to the container's user" },
	{ "ignore_image_defined_volumes", CONFIG_BOOL,
			.help = "make no volumes that only the image asks for" },
	{ "netns_mounts_under_state_dir", CONFIG_BOOL,
			.help = "keep network namespaces in the state directory" },
	{ "enable_unprivileged_ports", CONFIG_BOOL, "true",
			.help = "ports below 1024 for everyone" },
	{ "enable_unprivileged_icmp", CONFIG_BOOL, "true", .help = "ping for everyone" },
	{ "enable_cdi", CONFIG_BOOL, "true", .help = "container device interface" },
	{ "cdi_spec_dirs", CONFIG_LIST, "/etc/cdi,/var/run/cdi",
			.help = "directories of device specs" },
	{ "drain_exec_sync_io_timeout", CONFIG_DURATION, "0s",
			.help = "wait for output after an exec ended; 0: for ever" },
	{ "ignore_deprecation_warnings", CONFIG_LIST,
			.help = "warnings left out of the status" },
	{ "stats_collect_period", CONFIG_TEXT,
			.help = "duration between CPU samples; empty: 1s" },
	{ "stats_retention_period", CONFIG_TEXT,
			.help = "how long samples are kept; empty: 2m" },
	{ "enable_criu", CONFIG_BOOL, "true", .help = "allow checkpoints" },
	{ "enable_experimental_restore_via_create", CONFIG_BOOL,
			.help = "restore a checkpoint when a container is created from it" },
	{ "containerd", CONFIG_TABLE, .keys = containerd_keys, .help = "runtime handlers" },
	{ "cni", CONFIG_TABLE, .keys = cni_keys, .help = "pod networks" },
	{ 0 },
};
