/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Writes a filesystem to disk while files are still being made, so that the barrier at the end
 * finds little to do. One pass for hundreds of files costs less than starting each file's
 * writing on its own: inodes and directories go along, and whoever makes the files does not
 * wait (measured in bench/README.md).
 */
#pragma once

#include <stdint.h>

#include "base/attr.h"

struct flusher;

/* On the filesystem that the borrowed directory is on. */
MUST_USE struct flusher *flusher_new(int dir);
/* So much was written since the last time; starts the next pass when it has become enough. */
ANY_THREAD void flusher_note(struct flusher *f, unsigned files, uint64_t bytes);
/* Waits for a pass that is running. Failures are for the barrier to find. NULL is fine. */
MAY_BLOCK void flusher_free(struct flusher *f);
