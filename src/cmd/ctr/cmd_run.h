/* SPDX-License-Identifier: Apache-2.0 */
/* What "run" and "containers create" share: their flags, and making a container of them. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "cmd/ctr/ctr_command.h"

struct ctrd_client;
struct ctrd_container;
struct ctrd_spec;

/* "containers create" uses the first part of it. */
struct run_args {
	/* the runtime */
	const char *runtime, *runtime_config_path, *runc_binary, *runc_root;
	bool runc_systemd_cgroup;
	/* the snapshot */
	const char *snapshotter;
	char **snapshotter_labels;
	/* the container */
	const char *config, *cwd, *env_file, *sandbox, *pid_file, *hostname, *user;
	const char *seccomp_profile, *apparmor_default, *apparmor;
	const char *blockio_config, *blockio_class, *rdt_class, *propagation;
	char **env, **labels, **annotations, **mounts, **namespaces, **cap_add, **cap_drop;
	char **devices, **gpus;
	bool net_host, privileged, read_only, tty, allow_new_privs, seccomp, rootfs, no_pivot;
	uint64_t memory_limit, cpu_period;
	int64_t cpu_quota;
	/* only "run" */
	char **uidmaps, **gidmaps;
	bool remap_labels, no_host_devices;
	double cpus;
	int64_t cpu_shares;
	const char *cpuset_cpus, *cpuset_mems, *rlimit_nofile;
	bool remove, null_io, detach, cni, sync_fs;
	const char *log_uri, *fifo_dir, *cgroup, *platform, *dump_config;
};

/* The rows of both commands. */
#define RUNTIME_FLAGS                                                                          \
	FLAG("runtime", FLAG_TEXT, offsetof(struct run_args, runtime), "name of the runtime",  \
			.fallback = "io.containerd.runc.v2"),                                  \
			FLAG("runtime-config-path", FLAG_TEXT,                                 \
					offsetof(struct run_args, runtime_config_path),        \
					"configuration file of the runtime"),                  \
			FLAG("runc-binary", FLAG_TEXT, offsetof(struct run_args, runc_binary), \
					"program to use instead of runc"),                     \
			FLAG("runc-root", FLAG_TEXT, offsetof(struct run_args, runc_root),     \
					"where runc keeps its state"),                         \
			FLAG("runc-systemd-cgroup", FLAG_SWITCH,                               \
					offsetof(struct run_args, runc_systemd_cgroup),        \
					"let systemd manage the control group")

#define SNAPSHOT_FLAGS                                                                         \
	FLAG("snapshotter", FLAG_TEXT, offsetof(struct run_args, snapshotter),                 \
			"snapshotter; the namespace's default if empty",                       \
			.env = "CONTAINERD_SNAPSHOTTER"),                                      \
			FLAG("snapshotter-label", FLAG_LIST,                                   \
					offsetof(struct run_args, snapshotter_labels),         \
					"label for the container's snapshot (k=v)")

#define CONTAINER_TEXT(name, field, help)                                                      \
	FLAG(name, FLAG_TEXT, offsetof(struct run_args, field), help)
#define CONTAINER_LIST(name, field, help)                                                      \
	FLAG(name, FLAG_LIST, offsetof(struct run_args, field), help)
#define CONTAINER_SWITCH(name, field, help)                                                    \
	FLAG(name, FLAG_SWITCH, offsetof(struct run_args, field), help)

#define CONTAINER_FLAGS                                                                        \
	CONTAINER_TEXT("config, c", config, "file with the whole runtime spec"),               \
			CONTAINER_TEXT("cwd", cwd, "working directory of the process"),        \
			CONTAINER_LIST("env", env, "variable for the process (FOO=bar)"),      \
			CONTAINER_TEXT("env-file", env_file,                                   \
					"file of variables, one per line"),                    \
			CONTAINER_LIST("label", labels, "label for the container (foo=bar)"),  \
			CONTAINER_LIST("annotation", annotations,                              \
					"annotation for the runtime spec (foo=bar)"),          \
			CONTAINER_LIST("mount", mounts,                                        \
					"mount in the container "                              \
					"(type=bind,src=/tmp,dst=/host,options=rbind:ro)"),    \
			CONTAINER_SWITCH("net-host", net_host, "use the host's network"),      \
			CONTAINER_SWITCH("privileged", privileged,                             \
					"give the container all privileges"),                  \
			CONTAINER_SWITCH("read-only", read_only,                               \
					"make the root file system read-only"),                \
			CONTAINER_TEXT("sandbox", sandbox, "sandbox to run in"),               \
			CONTAINER_SWITCH("tty, t", tty, "give the process a terminal"),        \
			CONTAINER_LIST("with-ns", namespaces,                                  \
					"namespace to join (<type>:<path>)"),                  \
			CONTAINER_TEXT("pid-file", pid_file,                                   \
					"file to write the process id to"),                    \
			CONTAINER_LIST("gpus", gpus, "number of a GPU to add"),                \
			CONTAINER_SWITCH("allow-new-privs", allow_new_privs,                   \
					"let processes gain privileges"),                      \
			FLAG("memory-limit", FLAG_UINT,                                        \
					offsetof(struct run_args, memory_limit),               \
					"limit of memory in bytes"),                           \
			CONTAINER_LIST("cap-add", cap_add, "capability to add (CAP_...)"),     \
			CONTAINER_LIST("cap-drop", cap_drop, "capability to drop (CAP_...)"),  \
			CONTAINER_SWITCH("seccomp", seccomp, "restrict system calls"),         \
			CONTAINER_TEXT("seccomp-profile", seccomp_profile,                     \
					"file with the restrictions; needs --seccomp"),        \
			CONTAINER_TEXT("apparmor-default-profile", apparmor_default,           \
					"name to load AppArmor's default profile under"),      \
			CONTAINER_TEXT("apparmor-profile", apparmor,                           \
					"AppArmor profile that is loaded already"),            \
			CONTAINER_TEXT("blockio-config-file", blockio_config,                  \
					"file with classes of block I/O"),                     \
			CONTAINER_TEXT("blockio-class", blockio_class, "class of block I/O"),  \
			CONTAINER_TEXT("rdt-class", rdt_class, "class of RDT"),                \
			CONTAINER_TEXT("hostname", hostname, "the container's host name"),     \
			CONTAINER_TEXT("user, u", user, "user or uid, and :group or :gid"),    \
			CONTAINER_SWITCH("rootfs", rootfs,                                     \
					"the first argument is a directory, not an image"),    \
			CONTAINER_SWITCH("no-pivot", no_pivot, "do not use pivot_root"),       \
			FLAG("cpu-quota", FLAG_INT, offsetof(struct run_args, cpu_quota),      \
					"limit of CPU time in microseconds per period",        \
					.fallback = "-1"),                                     \
			FLAG("cpu-period", FLAG_UINT, offsetof(struct run_args, cpu_period),   \
					"that period, in microseconds"),                       \
			CONTAINER_TEXT("rootfs-propagation", propagation,                      \
					"propagation of mounts below the root"),               \
			CONTAINER_LIST("device", devices,                                      \
					"device, or directory of devices, to add")

/* Makes the container record (and its snapshot) that flags and arguments ask for. Prints what
 * goes wrong: 0, or the exit status. */
MUST_USE int create_container(struct cx *cx, struct ctrd_client *client,
		struct ctrd_container **ret_container, struct ctrd_spec **ret_spec);

/* The container's id among the arguments, once they are checked. */
MUST_USE int check_create_args(const struct cx *cx, const char *suffix, const char **ret_id);

/* Applies the flags to the spec: those before the image, and those after it. */
struct ctrd_rootfs;
MUST_USE int apply_early_flags(const struct cx *cx, struct ctrd_spec *spec);
MUST_USE int apply_late_flags(const struct cx *cx, struct ctrd_spec *spec,
		const struct ctrd_rootfs *rootfs, char *const *command);
void apply_label_annotations(const struct cx *cx, struct ctrd_spec *spec);

/* A whole file; the failure is printed, after the context. */
MUST_USE int read_whole_file(const char *context, const char *name, char **ret_text);
