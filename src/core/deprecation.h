/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What administrators use that will go away: each thing once, with the time it was last seen
 * (reference 01 §9.4). Asked by Introspection.Server.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/auto.h"

struct deprecations;

/* One per id; the texts are in core/deprecations.def. */
enum deprecation {
#define DEPRECATION(name, id, text) DEPRECATED_##name,
#include "core/deprecations.def"
#undef DEPRECATION
	DEPRECATION_COUNT
};

struct deprecation_seen {
	const char *id; /* "io.containerd.deprecation/cgroup-v1" */
	const char *text;
	int64_t last_ns;
};

MUST_USE struct deprecations *deprecations_new(void);
void deprecations_free(struct deprecations *d); /* NULL is fine */
DEFINE_AUTO(struct deprecations *, deprecations_free)

ANY_THREAD void deprecation_note(struct deprecations *d, enum deprecation what);
/* Fills "out" in the order of the table; returns how many. */
ANY_THREAD size_t deprecations_seen(
		struct deprecations *d, struct deprecation_seen out[DEPRECATION_COUNT]);
