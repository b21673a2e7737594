/* SPDX-License-Identifier: Apache-2.0 */
/* The answer of a sandbox controller, when it comes. */
#pragma once

#include <stdbool.h>

#include "base/err.h"
#include "base/mutex.h"
#include "core/sandbox_controller.h"

struct sandbox_answer {
	struct mutex lock;
	struct cond changed;
	const char *key;
	bool is_there;		    /* under lock, as all that follows */
	struct sandbox_reply reply; /* its numbers: what it points to is gone */
	char state[32], metrics_id[32];
	char value[32]; /* of the key in the reply's info, or else in its labels */
	struct err err;
};

/* Asks; "key": what to look for in the reply. */
void sandbox_ask(struct sandbox_answer *a, struct sandbox_controller *c, struct ctx *ctx,
		const struct sandbox_request *r, const char *key);
/* Waits for it, once; 0, or -1 and err. */
int sandbox_await(struct sandbox_answer *a, struct err *err);
