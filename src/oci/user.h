/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who a USER string means inside a root file system. passwd and group of an image are hostile:
 * they are read in bounded pieces, all-digit names are never looked up, and numbers beyond 31
 * bits are refused rather than wrapped (reference 04: CVE-2024-40635, 2026-46680, 2026-47262).
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/attr.h"

struct err;

#define USER_FILE_MAX (10 * 1024 * 1024)

/* Gives the bytes of "passwd" or "group" of the root: opened, checked to be a regular file of
 * at most USER_FILE_MAX bytes. 1 and a descriptor that the callee of this function closes, 0 if
 * there is no such file, -1 on failure. */
struct user_source {
	int (*open)(void *arg, const char *path, int *ret_fd, struct err *err);
	void *arg;
};

struct user_ids {
	uint32_t uid, gid;
	uint32_t *groups; /* supplementary, the primary one first */
	size_t group_count;
};

void user_ids_done(struct user_ids *u);

/* "name", "uid", "name:group", "uid:gid" and mixes. Sets uid and gid, and groups to the primary
 * one. INVALID for malformed or out-of-range, NOT_FOUND for unknown names. */
MUST_USE int user_resolve(const char *user, const struct user_source *source,
		struct user_ids *u, struct err *err);

/* Adds the groups that list the user (a name, or a uid that passwd gives a name). Missing files
 * are no failure. */
MUST_USE int user_add_groups(const char *user, const struct user_source *source,
		struct user_ids *u, struct err *err);
