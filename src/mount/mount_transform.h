/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The prefixes of a mount's type, which change it before it is made: "format/", "mkfs/" and
 * "mkdir/" (reference 01 §10.4).
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/attr.h"

struct activation;
struct ctx;
struct err;
struct mount_spec;

/* Directories in which files and directories may be made: absolute, without links. */
struct mount_roots {
	const char *paths[2];
	int fds[2];
};

/* The length of the prefix that "type" begins with, its slash counted; 0 if there is none. */
size_t mount_prefix(const char *type);

/* Does what all prefixes of the type say, from left to right, and takes them away. "made" has
 * the mounts before this one. Texts of *spec are replaced. */
MAY_BLOCK MUST_USE int mount_transform(const struct mount_roots *roots,
		const struct activation *made, struct mount_spec *spec, struct ctx *ctx,
		struct err *err);

/* The template part, pure: the text with every {{ … }} replaced; owned. */
MUST_USE int mount_format(const struct activation *made, const char *text, char **ret_text,
		struct err *err);

/* "10MiB", "1g", "512": bytes; false for anything else. */
bool mount_size(const char *text, long long *ret_bytes);
