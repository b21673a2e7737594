/* SPDX-License-Identifier: Apache-2.0 */
/* A loop that is driven until something has happened. */
#pragma once

#include <signal.h>
#include <stdbool.h>

#include "base/clock.h"
#include "loop/loop.h"
#include "unit/unit.h"

/* Only a failure gets that far. */
#define SHIM_TEST_MS 20000

#define run_until(loop, condition)                                                             \
	do {                                                                                   \
		int64_t end_ = clock_mono_ns() + SHIM_TEST_MS * NS_PER_MS;                     \
		while (!(condition)) {                                                         \
			if (clock_mono_ns() > end_)                                            \
				fail_msg("never came: %s", #condition);                        \
			loop_run_once((loop), 100);                                            \
		}                                                                              \
	} while (0)

static inline void block_sigchld(void)
{
	sigset_t set;

	(void)sigemptyset(&set);
	(void)sigaddset(&set, SIGCHLD);
	(void)sigprocmask(SIG_BLOCK, &set, NULL);
}

static inline void set_flag(void *arg)
{
	*(bool *)arg = true;
}
