/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The mounts of one activation on disk: a directory with a mount point for each, whose names
 * are in the order to unmount them, and a file "<name>-type" beside it.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"

struct activation;
struct ctx;
struct err;
struct mount_spec;

struct mount_place {
	const char *base; /* absolute path of what has all such directories */
	int base_fd;
	const char *temp;
	uint64_t serial;
};

/* True for types that need more than mount(2). */
bool mount_is_special(const char *type);

/* Makes the directory. */
MAY_BLOCK MUST_USE int mount_place_make(const struct mount_place *p, struct err *err);
/* Makes the i-th of "count" mounts and adds it to "made". */
MAY_BLOCK MUST_USE int mount_place_add(const struct mount_place *p, size_t i, size_t count,
		const struct mount_spec *spec, struct activation *made, struct ctx *ctx,
		struct err *err);
/* Takes away whatever is there, mounts and directory; fine if nothing is. Never removes what is
 * not a mount point. */
MAY_BLOCK MUST_USE int mount_place_clear(
		const struct mount_place *p, struct ctx *ctx, struct err *err);
