/* SPDX-License-Identifier: Apache-2.0 */
/*
 * When to collect garbage: the original's thresholds (reference 01 §7.6), without its timer
 * that ticks while nothing happens.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/auto.h"

struct collector;
struct gc_scheduler;

/* The keys of the plugin's configuration; out of range values are clamped as the original does.
 */
struct gc_config {
	double pause_threshold; /* share of time a collection may make writers wait; 0 to 0.5 */
	int64_t deletion_threshold; /* collect at once after so many; 0: soon after each */
	int64_t mutation_threshold; /* collect soon after so many; 0: never for mutations */
	int64_t schedule_delay_ns;
	int64_t startup_delay_ns; /* 0: no first collection */
};
#define GC_CONFIG_DEFAULT                                                                      \
	{                                                                                      \
		0.02, 0, 100, 0, INT64_C(100000000)                                            \
	}

/* The collector is borrowed. */
MUST_USE struct gc_scheduler *gc_scheduler_new(
		const struct gc_config *config, struct collector *collector);
/* Waits for a collection under way; who waits in gc_run() gets UNAVAILABLE. NULL is fine. */
MAY_BLOCK void gc_scheduler_free(struct gc_scheduler *s);
DEFINE_AUTO(struct gc_scheduler *, gc_scheduler_free)

/* What it works with, clamped. */
const struct gc_config *gc_scheduler_config(const struct gc_scheduler *s);

/* Waits for the collection under way and begins no other until gc_scheduler_resume(); who asks
 * for one waits. False, and not paused, when the deadline passes first. */
MAY_BLOCK MUST_USE bool gc_scheduler_pause(struct gc_scheduler *s, int64_t mono_deadline_ns);
ANY_THREAD void gc_scheduler_resume(struct gc_scheduler *s);
