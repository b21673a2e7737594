/* SPDX-License-Identifier: Apache-2.0 */
/* The default AppArmor profile of containers: made and loaded unless one of that name is. */
#pragma once

#include "base/attr.h"

struct buf;
struct err;

struct apparmor_places {
	const char *profiles; /* the kernel's list of those loaded */
	const char *macros;   /* the directory of the rules that a profile may include */
	const char *path;     /* where "apparmor_parser" and "rootlesskit" are looked for */
	const char *temp;     /* directory */
};

/* Those of this machine and process. */
void apparmor_places_init(struct apparmor_places *ret);

/* The text of the profile. INVALID for a name that could be read as more than that. */
MUST_USE int apparmor_default_profile(const struct apparmor_places *p, const char *name,
		struct buf *out, struct err *err);

/* Fails where the kernel has no AppArmor. */
MUST_USE int apparmor_load_default(
		const struct apparmor_places *p, const char *name, struct err *err);
