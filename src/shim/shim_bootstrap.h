/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a daemon says when it starts a shim, and what it wants to hear back. Daemons of 2.3 send
 * BootstrapParams; older ones just the runtime's options, and the rest by flags and environment
 * (reference 02 §2.4, §2.17).
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/attr.h"

struct arena;
struct buf;
struct err;
struct shim_flags;

struct shim_bootstrap {
	bool is_new; /* the daemon speaks BootstrapParams */
	bool debug;
	const char *grpc_address, *ttrpc_address;
	const char *socket_dir;	  /* NULL: not told */
	const char *options_type; /* "" for none */
	const void *options;
	size_t options_size;
};

#define SHIM_MAX_STDIN (10 * 1024 * 1024)

/* Everything returned lives in the arena, or is borrowed from flags and environment. NOT_FOUND
 * for options of a type that is not runc's. */
MUST_USE int shim_bootstrap_read(const void *input, size_t size, const struct shim_flags *flags,
		struct arena *arena, struct shim_bootstrap *ret, struct err *err);

/* address is a path without "unix://". */
void shim_bootstrap_answer(
		const struct shim_bootstrap *b, const char *socket_path, struct buf *out);
