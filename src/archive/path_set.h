/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A set of paths that only remembers 64 seeded bits of each: a layer may hold millions. Two
 * paths that fall together cost a wrong answer for one of them; nobody outside can aim at that.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct path_set {
	uint64_t *slots; /* 0: free */
	size_t count, room;
	uint64_t seed;
};

void path_set_done(struct path_set *s);

/* "dir/name", or "name" when dir is ""; "kind" keeps several sets apart in one. */
void path_set_add(struct path_set *s, unsigned kind, const char *dir, const char *name);
bool path_set_has(const struct path_set *s, unsigned kind, const char *dir, const char *name);
