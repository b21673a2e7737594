/* SPDX-License-Identifier: Apache-2.0 */
#include "base/clock.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

static int64_t now(clockid_t id)
{
	struct timespec ts;

	(void)clock_gettime(id, &ts);
	return ts.tv_sec * NS_PER_S + ts.tv_nsec;
}

int64_t clock_mono_ns(void)
{
	return now(CLOCK_MONOTONIC);
}

int64_t clock_wall_ns(void)
{
	return now(CLOCK_REALTIME);
}

void clock_format(int64_t wall_ns, char out[CLOCK_TEXT_SIZE])
{
	int64_t nanos = wall_ns % NS_PER_S;
	time_t seconds = (time_t)(wall_ns / NS_PER_S);
	struct tm tm;

	if (wall_ns == CLOCK_UNSET) {
		(void)snprintf(out, CLOCK_TEXT_SIZE, "0001-01-01T00:00:00.000000000Z");
		return;
	}
	if (nanos < 0) {
		nanos += NS_PER_S;
		seconds--;
	}
	(void)gmtime_r(&seconds, &tm); /* UTC: reads no zone file, takes no lock */
	(void)snprintf(out, CLOCK_TEXT_SIZE, "%04d-%02d-%02dT%02d:%02d:%02d.%09dZ",
			(tm.tm_year + 1900) % 10000, (tm.tm_mon + 1) % 100, tm.tm_mday % 100,
			tm.tm_hour % 100, tm.tm_min % 100, tm.tm_sec % 100, (int)nanos);
}

void clock_format_short(int64_t wall_ns, char out[CLOCK_TEXT_SIZE])
{
	size_t n;

	clock_format(wall_ns, out);
	n = strlen(out) - 1; /* at the Z */
	while (out[n - 1] == '0')
		n--;
	if (out[n - 1] == '.')
		n--;
	out[n] = 'Z';
	out[n + 1] = '\0';
}
