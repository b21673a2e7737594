/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Names that are being worked on. Since no lock is held while a backend works, whoever needs a
 * blob or snapshot to stay as it is meanwhile holds its name: shared (it must not go) or alone
 * (nobody else may work on it). The collector takes what it removes alone, and skips what it
 * cannot have.
 */
#pragma once

#include <stdbool.h>

#include "base/attr.h"
#include "base/map.h"
#include "base/mutex.h"

struct ctx;
struct err;

struct holds {
	struct mutex lock;
	struct cond freed;
	struct map names;
};

void holds_init(struct holds *h);
void holds_done(struct holds *h);

/* A name held until the end of the block. Zeroed: none. */
struct held {
	struct holds *holds;
	char *name;
};
#define AUTO_HELD __attribute__((cleanup(held_release)))
void held_release(struct held *held);

/* Wait for whoever holds it otherwise; CANCELED or DEADLINE when ctx ends first. */
MAY_BLOCK MUST_USE int hold_shared(struct holds *h, struct ctx *ctx, const char *name,
		struct held *ret_held, struct err *err);
MAY_BLOCK MUST_USE int hold_alone(struct holds *h, struct ctx *ctx, const char *name,
		struct held *ret_held, struct err *err);
MUST_USE bool hold_try_alone(struct holds *h, const char *name, struct held *ret_held);
