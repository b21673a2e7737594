/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Moves bytes from one pipe to another, in the kernel, until the source ends. A target that is
 * not read from stops the copy and costs nothing; so does a source that says nothing. Either
 * side may also be a file.
 */
#pragma once

#include "base/attr.h"
#include "base/auto.h"

struct copy;
struct loop;

/* One of the two must be a pipe. Both are closed when the copy ends, before "done", which comes
 * once, from the loop; the copy is still to be freed. NULL (and both closed) if they cannot be
 * watched. */
MUST_USE struct copy *copy_start(
		struct loop *l, int own_from, int own_to, void (*done)(void *arg), void *arg);
/* Ends it now, without "done". */
void copy_free(struct copy *c);
DEFINE_AUTO(struct copy *, copy_free)

/* Asked of every pipe that data goes through: the default halves the speed. */
#define COPY_PIPE_SIZE (256 * 1024)
