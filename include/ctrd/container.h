/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file
 * Container records. What runs in a container is its task: task.h.
 */
#ifndef CTRD_CONTAINER_H
#define CTRD_CONTAINER_H

#include <ctrd/client.h>
#include <ctrd/spec.h>

CTRD_BEGIN

struct ctrd_container;
struct ctrd_containers;

/** A typed value that is stored as it is. NULL counts as an absent one. */
struct ctrd_any;

CTRD_API const char *ctrd_any_type(const struct ctrd_any *any);
CTRD_API const void *ctrd_any_value(const struct ctrd_any *any, size_t *ret_size);

#define CTRD_RUNTIME_RUNC "io.containerd.runc.v2"

struct ctrd_container_options {
	size_t size;
	const char *image;		     /**< name, for the record; or NULL */
	const char *snapshotter;	     /**< with snapshot_key; NULL: the default */
	const char *snapshot_key;	     /**< of the root file system; or NULL */
	const char *runtime;		     /**< NULL: the namespace's default */
	const char *runc_binary, *runc_root; /**< for CTRD_RUNTIME_RUNC, or NULL */
	int runc_systemd_cgroup;
	const char *runtime_config_path; /**< for other runtimes, or NULL */
	const struct ctrd_labels *labels;
	struct ctrd_spec *spec;
	const char *sandbox;
	const char *extension_key, *extension_type; /**< one extension, or NULL */
	const void *extension_value;
	size_t extension_size;
};

#define CTRD_CONTAINER_OPTIONS_INIT                                                            \
	{                                                                                      \
		sizeof(struct ctrd_container_options), NULL, NULL, NULL, NULL, NULL, NULL, 0,  \
				NULL, NULL, NULL, NULL, NULL, NULL, NULL, 0                    \
	}

CTRD_API int ctrd_container_create(struct ctrd_client *client, const char *id,
		const struct ctrd_container_options *options,
		struct ctrd_container **ret_container, struct ctrd_error **ret_error);
CTRD_API int ctrd_containers_list(struct ctrd_client *client, const char *const *filters,
		struct ctrd_containers **ret_containers, struct ctrd_error **ret_error);
CTRD_API void ctrd_containers_free(struct ctrd_containers *containers);
CTRD_API size_t ctrd_containers_count(const struct ctrd_containers *containers);
CTRD_API const struct ctrd_container *ctrd_containers_at(
		const struct ctrd_containers *containers, size_t i);

CTRD_API int ctrd_container_get(struct ctrd_client *client, const char *id,
		struct ctrd_container **ret_container, struct ctrd_error **ret_error);
CTRD_API void ctrd_container_free(struct ctrd_container *container);
/** Texts are "" where there is nothing. */
CTRD_API const char *ctrd_container_id(const struct ctrd_container *container);
CTRD_API const char *ctrd_container_image(const struct ctrd_container *container);
CTRD_API const char *ctrd_container_runtime(const struct ctrd_container *container);
CTRD_API const struct ctrd_any *ctrd_container_runtime_options(
		const struct ctrd_container *container);
CTRD_API const char *ctrd_container_snapshotter(const struct ctrd_container *container);
CTRD_API const char *ctrd_container_snapshot_key(const struct ctrd_container *container);
CTRD_API const char *ctrd_container_sandbox(const struct ctrd_container *container);
CTRD_API int64_t ctrd_container_created(const struct ctrd_container *container);
CTRD_API int64_t ctrd_container_updated(const struct ctrd_container *container);
CTRD_API const struct ctrd_labels *ctrd_container_labels(
		const struct ctrd_container *container);
CTRD_API const struct ctrd_any *ctrd_container_spec(const struct ctrd_container *container);
/** NULL past the end. */
CTRD_API const char *ctrd_container_extension_key(
		const struct ctrd_container *container, size_t i);
CTRD_API const struct ctrd_any *ctrd_container_extension(
		const struct ctrd_container *container, size_t i);

/** Sets the labels given, removes those whose value is "", and leaves the rest. */
CTRD_API int ctrd_container_set_labels(struct ctrd_client *client, const char *id,
		const struct ctrd_labels *labels, struct ctrd_container **ret_container,
		struct ctrd_error **ret_error);
/** Removes the record, and its snapshot unless keep_snapshot. CTRD_PRECONDITION while it has a
 * task. */
CTRD_API int ctrd_container_remove(struct ctrd_client *client, const char *id,
		int keep_snapshot, struct ctrd_error **ret_error);

CTRD_END

#endif
