/* SPDX-License-Identifier: Apache-2.0 */
/* The rows of the file's top level: reference 03 §4.3. */
#include "base/clock.h"
#include "config/config_key.h"

#define MAX_ID UINT32_MAX

static const struct config_key debug_keys[] = {
	{ "level", CONFIG_TEXT,
			.help = "least severe level to log: trace, debug, info, warn, error, "
				"fatal or panic" },
	{ "format", CONFIG_TEXT, .help = "form of log lines: text or json" },
	{ "log_trace_id", CONFIG_BOOL, .help = "add the trace id to log lines" },
	{ 0 },
};

static const struct config_key cgroup_keys[] = {
	{ "path", CONFIG_TEXT,
			.help = "cgroup the daemon moves into; made in version 1, must be "
				"there in 2" },
	{ 0 },
};

static const struct config_key timeout_keys[] = {
	{ "io.containerd.timeout.bolt.open", CONFIG_DURATION, "0s",
			.help = "wait for the lock of the metadata; 0: for ever" },
	{ "io.containerd.timeout.cri.defercleanup", CONFIG_DURATION, "1m0s",
			.help = "undoing a failed CRI call" },
	{ "io.containerd.timeout.metrics.shimstats", CONFIG_DURATION, "2s",
			.help = "collecting the figures of one container" },
	{ "io.containerd.timeout.shim.cleanup", CONFIG_DURATION, "5s",
			.help = "the delete call of a shim" },
	{ "io.containerd.timeout.shim.load", CONFIG_DURATION, "5s",
			.help = "connecting to a shim at start" },
	{ "io.containerd.timeout.shim.shutdown", CONFIG_DURATION, "3s",
			.help = "the shutdown call of a shim" },
	{ "io.containerd.timeout.task.state", CONFIG_DURATION, "2s",
			.help = "asking a shim for the state of a task" },
	{ 0 },
};

static const struct config_key any_timeout = { "*", CONFIG_DURATION,
	.help = "kept for plugins that ask for it" };

#define PROCESSOR(name, from, to)                                                              \
	{                                                                                      \
		{ "accepts", CONFIG_LIST, from, .help = "media types it takes" },              \
				{ "returns", CONFIG_TEXT, to, .help = "media type it gives" }, \
				{ "path", CONFIG_TEXT, "ctd-decoder",                          \
					.help = "program to run" },                            \
				{ "args", CONFIG_LIST,                                         \
					"--decryption-keys-path,/etc/containerd/ocicrypt/"     \
					"keys",                                                \
					.help = "its arguments" },                             \
				{ "env", CONFIG_LIST,                                          \
					"OCICRYPT_KEYPROVIDER_CONFIG="                         \
					"/etc/containerd/ocicrypt/ocicrypt_keyprovider.conf",  \
					.help = "its environment" },                           \
				{ 0 },                                                         \
	}

static const struct config_key decrypt_tar_keys[] =
		PROCESSOR("tar", "application/vnd.oci.image.layer.v1.tar+encrypted",
				"application/vnd.oci.image.layer.v1.tar");
static const struct config_key decrypt_gzip_keys[] =
		PROCESSOR("tar.gzip", "application/vnd.oci.image.layer.v1.tar+gzip+encrypted",
				"application/vnd.oci.image.layer.v1.tar+gzip");

static const struct config_key processor_keys[] = {
	{ "accepts", CONFIG_LIST, .help = "media types it takes" },
	{ "returns", CONFIG_TEXT, .help = "media type it gives" },
	{ "path", CONFIG_TEXT, .help = "program to run" },
	{ "args", CONFIG_LIST, .help = "its arguments" },
	{ "env", CONFIG_LIST, .help = "its environment" },
	{ 0 },
};

static const struct config_key known_processors[] = {
	{ "io.containerd.ocicrypt.decoder.v1.tar", CONFIG_TABLE, .keys = decrypt_tar_keys,
			.help = "decrypts layers" },
	{ "io.containerd.ocicrypt.decoder.v1.tar.gzip", CONFIG_TABLE, .keys = decrypt_gzip_keys,
			.help = "decrypts compressed layers" },
	{ 0 },
};

static const struct config_key any_processor = { "*", CONFIG_TABLE, .keys = processor_keys,
	.help = "a stream processor" };

static const struct config_key any_text = { "*", CONFIG_TEXT, .help = "kept as it is" };

static const struct config_key proxy_keys[] = {
	{ "type", CONFIG_TEXT,
			.help = "snapshot, content, diff, sandbox, or a full plugin type" },
	{ "address", CONFIG_TEXT, .help = "unix socket of the process that serves it" },
	{ "platform", CONFIG_TEXT, .help = "platform it works for" },
	{ "exports", CONFIG_TABLE, .rest = &any_text, .hidden_if_unset = true,
			.help = "texts it shows in the list of plugins" },
	{ "capabilities", CONFIG_LIST, .help = "capabilities it shows in the list of plugins" },
	{ 0 },
};

static const struct config_key any_proxy = { "*", CONFIG_TABLE, .keys = proxy_keys,
	.help = "a plugin in another process" };

const struct config_key config_top_keys[] = {
	{ "version", CONFIG_INT, "4", .help = "version of this format" },
	{ "root", CONFIG_TEXT, "/var/lib/containerd", .help = "directory of data that lasts" },
	{ "state", CONFIG_TEXT, "/run/containerd",
			.help = "directory of data that ends with the machine's run" },
	{ "temp", CONFIG_TEXT, .help = "directory for temporary files" },
	{ "disabled_plugins", CONFIG_LIST, .help = "plugins that are not loaded" },
	{ "required_plugins", CONFIG_LIST,
			.help = "plugins without which the daemon does not start" },
	{ "oom_score", CONFIG_INT, "0", -1000, 1000,
			.help = "out-of-memory score adjustment of the daemon; 0: leave it" },
	{ "imports", CONFIG_LIST, "/etc/containerd/conf.d/*.toml",
			.help = "files to merge into this one" },
	{ "debug", CONFIG_TABLE, .keys = debug_keys, .help = "logging" },
	{ "plugins", CONFIG_ANY, .help = "one table per plugin" },
	{ "cgroup", CONFIG_TABLE, .keys = cgroup_keys, .help = "the daemon's own cgroup" },
	{ "proxy_plugins", CONFIG_TABLE, .rest = &any_proxy, .hidden_if_unset = true,
			.help = "plugins in other processes" },
	{ "timeouts", CONFIG_TABLE, .keys = timeout_keys, .rest = &any_timeout,
			.help = "how long to wait for others" },
	{ "stream_processors", CONFIG_TABLE, .keys = known_processors, .rest = &any_processor,
			.help = "programs that convert layers" },
	{ 0 },
};

static const struct config_key old_grpc_keys[] = {
	{ "address", CONFIG_TEXT, .help = "moved to io.containerd.server.v1.grpc" },
	{ "uid", CONFIG_INT, "0", 0, MAX_ID, .help = "moved to io.containerd.server.v1.grpc" },
	{ "gid", CONFIG_INT, "0", 0, MAX_ID, .help = "moved to io.containerd.server.v1.grpc" },
	{ "max_recv_message_size", CONFIG_INT, "0", 0, INT32_MAX,
			.help = "moved to io.containerd.server.v1.grpc" },
	{ "max_send_message_size", CONFIG_INT, "0", 0, INT32_MAX,
			.help = "moved to io.containerd.server.v1.grpc" },
	{ "tcp_address", CONFIG_TEXT, .help = "moved to io.containerd.server.v1.grpc-tcp" },
	{ "tcp_tls_ca", CONFIG_TEXT, .help = "moved to io.containerd.server.v1.grpc-tcp" },
	{ "tcp_tls_cert", CONFIG_TEXT, .help = "moved to io.containerd.server.v1.grpc-tcp" },
	{ "tcp_tls_key", CONFIG_TEXT, .help = "moved to io.containerd.server.v1.grpc-tcp" },
	{ "tcp_tls_common_name", CONFIG_TEXT,
			.help = "moved to io.containerd.server.v1.grpc-tcp" },
	{ 0 },
};

static const struct config_key old_socket_keys[] = {
	{ "address", CONFIG_TEXT, .help = "moved to io.containerd.server.v1.ttrpc" },
	{ "uid", CONFIG_INT, "0", 0, MAX_ID, .help = "moved to io.containerd.server.v1.ttrpc" },
	{ "gid", CONFIG_INT, "0", 0, MAX_ID, .help = "moved to io.containerd.server.v1.ttrpc" },
	{ 0 },
};

static const struct config_key old_debug_keys[] = {
	{ "address", CONFIG_TEXT, .help = "moved to io.containerd.server.v1.debug" },
	{ "uid", CONFIG_INT, "0", 0, MAX_ID, .help = "moved to io.containerd.server.v1.debug" },
	{ "gid", CONFIG_INT, "0", 0, MAX_ID, .help = "moved to io.containerd.server.v1.debug" },
	{ "level", CONFIG_TEXT, .help = "as in version 4" },
	{ "format", CONFIG_TEXT, .help = "as in version 4" },
	{ "log_trace_id", CONFIG_BOOL, .help = "as in version 4" },
	{ 0 },
};

static const struct config_key old_metrics_keys[] = {
	{ "address", CONFIG_TEXT, .help = "moved to io.containerd.server.v1.metrics" },
	{ "grpc_histogram", CONFIG_BOOL,
			.help = "moved to io.containerd.metrics.v1.grpc-prometheus" },
	{ 0 },
};

const struct config_key config_legacy_keys[] = {
	{ "grpc", CONFIG_TABLE, .keys = old_grpc_keys, .help = "up to version 3" },
	{ "ttrpc", CONFIG_TABLE, .keys = old_socket_keys, .help = "up to version 3" },
	{ "debug", CONFIG_TABLE, .keys = old_debug_keys, .help = "up to version 3" },
	{ "metrics", CONFIG_TABLE, .keys = old_metrics_keys, .help = "up to version 3" },
	{ 0 },
};
