/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The directories of a driver: <root>/snapshots/<id>. A directory is there, durably, before the
 * record that needs it, and goes after it; what no record knows is garbage.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/attr.h"
#include "base/mutex.h"

struct ctx;
struct err;
struct snap_store;

struct snap_dirs {
	char *root;
	int fd; /* of <root>/snapshots */
	struct mutex lock;
	uint64_t *pending; /* ids whose directories are made and whose records are not yet */
	size_t pending_count;
};

/* Makes root and root/snapshots, mode 0700, if they are missing. */
MAY_BLOCK MUST_USE int snap_dirs_open(struct snap_dirs *d, const char *root, struct err *err);
void snap_dirs_close(struct snap_dirs *d);

/* A new id with its empty directory, mode as given. It is no garbage until snap_dirs_settled().
 */
MAY_BLOCK MUST_USE int snap_dirs_make(struct snap_dirs *d, struct snap_store *store,
		mode_t mode, uint64_t *ret_id, struct err *err);
ANY_THREAD void snap_dirs_settled(struct snap_dirs *d, uint64_t id);

/* Makes the directory, and what was made in it, durable. */
MAY_BLOCK MUST_USE int snap_dirs_sync(struct snap_dirs *d, uint64_t id, struct err *err);

MAY_BLOCK MUST_USE int snap_dirs_remove(struct snap_dirs *d, uint64_t id, struct err *err);

/* Removes every directory that no record knows. */
MAY_BLOCK MUST_USE int snap_dirs_clean(struct snap_dirs *d, struct snap_store *store,
		struct ctx *ctx, struct err *err);

/* "<id>" or "<id>/<below>" */
#define SNAP_DIR_NAME 40
void snap_dir_name(uint64_t id, const char *below, char out[SNAP_DIR_NAME]);
/* The same below root, owned. */
MUST_USE char *snap_dirs_path(const struct snap_dirs *d, uint64_t id, const char *below);
