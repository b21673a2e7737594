/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Running the shim's binary: "start", "delete" and "-info" (reference 02 §2.3). Each is a short
 * program with bounded output and time; when the time is over its process group is killed.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"

struct any;
struct buf;
struct ctx;
struct err;
struct shim_endpoint;

/* What all shims of a daemon are told. Borrowed texts. */
struct shim_env {
	const char *grpc_address, *ttrpc_address;
	const char *daemon_binary, *daemon_version;
	const char *socket_dir;
	char *const *extra; /* "NAME=value" for start */
	bool debug;
};

struct shim_binary {
	const char *path;
	const char *ns, *id;
	const char *bundle; /* the working directory */
	const struct shim_env *env;
};

/* Starts a shim, or finds out about the one that serves this group already. "options" are those
 * of the runtime; may be not set. Shims too old for the message we speak are asked again in
 * theirs. On failure the text is what the shim said, and "exit status N". */
MAY_BLOCK MUST_USE int shim_binary_start(const struct shim_binary *b, struct ctx *ctx,
		const struct any *options, struct shim_endpoint *ret_endpoint, struct err *err);

struct shim_exit {
	uint32_t pid, status;
	int64_t exited_ns;
};

/* Removes what a task left behind whose shim is gone. Must be harmless when nothing is left. */
MAY_BLOCK MUST_USE int shim_binary_delete(const struct shim_binary *b, struct ctx *ctx,
		struct shim_exit *ret_exit, struct err *err);

/* Bytes of a containerd.types.RuntimeInfo. */
MAY_BLOCK MUST_USE int shim_binary_info(const char *path, struct ctx *ctx,
		const struct any *options, struct buf *out, struct err *err);
