/* SPDX-License-Identifier: Apache-2.0 */
#include "text/duration.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/str.h"

#define NS_PER_MIN  (60 * NS_PER_S)
#define NS_PER_HOUR (60 * NS_PER_MIN)

/* Go keeps the magnitude unsigned, so that the most negative duration can be written. */
#define MAX_MAGNITUDE (UINT64_C(1) << 63)

static const struct unit {
	const char *name;
	int64_t ns;
} units[] = {
	/* Longer names first where one begins another. */
	{ "ns", 1 },
	{ "us", NS_PER_US },
	{ "\xc2\xb5s", NS_PER_US },
	{ "\xce\xbcs", NS_PER_US },
	{ "ms", NS_PER_MS },
	{ "s", NS_PER_S },
	{ "m", NS_PER_MIN },
	{ "h", NS_PER_HOUR },
};

static const struct unit *find_unit(const char **text)
{
	size_t len = strcspn(*text, "0123456789.");

	for (size_t i = 0; i < ARRAY_LEN(units); i++) {
		if (strlen(units[i].name) != len || strncmp(*text, units[i].name, len) != 0)
			continue;
		*text += len;
		return &units[i];
	}
	return NULL;
}

/* Reads digits into *ret; false when they go past what a duration can hold. */
static bool read_whole(const char **text, uint64_t *ret)
{
	uint64_t n = 0;

	for (; **text >= '0' && **text <= '9'; (*text)++) {
		if (n > MAX_MAGNITUDE / 10)
			return false;
		n = n * 10 + (uint64_t)(**text - '0');
		if (n > MAX_MAGNITUDE)
			return false;
	}
	*ret = n;
	return true;
}

/* Digits behind the point; those that no longer fit are dropped, as Go does. */
static void read_fraction(const char **text, uint64_t *ret, double *ret_scale)
{
	uint64_t n = 0;
	double scale = 1;
	bool full = false;

	for (; **text >= '0' && **text <= '9'; (*text)++) {
		uint64_t digit = (uint64_t)(**text - '0');

		full = full || n > ((MAX_MAGNITUDE - 1) - digit) / 10;
		if (full)
			continue;
		n = n * 10 + digit;
		scale *= 10;
	}
	*ret = n;
	*ret_scale = scale;
}

/* One "12.5h"; false if it is malformed or overflows. */
static bool read_part(const char **text, uint64_t *ret_ns)
{
	const char *start = *text;
	const struct unit *unit;
	uint64_t whole = 0, fraction = 0;
	double scale = 1;
	size_t digits;

	if (!read_whole(text, &whole))
		return false;
	digits = (size_t)(*text - start);
	if (**text == '.') {
		(*text)++;
		start = *text;
		read_fraction(text, &fraction, &scale);
		digits += (size_t)(*text - start);
	}
	if (digits == 0)
		return false;
	unit = find_unit(text);
	if (unit == NULL || whole > MAX_MAGNITUDE / (uint64_t)unit->ns)
		return false;
	whole *= (uint64_t)unit->ns;
	if (fraction > 0)
		whole += (uint64_t)((double)fraction * ((double)unit->ns / scale));
	*ret_ns = whole;
	return whole <= MAX_MAGNITUDE;
}

bool duration_parse(const char *text, int64_t *ret_ns)
{
	bool negative = *text == '-';
	uint64_t sum = 0;

	if (*text == '-' || *text == '+')
		text++;
	if (str_eq(text, "0")) {
		*ret_ns = 0;
		return true;
	}
	if (*text == '\0')
		return false;
	while (*text != '\0') {
		uint64_t part = 0;

		if (!read_part(&text, &part) || part > MAX_MAGNITUDE - sum)
			return false;
		sum += part;
	}
	if (!negative && sum >= MAX_MAGNITUDE)
		return false;
	if (sum == MAX_MAGNITUDE)
		*ret_ns = INT64_MIN;
	else
		*ret_ns = negative ? -(int64_t)sum : (int64_t)sum;
	return true;
}

/* "value / unit" with the fraction's trailing zeros left out. */
static int format_decimal(uint64_t value, uint64_t unit, char *out, size_t room)
{
	char digits[16] = "";
	size_t len = 0;
	uint64_t rest = value % unit;

	for (uint64_t step = unit / 10; step > 0 && rest > 0; step /= 10) {
		digits[len++] = (char)('0' + rest / step);
		rest %= step;
	}
	return snprintf(out, room, "%llu%s%.*s", (unsigned long long)(value / unit),
			len > 0 ? "." : "", (int)len, digits);
}

void duration_format(int64_t ns, char out[DURATION_TEXT_SIZE])
{
	uint64_t u = ns < 0 ? -(uint64_t)ns : (uint64_t)ns;
	size_t at = 0;
	uint64_t hours = u / (uint64_t)NS_PER_HOUR;
	uint64_t minutes = u / (uint64_t)NS_PER_MIN % 60;
	uint64_t unit = (uint64_t)NS_PER_S;
	const char *name = "s";

	if (ns < 0)
		out[at++] = '-';
	if (u > 0 && u < (uint64_t)NS_PER_S) {
		unit = u < 1000 ? 1 : u < (uint64_t)NS_PER_MS ? 1000 : (uint64_t)NS_PER_MS;
		name = unit == 1 ? "ns" : unit == 1000 ? "\xc2\xb5s" : "ms";
	} else {
		if (hours > 0)
			at += (size_t)snprintf(out + at, DURATION_TEXT_SIZE - at, "%lluh",
					(unsigned long long)hours);
		if (hours > 0 || minutes > 0)
			at += (size_t)snprintf(out + at, DURATION_TEXT_SIZE - at, "%llum",
					(unsigned long long)minutes);
		u %= (uint64_t)NS_PER_MIN;
	}
	at += (size_t)format_decimal(u, unit, out + at, DURATION_TEXT_SIZE - at);
	(void)snprintf(out + at, DURATION_TEXT_SIZE - at, "%s", name);
}

void duration_human(int64_t ns, char out[DURATION_HUMAN_SIZE])
{
	static const struct {
		int64_t below_hours;
		int64_t hours_each;
		const char *name;
	} steps[] = {
		{ 48, 1, "hours" },
		{ 24 * 7 * 2, 24, "days" },
		{ 24 * 30 * 2, 24 * 7, "weeks" },
		{ 24 * 365 * 2, 24 * 30, "months" },
		{ INT64_MAX, 24 * 365, "years" },
	};
	int64_t seconds = ns / NS_PER_S;
	int64_t minutes = ns / NS_PER_MIN;
	int64_t hours = (ns + NS_PER_HOUR / 2) / NS_PER_HOUR;
	size_t i = 0;

	if (seconds < 1)
		(void)snprintf(out, DURATION_HUMAN_SIZE, "Less than a second");
	else if (seconds == 1)
		(void)snprintf(out, DURATION_HUMAN_SIZE, "1 second");
	else if (seconds < 60)
		(void)snprintf(out, DURATION_HUMAN_SIZE, "%lld seconds", (long long)seconds);
	else if (minutes == 1)
		(void)snprintf(out, DURATION_HUMAN_SIZE, "About a minute");
	else if (minutes < 60)
		(void)snprintf(out, DURATION_HUMAN_SIZE, "%lld minutes", (long long)minutes);
	else if (hours == 1)
		(void)snprintf(out, DURATION_HUMAN_SIZE, "About an hour");
	else {
		while (hours >= steps[i].below_hours)
			i++;
		(void)snprintf(out, DURATION_HUMAN_SIZE, "%lld %s",
				(long long)(hours / steps[i].hours_each), steps[i].name);
	}
}
