/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a piece of work carries along: for whom it is done, until when, and whether anyone
 * still wants it. Borrowed by every function that takes it; the strings live as long as it.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"

struct cancel;
struct err;

struct ctx {
	const char *ns;	   /* containerd namespace; NULL if the caller named none */
	const char *lease; /* id of the lease that new resources are recorded under; or NULL */
	int64_t deadline_ns;   /* monotonic; 0: none */
	struct cancel *cancel; /* NULL: cannot be cancelled */
	const char *what;      /* for the log: method or job name; may be NULL */
};

/* True, with DEADLINE or CANCELED in err, when the work should stop. Ask once per block. */
bool ctx_done(const struct ctx *ctx, struct err *err);

/* Nanoseconds left; INT64_MAX without a deadline, 0 when it has passed. */
int64_t ctx_left_ns(const struct ctx *ctx);

/* The call's namespace, checked: PRECONDITION when missing or empty, INVALID when malformed
 * (reference 01 §2.2). NULL on failure. Borrowed from ctx. */
const char *ctx_namespace(const struct ctx *ctx, struct err *err);
