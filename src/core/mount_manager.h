/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Mounts that are made for somebody by name, and taken away again: what a plain mount(2) by a
 * shim or a client cannot do, because a file must become a disk first, or because one mount
 * needs to know where another one is (reference 01 §10.4).
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/labels.h"
#include "core/mount.h"

struct ctx;
struct err;

struct active_mount {
	struct mount_spec spec; /* as it was mounted; owned */
	char *mount_point;
	int64_t mounted_ns; /* wall */
};

struct activation {
	char *name;
	struct active_mount *active; /* in the order they were made */
	size_t active_count;
	struct mounts system; /* what is left for the caller to mount */
	struct labels labels;
};

#define AUTO_ACTIVATION __attribute__((cleanup(activation_done)))

void activation_done(struct activation *a);
void activation_copy(struct activation *to, const struct activation *from);
/* Adds one with copies of the texts. */
void activation_add(struct activation *a, const struct mount_spec *spec,
		const char *mount_point, int64_t mounted_ns);

/* All borrowed. */
struct mount_activate {
	const char *name;
	const struct mounts *mounts;
	const struct labels *labels; /* NULL: none */
	bool temporary;		     /* make all of them, and tell where the last one is */
	bool is_held;	      /* no garbage before it is deactivated, or this process ends */
	char *const *allowed; /* types that the caller can mount; NULL: none but plain ones */
};

/* Runs under a lock: keeps nothing, and does not block. Negative stops the walk. */
typedef int (*activation_each)(void *arg, const struct activation *a, struct err *err);

struct mount_manager;
struct mount_manager_ops {
	bool (*is_needed)(struct mount_manager *self, const struct mounts *mounts);
	int (*activate)(struct mount_manager *self, struct ctx *ctx,
			const struct mount_activate *r, struct activation *ret_activation,
			struct err *err);
	int (*deactivate)(struct mount_manager *self, struct ctx *ctx, const char *name,
			struct err *err);
	int (*info)(struct mount_manager *self, struct ctx *ctx, const char *name,
			struct activation *ret_activation, struct err *err);
	int (*list)(struct mount_manager *self, struct ctx *ctx, activation_each each,
			void *arg, struct err *err);
};

struct mount_manager {
	const struct mount_manager_ops *ops;
};

/* False if these mounts are plain: anybody can mount them. */
ANY_THREAD bool mount_manager_is_needed(struct mount_manager *m, const struct mounts *mounts);
/* UNIMPLEMENTED if there is nothing to do, EXISTS when the name is taken in this namespace.
 * Belongs to the lease of ctx, or to whom the labels refer back to; else it is garbage. */
MAY_BLOCK MUST_USE int mount_manager_activate(struct mount_manager *m, struct ctx *ctx,
		const struct mount_activate *r, struct activation *ret_activation,
		struct err *err);
/* The name is free again whatever the outcome; what cannot be unmounted is tried again later.
 */
MAY_BLOCK MUST_USE int mount_manager_deactivate(
		struct mount_manager *m, struct ctx *ctx, const char *name, struct err *err);
ANY_THREAD MUST_USE int mount_manager_info(struct mount_manager *m, struct ctx *ctx,
		const char *name, struct activation *ret_activation, struct err *err);
/* In the order of the names. */
ANY_THREAD MUST_USE int mount_manager_list(struct mount_manager *m, struct ctx *ctx,
		activation_each each, void *arg, struct err *err);
