/* SPDX-License-Identifier: Apache-2.0 */
/*
 * int64_t nanoseconds since 1970 <-> google.protobuf.Timestamp. CLOCK_UNSET (base/clock.h) is
 * the time that was never set: Go's year 1, which peers send and expect as such, not as an
 * absent field (that reads as 1970; reference 01 §1.6).
 */
#pragma once

#include <stdint.h>

#include "api/pb/timestamp.pb-c.h"

struct arena;

/* In the arena; never NULL. */
Google__Protobuf__Timestamp *timestamp_new(struct arena *a, int64_t time_ns);

/* Into a message in the caller's hands. */
void timestamp_set(Google__Protobuf__Timestamp *ts, int64_t time_ns);

/* Absent (NULL): 0, that is 1970. Year 1: CLOCK_UNSET. Times that 64 bits of nanoseconds cannot
 * hold (before 1677, after 2262) come back as the nearest that they can. */
int64_t timestamp_ns(const Google__Protobuf__Timestamp *ts);
