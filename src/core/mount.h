/* SPDX-License-Identifier: Apache-2.0 */
/* What to mount, as snapshotters describe it; src/mount applies it (reference 01 §6.11). */
#pragma once

#include <stddef.h>

#include "base/attr.h"
#include "base/auto.h"

struct mount_spec {
	char *type, *source,
			*target; /* never NULL once filled; target is below the mount point */
	char **options;
};

struct mounts {
	struct mount_spec *items;
	size_t count;
};

#define AUTO_MOUNTS __attribute__((cleanup(mounts_done)))

void mounts_done(struct mounts *m);
/* Adds an entry with copies of the texts and returns it, for options to be added. */
struct mount_spec *mounts_add(
		struct mounts *m, const char *type, const char *source, const char *target);
void mounts_copy(struct mounts *to, const struct mounts *from);
