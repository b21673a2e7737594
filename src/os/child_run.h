/* SPDX-License-Identifier: Apache-2.0 */
/* One run of a short program: input in, output out, and never longer than the ctx allows. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/attr.h"

struct buf;
struct ctx;
struct err;

struct child_run {
	const char *path;
	char *const *argv, *const *envp;
	const char *cwd;
	const void *input; /* NULL: /dev/null */
	size_t input_size;
	struct buf *out;     /* standard output, up to its limit: more is dropped */
	struct buf *err_out; /* standard error; the same as "out" to have both in one */
	bool dies_with_us;   /* killed when this process is */
};

/* The exit status (128 + signal if one ended it), after the output was read to its end or, for
 * what a grandchild still holds open, to where it was when the program ended. Negative with err
 * when it could not be started, or was killed because ctx was over. */
MAY_BLOCK MUST_USE int child_run(const struct child_run *run, struct ctx *ctx, struct err *err);
