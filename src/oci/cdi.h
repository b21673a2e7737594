/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The Container Device Interface: files that say what a container needs in order to use a
 * device, by a name "vendor/class=device" (reference 02 §8.6). Files are the administrator's;
 * one that is broken is left out, and named when a device is not found.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/attr.h"
#include "base/auto.h"

struct cdi;
struct err;
struct jnode;

/* The directories of the original, least important first; NULL-terminated. */
extern const char *const cdi_default_dirs[];

bool cdi_is_name(const char *name);

/* Reads *.json, *.yaml and *.yml of the directories; those that do not exist count as empty. */
MAY_BLOCK MUST_USE struct cdi *cdi_load(const char *const *dirs);
void cdi_free(struct cdi *c);
DEFINE_AUTO(struct cdi *, cdi_free)

/* One more file as bytes; "name" for messages. Files of a higher priority hide devices of the
 * same name; within one priority two devices of a name hide each other. */
MUST_USE int cdi_add(struct cdi *c, const char *name, int priority, const void *data,
		size_t size, struct err *err);
/* True if there is a device of this kind ("nvidia.com/gpu"). */
bool cdi_has_kind(const struct cdi *c, const char *kind);

/* Changes the spec for all of the devices, or, when one is not known, for none:
 * "unresolvable CDI devices …". Looks at the host's device nodes for what files leave out. */
MAY_BLOCK MUST_USE int cdi_inject(
		const struct cdi *c, struct jnode *spec, char *const *names, struct err *err);
