/* SPDX-License-Identifier: Apache-2.0 */
#include "text/size.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

void size_format(int64_t bytes, char out[SIZE_TEXT_SIZE])
{
	static const char *const names[] = { "B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB" };
	double value = (double)bytes;
	size_t i = 0;

	for (; value >= 1024 && i + 1 < ARRAY_LEN(names); i++)
		value /= 1024;
	(void)snprintf(out, SIZE_TEXT_SIZE, "%.1f %s", value, names[i]);
}

void size_format_si(double bytes, char out[SIZE_TEXT_SIZE])
{
	static const char *const names[] = { "B", "kB", "MB", "GB", "TB", "PB", "EB", "ZB",
		"YB" };
	size_t i = 0;

	for (; bytes >= 1000 && i + 1 < ARRAY_LEN(names); i++)
		bytes /= 1000;
	(void)snprintf(out, SIZE_TEXT_SIZE, "%.4g%s", bytes, names[i]);
}

/* "", "b", "k", "kb", "kib", in either case; the power of 1024, or -1. */
static int suffix_power(const char *suffix)
{
	static const char letters[] = "kmgtp";
	const char *letter;

	if (*suffix == ' ')
		suffix++;
	if (*suffix == '\0' || strcasecmp(suffix, "b") == 0)
		return 0;
	letter = strchr(letters, *suffix | 0x20);
	if (letter == NULL)
		return -1;
	suffix++;
	if (*suffix != '\0' && strcasecmp(suffix, "b") != 0 && strcasecmp(suffix, "ib") != 0)
		return -1;
	return (int)(letter - letters) + 1;
}

bool size_parse(const char *text, int64_t *ret_bytes)
{
	size_t whole = strspn(text, "0123456789");
	const char *suffix = text + whole;
	double value = 0, step = 1;
	int power;

	if (whole == 0)
		return false;
	for (size_t i = 0; i < whole; i++)
		value = value * 10 + (text[i] - '0');
	if (*suffix == '.') {
		size_t digits = strspn(++suffix, "0123456789");

		if (digits == 0)
			return false;
		for (; digits > 0; digits--, suffix++)
			value += (*suffix - '0') * (step /= 10);
	}
	power = suffix_power(suffix);
	if (power < 0)
		return false;
	for (; power > 0; power--)
		value *= 1024;
	if (value >= 9.2e18)
		return false;
	*ret_bytes = (int64_t)value;
	return true;
}
