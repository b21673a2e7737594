/* SPDX-License-Identifier: Apache-2.0 */
#include "api/timestamp.h"

#include "api/arena.h"
#include "base/clock.h"

#define YEAR_ONE_S INT64_C(-62135596800)

void timestamp_set(Google__Protobuf__Timestamp *ts, int64_t time_ns)
{
	int64_t nanos = time_ns % NS_PER_S;

	google__protobuf__timestamp__init(ts);
	if (time_ns == CLOCK_UNSET) {
		ts->seconds = YEAR_ONE_S;
		return;
	}
	/* nanos counts forward, also before 1970 */
	ts->seconds = time_ns / NS_PER_S - (nanos < 0 ? 1 : 0);
	ts->nanos = (int32_t)(nanos < 0 ? nanos + NS_PER_S : nanos);
}

Google__Protobuf__Timestamp *timestamp_new(struct arena *a, int64_t time_ns)
{
	Google__Protobuf__Timestamp *ts = arena_alloc(a, sizeof(*ts));

	timestamp_set(ts, time_ns);
	return ts;
}

int64_t timestamp_ns(const Google__Protobuf__Timestamp *ts)
{
	int64_t ns;

	if (ts == NULL)
		return 0;
	if (ts->seconds == YEAR_ONE_S && ts->nanos == 0)
		return CLOCK_UNSET;
	if (__builtin_mul_overflow(ts->seconds, NS_PER_S, &ns) ||
			__builtin_add_overflow(ns, (int64_t)ts->nanos, &ns) ||
			ns == CLOCK_UNSET)
		return ts->seconds < 0 ? INT64_MIN + 1 : INT64_MAX;
	return ns;
}
