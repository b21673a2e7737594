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

/* A number of exactly "digits" digits; the text moves on behind it. */
static bool take_number(const char **text, int digits, int *ret)
{
	int value = 0;

	for (int i = 0; i < digits; i++, (*text)++) {
		if (**text < '0' || **text > '9')
			return false;
		value = value * 10 + (**text - '0');
	}
	*ret = value;
	return true;
}

static bool take_char(const char **text, char want)
{
	if (**text != want)
		return false;
	(*text)++;
	return true;
}

/* Days from 1970-01-01 in the Gregorian calendar, whose years here begin in March. */
static int64_t days_of(int year, int month, int day)
{
	int64_t y = month <= 2 ? year - 1 : year;
	int64_t m = month <= 2 ? month + 9 : month - 3;

	return 365 * y + y / 4 - y / 100 + y / 400 + (153 * m + 2) / 5 + day - 1 - 719468;
}

static int64_t take_fraction(const char **text)
{
	int64_t nanos = 0, unit = NS_PER_S / 10;

	for (; **text >= '0' && **text <= '9'; (*text)++, unit /= 10)
		nanos += (**text - '0') * unit;
	return nanos;
}

static bool take_offset(const char **text, int64_t *ret_seconds)
{
	int sign = **text == '-' ? -1 : 1, hours, minutes;

	*ret_seconds = 0;
	if (**text == 'Z' || **text == 'z') {
		(*text)++;
		return true;
	}
	if (**text != '+' && **text != '-')
		return false;
	(*text)++;
	if (!take_number(text, 2, &hours) || !take_char(text, ':') ||
			!take_number(text, 2, &minutes) || hours > 23 || minutes > 59)
		return false;
	*ret_seconds = sign * (hours * 3600 + minutes * 60);
	return true;
}

bool clock_parse(const char *text, int64_t *ret_wall_ns)
{
	int year, month, day, hour, minute, second;
	int64_t nanos = 0, offset, seconds;

	if (!take_number(&text, 4, &year) || !take_char(&text, '-') ||
			!take_number(&text, 2, &month) || !take_char(&text, '-') ||
			!take_number(&text, 2, &day) ||
			(!take_char(&text, 'T') && !take_char(&text, 't')) ||
			!take_number(&text, 2, &hour) || !take_char(&text, ':') ||
			!take_number(&text, 2, &minute) || !take_char(&text, ':') ||
			!take_number(&text, 2, &second))
		return false;
	if (take_char(&text, '.')) {
		if (*text < '0' || *text > '9')
			return false;
		nanos = take_fraction(&text);
	}
	if (!take_offset(&text, &offset) || *text != '\0' || month < 1 || month > 12 ||
			day < 1 || day > 31 || hour > 23 || minute > 59 || second > 60)
		return false;
	seconds = days_of(year, month, day) * 86400 + hour * 3600 + minute * 60 + second -
		  offset;
	if (seconds > INT64_MAX / NS_PER_S - 1 || seconds < INT64_MIN / NS_PER_S + 1) {
		*ret_wall_ns = CLOCK_UNSET;
		return year == 1;
	}
	*ret_wall_ns = seconds * NS_PER_S + nanos;
	return true;
}
