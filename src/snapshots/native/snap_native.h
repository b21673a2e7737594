/* SPDX-License-Identifier: Apache-2.0 */
/* The snapshotter for any filesystem: each snapshot is a full copy (reference 01 §6.5). */
#pragma once

#include <stdbool.h>

#include "base/attr.h"

struct err;
struct snap_store;
struct snapshotter;

struct snap_native_options {
	const char *root;
	bool no_sync; /* commit does not wait for the disk */
};

/* own_store is taken on success. */
MAY_BLOCK MUST_USE int snap_native_new(const struct snap_native_options *options,
		struct snap_store *own_store, struct snapshotter **ret_snapshotter,
		struct err *err);
