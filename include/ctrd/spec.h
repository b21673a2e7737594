/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file
 * Runtime specs: what a container's process is given. Made from containerd's default, an image
 * and options, in that order; or read as a whole. Functions that cannot fail return nothing.
 */
#ifndef CTRD_SPEC_H
#define CTRD_SPEC_H

#include <ctrd/client.h>
#include <ctrd/image.h>

CTRD_BEGIN

struct ctrd_spec;

/** The default one, for a container of this id in this namespace. */
CTRD_API struct ctrd_spec *ctrd_spec_default(const char *ns, const char *id);
/** Members this library does not know are kept. */
CTRD_API int ctrd_spec_parse(const void *json, size_t size, struct ctrd_spec **ret_spec,
		struct ctrd_error **ret_error);
CTRD_API void ctrd_spec_free(struct ctrd_spec *spec);
/** indent NULL: on one line. End it with ctrd_free(). */
CTRD_API char *ctrd_spec_json(struct ctrd_spec *spec, const char *indent);
/** The process part alone; NULL if there is none. */
CTRD_API char *ctrd_spec_process_json(struct ctrd_spec *spec, const char *indent);
/** Nonzero if the process has a terminal. */
CTRD_API int ctrd_spec_terminal(const struct ctrd_spec *spec);
/** Host ids that the container's root is mapped to; 0 without a mapping. */
CTRD_API uint32_t ctrd_spec_root_uid(const struct ctrd_spec *spec);
CTRD_API uint32_t ctrd_spec_root_gid(const struct ctrd_spec *spec);

/** Where users and groups are looked up: a snapshot that is prepared, or a directory. */
struct ctrd_rootfs;

CTRD_API int ctrd_rootfs_of_snapshot(struct ctrd_client *client, const char *snapshotter,
		const char *key, struct ctrd_rootfs **ret_rootfs,
		struct ctrd_error **ret_error);
CTRD_API int ctrd_rootfs_of_path(const char *path, struct ctrd_rootfs **ret_rootfs,
		struct ctrd_error **ret_error);
CTRD_API void ctrd_rootfs_free(struct ctrd_rootfs *rootfs);

/** What an image says about itself and how to start it. */
struct ctrd_image_config;

/** platform NULL: the host's. */
CTRD_API int ctrd_image_config_get(struct ctrd_client *client, const struct ctrd_image *image,
		const char *platform, struct ctrd_image_config **ret_config,
		struct ctrd_error **ret_error);
CTRD_API void ctrd_image_config_free(struct ctrd_image_config *config);
CTRD_API const struct ctrd_labels *ctrd_image_config_labels(
		const struct ctrd_image_config *config);
CTRD_API const char *ctrd_image_config_stop_signal(const struct ctrd_image_config *config);
CTRD_API const char *ctrd_image_config_user(const struct ctrd_image_config *config);

/** Environment, arguments, directory and user of the image. */
CTRD_API int ctrd_spec_apply_image(struct ctrd_spec *spec,
		const struct ctrd_image_config *config, const struct ctrd_rootfs *rootfs,
		struct ctrd_error **ret_error);

/* The process. Vectors end with NULL. */
CTRD_API void ctrd_spec_set_args(struct ctrd_spec *spec, const char *const *args);
CTRD_API void ctrd_spec_set_cwd(struct ctrd_spec *spec, const char *cwd);
/** "K=V" sets, "K" removes what is there. */
CTRD_API void ctrd_spec_add_env(struct ctrd_spec *spec, const char *const *entries);
CTRD_API void ctrd_spec_set_terminal(struct ctrd_spec *spec, int terminal);
/** A terminal, and the variable that names it. */
CTRD_API void ctrd_spec_add_terminal(struct ctrd_spec *spec);
/** "name", "uid", "name:group", "uid:gid"; supplementary groups follow. */
CTRD_API int ctrd_spec_set_user(struct ctrd_spec *spec, const char *user,
		const struct ctrd_rootfs *rootfs, struct ctrd_error **ret_error);
CTRD_API void ctrd_spec_set_rlimit(
		struct ctrd_spec *spec, const char *type, uint64_t soft, uint64_t hard);
CTRD_API void ctrd_spec_add_capabilities(struct ctrd_spec *spec, const char *const *names);
CTRD_API void ctrd_spec_drop_capabilities(struct ctrd_spec *spec, const char *const *names);
CTRD_API void ctrd_spec_set_new_privileges(struct ctrd_spec *spec, int allowed);
CTRD_API void ctrd_spec_set_apparmor(struct ctrd_spec *spec, const char *profile);
/** The default profile under that name, loaded into the kernel unless one of the name is. */
CTRD_API int ctrd_spec_set_default_apparmor(
		struct ctrd_spec *spec, const char *name, struct ctrd_error **ret_error);
/** All this process may do; nothing masked or read-only. Devices are another matter. */
CTRD_API int ctrd_spec_set_privileged(struct ctrd_spec *spec, struct ctrd_error **ret_error);

/* The file system. */
CTRD_API void ctrd_spec_add_default_devices(struct ctrd_spec *spec);
CTRD_API void ctrd_spec_allow_all_devices(struct ctrd_spec *spec);
/** Every device below /dev that makes sense in a container. */
CTRD_API int ctrd_spec_add_host_devices(struct ctrd_spec *spec, struct ctrd_error **ret_error);
/** A device, or the devices of a directory; access as in "rwm". */
CTRD_API int ctrd_spec_add_device(struct ctrd_spec *spec, const char *path, const char *access,
		struct ctrd_error **ret_error);
/** Nonzero for a name of the Container Device Interface, "vendor/class=device". */
CTRD_API int ctrd_is_cdi_name(const char *name);
/** What the files in /etc/cdi and /var/run/cdi say the devices need. All of them or none. */
CTRD_API int ctrd_spec_add_cdi_devices(struct ctrd_spec *spec, const char *const *names,
		struct ctrd_error **ret_error);
/** Graphics cards by their numbers, through CDI: of NVIDIA, or else of AMD. */
CTRD_API int ctrd_spec_add_gpus(struct ctrd_spec *spec, const char *const *numbers,
		struct ctrd_error **ret_error);
/** A class of block I/O, from the text of a YAML file of such classes. */
CTRD_API int ctrd_spec_set_blockio_class(struct ctrd_spec *spec, const void *yaml, size_t size,
		const char *class_name, struct ctrd_error **ret_error);
/** A class of Intel's Resource Director, which the host's resctrl has. */
CTRD_API void ctrd_spec_set_rdt_class(struct ctrd_spec *spec, const char *class_name);
CTRD_API void ctrd_spec_set_rootfs(struct ctrd_spec *spec, const char *path);
CTRD_API void ctrd_spec_set_readonly(struct ctrd_spec *spec);
CTRD_API void ctrd_spec_set_propagation(struct ctrd_spec *spec, const char *mode);
CTRD_API void ctrd_spec_add_mount(struct ctrd_spec *spec, const char *destination,
		const char *type, const char *source, const char *const *options);
/** "type=bind,src=/tmp,dst=/host,options=rbind:ro" */
CTRD_API int ctrd_spec_add_mount_text(
		struct ctrd_spec *spec, const char *text, struct ctrd_error **ret_error);

/* Namespaces, groups, limits. */
CTRD_API void ctrd_spec_set_hostname(struct ctrd_spec *spec, const char *hostname);
CTRD_API void ctrd_spec_add_annotation(
		struct ctrd_spec *spec, const char *key, const char *value);
CTRD_API void ctrd_spec_host_namespace(struct ctrd_spec *spec, const char *type);
/** CTRD_INVALID for an unknown type. */
CTRD_API int ctrd_spec_join_namespace(struct ctrd_spec *spec, const char *type,
		const char *path, struct ctrd_error **ret_error);
CTRD_API void ctrd_spec_add_uid_mapping(
		struct ctrd_spec *spec, uint32_t container, uint32_t host, uint32_t count);
CTRD_API void ctrd_spec_add_gid_mapping(
		struct ctrd_spec *spec, uint32_t container, uint32_t host, uint32_t count);
CTRD_API void ctrd_spec_set_cgroup(struct ctrd_spec *spec, const char *path);
CTRD_API void ctrd_spec_set_memory_limit(struct ctrd_spec *spec, uint64_t bytes);
CTRD_API void ctrd_spec_set_cpu_shares(struct ctrd_spec *spec, uint64_t shares);
CTRD_API void ctrd_spec_set_cpu_quota(struct ctrd_spec *spec, int64_t quota, uint64_t period);
CTRD_API void ctrd_spec_set_cpuset(struct ctrd_spec *spec, const char *cpus, const char *mems);
/** A seccomp profile in the form of the runtime spec's linux.seccomp. */
CTRD_API int ctrd_spec_set_seccomp(struct ctrd_spec *spec, const void *json, size_t size,
		struct ctrd_error **ret_error);
/** The default profile, for this machine and the capabilities the process has by now. */
CTRD_API void ctrd_spec_set_default_seccomp(struct ctrd_spec *spec);

CTRD_END

#endif
