/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a shim logs: lines in the fifo "log" of its bundle, which we copy to our own standard
 * error. We hold the fifo for reading and writing, so that neither side ever waits for the
 * other to open it, and so that a shim can go on when we are gone.
 */
#pragma once

#include "base/attr.h"
#include "base/auto.h"

struct loop;
struct shim_log;

/* Opens the fifo (made if missing) and begins to copy. 0 or -errno. */
MAY_BLOCK MUST_USE int shim_log_open(
		struct loop *loop, const char *bundle, struct shim_log **ret_log);
/* Copies what is there and ends. NULL is fine. */
ANY_THREAD void shim_log_close(struct shim_log *log);
DEFINE_AUTO(struct shim_log *, shim_log_close)
