/* SPDX-License-Identifier: Apache-2.0 */
/* Where a new layer goes: tar in, hashed, packed by a helper process, into the content store.
 */
#pragma once

#include "archive/layer_helper.h"
#include "base/digest.h"
#include "base/err.h"

struct content_writer;
struct ctx;
struct diff_walking;

struct diff_out {
	struct content_writer *writer;
	struct digester *digester; /* of the tar */
	struct layer_helper helper;
	bool is_packed;
	int to_helper;
	unsigned long thread;
	struct err failure; /* of the thread */
};

#define DIFF_OUT_INIT                                                                          \
	{                                                                                      \
		.helper = LAYER_HELPER_INIT, .to_helper = -1                                   \
	}

/* "mode" is how the helper packs; NULL: not at all. The writer is borrowed. */
MAY_BLOCK MUST_USE int diff_out_open(struct diff_out *o, struct diff_walking *d,
		struct content_writer *writer, const char *mode, struct err *err);
MAY_BLOCK MUST_USE int diff_out_write(
		struct diff_out *o, const void *data, size_t size, struct err *err);
/* After the last byte: waits until all is in the writer. */
MAY_BLOCK MUST_USE int diff_out_finish(struct diff_out *o, struct err *err);
MAY_BLOCK void diff_out_drop(struct diff_out *o);
