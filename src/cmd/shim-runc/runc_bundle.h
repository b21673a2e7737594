/* SPDX-License-Identifier: Apache-2.0 */
/* Files in a bundle: some are the runtime's, some are kept for the shim's "delete" (reference
 * 02 §2.2). The directory belongs to root alone, but what the runtime leaves there is not
 * trusted. */
#pragma once

#include <stddef.h>
#include <sys/types.h>

#include "base/attr.h"

struct buf;
struct err;
struct runc_options;

#define BUNDLE_MAX_CONFIG (4 * 1024 * 1024)

/* -1 with the system's words: NOT_FOUND if the file, or the bundle, is not there. */
MUST_USE int bundle_read(const char *bundle, const char *name, size_t limit, struct buf *out,
		struct err *err);
/* Mode 0600, or what is given; atomic replacement is for files others may read at any time. */
MUST_USE int bundle_write(const char *bundle, const char *name, const void *data, size_t size,
		struct err *err);
/* The address, for daemons up to 1.7: 0644, replaced atomically. */
MUST_USE int bundle_write_address(const char *bundle, const char *address, struct err *err);

MUST_USE int bundle_save_options(
		const char *bundle, const struct runc_options *options, struct err *err);
/* Missing files give the defaults. */
MUST_USE int bundle_load_options(
		const char *bundle, struct runc_options *ret_options, struct err *err);

/* A pid as the runtime writes it: digits only. */
MUST_USE int bundle_read_pid(const char *path, pid_t *ret_pid, struct err *err);

/* The last error in the runtime's log: 1 and the owned text, 0 if there is none, -1 if the log
 * cannot be read. */
MUST_USE int bundle_last_error(const char *log_path, char **ret_text, struct err *err);
/* Its pure half. */
MUST_USE int runc_log_last_error(
		const void *data, size_t size, char **ret_text, struct err *err);
