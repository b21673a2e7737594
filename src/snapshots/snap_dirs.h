/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The directories of a driver: <root>/snapshots/<id>. A directory is there before the record
 * that needs it, and goes after it; what no record knows is garbage. An empty one need not be
 * on disk: what a power cut takes is made again (docs/design/030-snapshot-records.md).
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/attr.h"
#include "base/mutex.h"

struct ctx;
struct err;
struct snap_node;
struct snap_store;
struct snapshot_info;

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

struct dir_look {
	mode_t mode;
	uid_t uid;
	gid_t gid;
};

/* A directory below snapshots/ with exactly this look, whatever the umask; an existing one
 * stays as it is. *is_changed is set when it did not look so from the start: then a power cut
 * may find it otherwise, and it must be synced. -errno. */
MAY_BLOCK MUST_USE int snap_dirs_mkdir(const struct snap_dirs *d, const char *name,
		const struct dir_look *look, bool *is_changed);

/* A new id with its empty directory, mode as given. It is no garbage until snap_dirs_settled().
 * is_changed: as above. */
MAY_BLOCK MUST_USE int snap_dirs_make(struct snap_dirs *d, struct snap_store *store,
		mode_t mode, uint64_t *ret_id, bool *is_changed, struct err *err);
ANY_THREAD void snap_dirs_settled(struct snap_dirs *d, uint64_t id);
ANY_THREAD bool snap_dirs_has(const struct snap_dirs *d, uint64_t id, const char *below);

/* At the start: "restore" for each snapshot that is not committed, to make what is missing of
 * its directory. 1 if anything was. What cannot be restored is logged; the others go on. */
typedef int (*snap_dirs_restore)(void *driver, uint64_t id, const struct snapshot_info *i,
		const struct snap_node *parent, struct err *err);
MAY_BLOCK void snap_dirs_restore_all(
		struct snap_store *store, snap_dirs_restore restore, void *driver);

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
