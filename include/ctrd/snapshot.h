/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file
 * Snapshots. Wherever a snapshotter is asked for, NULL or "" is the namespace's default.
 */
#ifndef CTRD_SNAPSHOT_H
#define CTRD_SNAPSHOT_H

#include <ctrd/client.h>

CTRD_BEGIN

#define CTRD_SNAPSHOT_UNKNOWN	0
#define CTRD_SNAPSHOT_VIEW	1
#define CTRD_SNAPSHOT_ACTIVE	2
#define CTRD_SNAPSHOT_COMMITTED 3

struct ctrd_snapshot;
struct ctrd_snapshots;

/** The name that an empty one stands for in the client's namespace; end it with ctrd_free(). */
CTRD_API int ctrd_snapshotter_default(struct ctrd_client *client, char **ret_snapshotter,
		struct ctrd_error **ret_error);

CTRD_API int ctrd_snapshots_list(struct ctrd_client *client, const char *snapshotter,
		const char *const *filters, struct ctrd_snapshots **ret_snapshots,
		struct ctrd_error **ret_error);
CTRD_API void ctrd_snapshots_free(struct ctrd_snapshots *snapshots);
CTRD_API size_t ctrd_snapshots_count(const struct ctrd_snapshots *snapshots);
CTRD_API const struct ctrd_snapshot *ctrd_snapshots_at(
		const struct ctrd_snapshots *snapshots, size_t i);

CTRD_API int ctrd_snapshot_get(struct ctrd_client *client, const char *snapshotter,
		const char *key, struct ctrd_snapshot **ret_snapshot,
		struct ctrd_error **ret_error);
CTRD_API void ctrd_snapshot_free(struct ctrd_snapshot *snapshot);
CTRD_API const char *ctrd_snapshot_key(const struct ctrd_snapshot *snapshot);
CTRD_API const char *ctrd_snapshot_parent(const struct ctrd_snapshot *snapshot); /**< or "" */
CTRD_API int ctrd_snapshot_kind(const struct ctrd_snapshot *snapshot);
CTRD_API int64_t ctrd_snapshot_created(const struct ctrd_snapshot *snapshot);
CTRD_API int64_t ctrd_snapshot_updated(const struct ctrd_snapshot *snapshot);
CTRD_API const struct ctrd_labels *ctrd_snapshot_labels(const struct ctrd_snapshot *snapshot);

CTRD_API int ctrd_snapshot_usage(struct ctrd_client *client, const char *snapshotter,
		const char *key, int64_t *ret_size, int64_t *ret_inodes,
		struct ctrd_error **ret_error);
CTRD_API int ctrd_snapshot_set_labels(struct ctrd_client *client, const char *snapshotter,
		const char *key, const struct ctrd_labels *labels,
		struct ctrd_snapshot **ret_snapshot, struct ctrd_error **ret_error);

/** How to mount something. */
struct ctrd_mounts;

CTRD_API void ctrd_mounts_free(struct ctrd_mounts *mounts);
CTRD_API size_t ctrd_mounts_count(const struct ctrd_mounts *mounts);
CTRD_API const char *ctrd_mounts_type(const struct ctrd_mounts *mounts, size_t i);
CTRD_API const char *ctrd_mounts_source(const struct ctrd_mounts *mounts, size_t i);
CTRD_API const char *ctrd_mounts_target(const struct ctrd_mounts *mounts, size_t i);
/** NULL past the end of the options. */
CTRD_API const char *ctrd_mounts_option(const struct ctrd_mounts *mounts, size_t i, size_t at);

/** Mounts on a directory of ours; needs the rights to. */
CTRD_API int ctrd_mounts_apply(const struct ctrd_mounts *mounts, const char *target,
		struct ctrd_error **ret_error);
/** Takes away all that is mounted on a directory. Nothing is fine. */
CTRD_API int ctrd_unmount(const char *target, struct ctrd_error **ret_error);

/** A new writable snapshot on a committed one (NULL: on nothing). */
CTRD_API int ctrd_snapshot_prepare(struct ctrd_client *client, const char *snapshotter,
		const char *key, const char *parent, const struct ctrd_labels *labels,
		struct ctrd_mounts **ret_mounts, struct ctrd_error **ret_error);
/** The same, read-only. */
CTRD_API int ctrd_snapshot_view(struct ctrd_client *client, const char *snapshotter,
		const char *key, const char *parent, const struct ctrd_labels *labels,
		struct ctrd_mounts **ret_mounts, struct ctrd_error **ret_error);
CTRD_API int ctrd_snapshot_mounts(struct ctrd_client *client, const char *snapshotter,
		const char *key, struct ctrd_mounts **ret_mounts,
		struct ctrd_error **ret_error);
/** Ends the writing to "key"; it is then "name", and others can build on it. */
CTRD_API int ctrd_snapshot_commit(struct ctrd_client *client, const char *snapshotter,
		const char *name, const char *key, const struct ctrd_labels *labels,
		struct ctrd_error **ret_error);
CTRD_API int ctrd_snapshot_remove(struct ctrd_client *client, const char *snapshotter,
		const char *key, struct ctrd_error **ret_error);

/** Ids of a user namespace, and who they are outside. */
struct ctrd_id_range {
	uint32_t container, host, count;
};
/** A copy of a committed snapshot whose files belong to who the mappings say; one that is there
 * already is taken. Mounts it for a while, which needs the rights to. */
CTRD_API int ctrd_snapshot_remap(struct ctrd_client *client, const char *snapshotter,
		const char *parent, const struct ctrd_id_range *uids, size_t uid_count,
		const struct ctrd_id_range *gids, size_t gid_count, char **ret_key,
		struct ctrd_error **ret_error);

struct ctrd_diff_options {
	size_t size;
	const char *media_type;		  /**< of the layer; NULL: gzipped tar */
	const char *ref;		  /**< of the ingest; NULL: one that is new */
	const struct ctrd_labels *labels; /**< for the blob, or NULL */
	int has_epoch;			  /**< no file is to be younger than … */
	int64_t epoch_ns;		  /**< … this */
};

#define CTRD_DIFF_OPTIONS_INIT                                                                 \
	{                                                                                      \
		sizeof(struct ctrd_diff_options), NULL, NULL, NULL, 0, 0                       \
	}

/**
 * Makes a layer of what has to change in "lower" to get "upper".
 *
 * @param lower       NULL: what "upper" stands on
 * @param options     may be NULL
 * @param ret_digest  of the blob; end it with ctrd_free(). Only a lease or a label keeps it
 */
CTRD_API int ctrd_snapshot_diff(struct ctrd_client *client, const char *snapshotter,
		const char *lower, const char *upper, const struct ctrd_diff_options *options,
		char **ret_digest, struct ctrd_error **ret_error);

CTRD_END

#endif
