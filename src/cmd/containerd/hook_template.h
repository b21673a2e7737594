/* SPDX-License-Identifier: Apache-2.0 */
/* The templates of "containerd oci-hook" (reference 02 §8.1): of Go's text/template the actions
 * that call one of its functions, with trim markers and comments. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"

struct buf;
struct err;

struct hook_state {
	const char *id, *bundle, *rootfs, *status;
	int64_t pid;
	const char *(*annotation)(const void *arg, const char *key); /* NULL: absent */
	const void *arg;
};

/* Appends the text with its actions carried out; what "out" may hold is its limit. INVALID
 * names what is not understood. */
MUST_USE int hook_template_expand(const char *text, size_t size, const struct hook_state *state,
		struct buf *out, struct err *err);
