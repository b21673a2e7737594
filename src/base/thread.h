/* SPDX-License-Identifier: Apache-2.0 */
/* What kind of thread this is, so that functions can refuse the wrong one. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/attr.h"

/* Marks the calling thread as a loop thread (or not). A process with a single thread, such as
 * the shim, may do both kinds of work and marks nothing. */
void thread_mark_loop(bool is_loop);
bool thread_is_loop(void);

#define ASSERT_LOOP()	   thread_assert(true)
#define ASSERT_MAY_BLOCK() thread_assert(false)
void thread_assert(bool want_loop);

/* Starts a detached=false thread with a small stack and all signals blocked, or dies: threads
 * are made at start-up and by pools that can do with fewer. Returns 0 or -errno. */
MUST_USE int thread_start(
		unsigned long *ret_thread, void *(*run)(void *), void *arg, const char *name);
void thread_join(unsigned long thread);
void thread_detach(unsigned long thread);

/* Handlers recurse over at most 16 levels of protobuf; this leaves plenty (stack notes §1). */
#define THREAD_STACK_BYTES (256 * 1024)
