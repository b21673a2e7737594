/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The content store in a directory, laid out as containerd lays it out, so that its tools can
 * read ours (reference 01 §5.5). It knows no namespaces and no labels: the metadata store wraps
 * it. A commit that was answered survives power loss.
 */
#pragma once

#include <stdint.h>

#include "base/attr.h"
#include "base/auto.h"

struct content_store;
struct ctx;
struct err;
struct finding_sink;

struct content_local_options {
	const char *root; /* made with its parents, mode 0755, if missing */
	/* How long a second writer of a ref waits for the first to go before it gets
	 * UNAVAILABLE: clients reopen a ref right after closing the stream that still holds it.
	 * 0: not at all. */
	int64_t lock_wait_ns;
};

MAY_BLOCK MUST_USE int content_local_new(const struct content_local_options *options,
		struct content_store **ret_store, struct err *err);

/* Writers and readers must be gone. NULL is fine. */
MAY_BLOCK void content_local_free(struct content_store *store);
DEFINE_AUTO(struct content_store *, content_local_free)

/* Removes ingests of which a crash left half, since no name leads to them. Nobody may be
 * writing.
 */
MAY_BLOCK MUST_USE int content_local_clean(struct content_store *store, struct err *err);

/* Reads every blob and names what has not the bytes that its name says; a store of this kind
 * only. Others may use it meanwhile. */
MAY_BLOCK MUST_USE int content_local_verify(struct content_store *store, struct ctx *ctx,
		const struct finding_sink *sink, struct err *err);
