/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Snapshots (reference 01 §6). Drivers (overlayfs, native, …) keep them under global keys; the
 * metadata store wraps each driver per namespace behind the same interface.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/auto.h"
#include "base/labels.h"
#include "core/mount.h"

struct ctx;
struct err;
struct pool;

enum snapshot_kind { /* numbers as on the wire */
	SNAPSHOT_UNKNOWN,
	SNAPSHOT_VIEW,
	SNAPSHOT_ACTIVE,
	SNAPSHOT_COMMITTED,
};

struct snapshot_info {
	char *name, *parent; /* parent "" if none */
	enum snapshot_kind kind;
	int64_t created_ns, updated_ns;
	struct labels labels;
};
void snapshot_info_done(struct snapshot_info *i);
void snapshot_info_copy(struct snapshot_info *to, const struct snapshot_info *from);

struct snapshot_usage {
	int64_t size, inodes;
};

struct snapshotter;
typedef int (*snapshot_each)(void *arg, const struct snapshot_info *i, struct err *err);

struct snapshotter_ops {
	const char *name;
	/* prepare and view in one: kind is ACTIVE or VIEW. */
	int (*create)(struct snapshotter *self, struct ctx *ctx, enum snapshot_kind kind,
			const char *key, const char *parent, const struct labels *labels,
			struct mounts *ret_mounts, struct err *err);
	int (*mounts)(struct snapshotter *self, struct ctx *ctx, const char *key,
			struct mounts *ret_mounts, struct err *err);
	/* parent: rebase onto it if the active one has none; "" or NULL: leave. */
	int (*commit)(struct snapshotter *self, struct ctx *ctx, const char *name,
			const char *key, const char *parent, const struct labels *labels,
			struct err *err);
	int (*remove)(struct snapshotter *self, struct ctx *ctx, const char *key,
			struct err *err);
	int (*stat)(struct snapshotter *self, struct ctx *ctx, const char *key,
			struct snapshot_info *ret_info, struct err *err);
	int (*update)(struct snapshotter *self, struct ctx *ctx,
			const struct snapshot_info *info, char *const *fieldpaths,
			struct snapshot_info *ret_info, struct err *err);
	int (*usage)(struct snapshotter *self, struct ctx *ctx, const char *key,
			struct snapshot_usage *ret_usage, struct err *err);
	int (*walk)(struct snapshotter *self, struct ctx *ctx, char *const *filters,
			snapshot_each each, void *arg, struct err *err);
	/* Frees disk space of removed snapshots; NULL: there is nothing to do. */
	int (*cleanup)(struct snapshotter *self, struct ctx *ctx, struct err *err);
	void (*free)(struct snapshotter *self);
};
/* "pool": set where calls wait for another process, as long as that likes. Then none of them
 * may run on the loop, and those of clients run on this pool, so that nobody else has to wait.
 */
struct snapshotter {
	const struct snapshotter_ops *ops;
	struct pool *pool;
};

/* A new active snapshot "key" on the committed "parent" (NULL or "": empty), and how to mount
 * it. EXISTS when key is taken, NOT_FOUND when parent is not there, INVALID when it is not
 * committed. */
MAY_BLOCK MUST_USE int snapshot_prepare(struct snapshotter *s, struct ctx *ctx, const char *key,
		const char *parent, const struct labels *labels, struct mounts *ret_mounts,
		struct err *err);
MAY_BLOCK MUST_USE int snapshot_view(struct snapshotter *s, struct ctx *ctx, const char *key,
		const char *parent, const struct labels *labels, struct mounts *ret_mounts,
		struct err *err);
ANY_THREAD MUST_USE int snapshot_mounts(struct snapshotter *s, struct ctx *ctx, const char *key,
		struct mounts *ret_mounts, struct err *err);
MAY_BLOCK MUST_USE int snapshot_commit(struct snapshotter *s, struct ctx *ctx, const char *name,
		const char *key, const char *parent, const struct labels *labels,
		struct err *err);
MAY_BLOCK MUST_USE int snapshot_remove(
		struct snapshotter *s, struct ctx *ctx, const char *key, struct err *err);
ANY_THREAD MUST_USE int snapshot_stat(struct snapshotter *s, struct ctx *ctx, const char *key,
		struct snapshot_info *ret_info, struct err *err);
MAY_BLOCK MUST_USE int snapshot_update(struct snapshotter *s, struct ctx *ctx,
		const struct snapshot_info *info, char *const *fieldpaths,
		struct snapshot_info *ret_info, struct err *err);
MAY_BLOCK MUST_USE int snapshot_usage(struct snapshotter *s, struct ctx *ctx, const char *key,
		struct snapshot_usage *ret_usage, struct err *err);
ANY_THREAD MUST_USE int snapshot_walk(struct snapshotter *s, struct ctx *ctx,
		char *const *filters, snapshot_each each, void *arg, struct err *err);
MAY_BLOCK MUST_USE int snapshot_cleanup(
		struct snapshotter *s, struct ctx *ctx, struct err *err);
MAY_BLOCK void snapshotter_free(struct snapshotter *s);
DEFINE_AUTO(struct snapshotter *, snapshotter_free)
