/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A look through a driver's records and directories (docs/design/033-verify.md), while nobody
 * uses them.
 */
#pragma once

#include <stdbool.h>

#include "base/attr.h"

struct ctx;
struct err;
struct finding_sink;

struct snap_verify_options {
	const char *name;  /* of the driver, for the findings */
	const char *root;  /* where it keeps everything */
	const char *below; /* what of a snapshot's directory has its files: "fs" or "" */
	bool copies;	   /* an active snapshot begins as a copy of its parent */
};

/* Fails as snap_store_kv_open() does, and when the look itself does. */
MAY_BLOCK MUST_USE int snap_verify(const struct snap_verify_options *options, struct ctx *ctx,
		const struct finding_sink *sink, struct err *err);
