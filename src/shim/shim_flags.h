/* SPDX-License-Identifier: Apache-2.0 */
/* The command line that daemons of every age give to shims (reference 02 §2.3). */
#pragma once

#include <stdbool.h>

#include "base/attr.h"

struct buf;
struct err;

/* All texts are borrowed from argv, "" when not given. */
struct shim_flags {
	bool debug, version, info, help;
	const char *ns, *id, *socket, *debug_socket, *bundle, *address, *publish_binary;
	const char *action; /* "start", "delete" or "": serve */
};

/* One dash or two, "-f v" and "-f=v", as Go's flag package. INVALID with its text. */
MUST_USE int shim_flags_parse(
		int argc, char *const *argv, struct shim_flags *ret, struct err *err);

/* One line for each flag. */
void shim_flags_describe(struct buf *out);
