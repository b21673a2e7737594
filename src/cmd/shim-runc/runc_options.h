/* SPDX-License-Identifier: Apache-2.0 */
/* The options of one container's runtime: from the client, and as a file for the "delete" that
 * comes when the shim is gone. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"

struct buf;
struct err;

struct runc_options {
	bool no_pivot_root, no_new_keyring, systemd_cgroup;
	uint32_t io_uid, io_gid;
	/* Owned, NULL for none. */
	char *shim_cgroup, *binary_name, *root;
	char *criu_image_path, *criu_work_path;
	char *task_api_address;
	uint32_t task_api_version;
};

#define AUTO_RUNC_OPTIONS __attribute__((cleanup(runc_options_done)))

void runc_options_done(struct runc_options *o);

/* An absent or empty Any gives the defaults. INVALID for any other type. */
MUST_USE int runc_options_decode(const char *type_url, const void *data, size_t size,
		struct runc_options *out, struct err *err);

MUST_USE bool runc_options_are_default(const struct runc_options *o);

/* As options.json in the bundle. */
void runc_options_to_json(const struct runc_options *o, struct buf *out);
MUST_USE int runc_options_from_json(
		const void *data, size_t size, struct runc_options *out, struct err *err);

/* What to run and where it keeps its state. */
const char *runc_options_binary(const struct runc_options *o);
MUST_USE char *runc_options_root(const struct runc_options *o, const char *ns);
