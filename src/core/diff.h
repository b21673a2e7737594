/* SPDX-License-Identifier: Apache-2.0 */
/* Layers to files and back (reference 03 §2). */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"
#include "core/image.h"
#include "core/mount.h"

struct anys;
struct ctx;
struct err;
struct differ;
struct pool;

struct diff_apply_options {
	bool sync_fs;
	const struct anys *payloads; /* for stream processors, by their id; may be NULL */
};

struct diff_create_options {
	const char *media_type;	      /* "": tar+gzip of OCI */
	const char *ref;	      /* ingest to use; "": a random one */
	const struct labels *labels;  /* for the new blob; may be NULL */
	int64_t source_date_epoch_ns; /* 0: none */
};

struct differ_ops {
	int (*apply)(struct differ *self, struct ctx *ctx, const struct descriptor *layer,
			const struct mounts *mounts, const struct diff_apply_options *options,
			struct descriptor *ret_applied, struct err *err);
	int (*compare)(struct differ *self, struct ctx *ctx, const struct mounts *lower,
			const struct mounts *upper, const struct diff_create_options *options,
			struct descriptor *ret_diff, struct err *err);
	void (*free)(struct differ *self);
};
struct differ {
	const struct differ_ops *ops;
	struct pool *pool; /* as of struct snapshotter (core/snapshot.h) */
};

/* Unpacks the layer blob onto the mounts. ret_applied describes the uncompressed tar that was
 * applied: its digest is the diff id, computed over exactly the bytes that were parsed.
 * UNIMPLEMENTED for media types this differ does not know. */
MAY_BLOCK MUST_USE int diff_apply(struct differ *d, struct ctx *ctx,
		const struct descriptor *layer, const struct mounts *mounts,
		const struct diff_apply_options *options, struct descriptor *ret_applied,
		struct err *err);
MAY_BLOCK MUST_USE int diff_compare(struct differ *d, struct ctx *ctx,
		const struct mounts *lower, const struct mounts *upper,
		const struct diff_create_options *options, struct descriptor *ret_diff,
		struct err *err);
MAY_BLOCK void differ_free(struct differ *d);
