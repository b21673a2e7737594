/* SPDX-License-Identifier: Apache-2.0 */
/* Time in nanoseconds. Wall time counts from 1970 UTC; durations use the monotonic clock. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"

/* A wall time that was never set: Go's zero time, printed and sent as year 1. */
#define CLOCK_UNSET INT64_MIN

#define NS_PER_US INT64_C(1000)
#define NS_PER_MS INT64_C(1000000)
#define NS_PER_S  INT64_C(1000000000)

ANY_THREAD int64_t clock_mono_ns(void);
ANY_THREAD int64_t clock_wall_ns(void);

/* RFC 3339 in UTC with nine digits of fraction, as containerd's log prints it:
 * "2026-01-02T03:04:05.000000006Z". "out" holds CLOCK_TEXT_SIZE bytes. */
#define CLOCK_TEXT_SIZE 40
void clock_format(int64_t wall_ns, char out[CLOCK_TEXT_SIZE]);

/* Go's RFC3339Nano: the same without trailing zeros of the fraction ("…:05Z" if none). */
void clock_format_short(int64_t wall_ns, char out[CLOCK_TEXT_SIZE]);

/* Reads RFC 3339 with any fraction and offset; false on anything else. */
MUST_USE bool clock_parse(const char *text, int64_t *ret_wall_ns);
