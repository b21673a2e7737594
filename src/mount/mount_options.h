/* SPDX-License-Identifier: Apache-2.0 */
/* From the words in a mount spec to the arguments of mount(2). Pure functions. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/attr.h"
#include "base/auto.h"

struct err;

struct mount_options {
	unsigned long flags;
	bool loop, direct_io;
	char *uid_map, *gid_map; /* NULL unless both were given */
	char *data;
};

#define AUTO_MOUNT_OPTIONS __attribute__((cleanup(mount_options_done)))

void mount_options_done(struct mount_options *o);

/* INVALID for options that only a mount manager understands, or too many of them. */
MUST_USE int mount_options_parse(
		char *const *options, struct mount_options *ret_options, struct err *err);

/* The kernel takes one page of data. Overlay options about that long are rewritten so that the
 * lower directories are relative to their common parent, which becomes *ret_dir (owned); NULL
 * if that is not needed or not possible. ret_options are owned. */
void mount_overlay_compact(char *const *options, char **ret_dir, char ***ret_options);

/* The longest directory that holds all lower directories: owned, or NULL if that is "/", or if
 * one of them is not longer. */
MUST_USE char *mount_common_dir(char *const *lower);

/* "container:host:size[,...]" as the lines of a map file; owned. INVALID if it is not that. */
MUST_USE int mount_idmap_text(const char *map, char **ret_text, struct err *err);
