/* SPDX-License-Identifier: Apache-2.0 */
#include "base/base64.h"

#include <stdint.h>
#include <string.h>

#include "base/buf.h"

static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/* One to three bytes as two to four digits. */
static size_t group_out(const unsigned char *p, size_t n, char out[4])
{
	uint32_t v = (uint32_t)p[0] << 16;

	v |= n > 1 ? (uint32_t)p[1] << 8 : 0;
	v |= n > 2 ? p[2] : 0;
	out[0] = digits[v >> 18];
	out[1] = digits[v >> 12 & 63];
	out[2] = digits[v >> 6 & 63];
	out[3] = digits[v & 63];
	return (n < 3 ? n : 3) + 1;
}

char *base64_encode(const void *data, size_t size, enum base64_tail tail)
{
	struct buf b = { .limit = SIZE_MAX };
	const unsigned char *p = data;

	for (size_t at = 0; at < size; at += 3) {
		char group[4];
		size_t n = group_out(p + at, size - at, group);

		buf_add(&b, group, n);
		if (tail == BASE64_PADDED)
			buf_add(&b, "==", 4 - n);
	}
	return buf_take_str(&b);
}

static int digit_value(char c)
{
	const char *at = c == '\0' ? NULL : strchr(digits, c);

	return at == NULL ? -1 : (int)(at - digits);
}

static size_t without_padding(const char *text, size_t size)
{
	if (size == 0 || size % 4 != 0)
		return size;
	if (text[size - 1] == '=')
		size--;
	if (text[size - 1] == '=')
		size--;
	return size;
}

bool base64_decode(const char *text, size_t size, struct buf *out, size_t *ret_at)
{
	size_t end = without_padding(text, size);
	uint32_t v = 0;

	for (size_t i = 0; i < end; i++) {
		int digit = digit_value(text[i]);

		if (digit < 0) {
			*ret_at = i;
			return false;
		}
		v = v << 6 | (uint32_t)digit;
		if (i % 4 == 1)
			buf_add_byte(out, (unsigned char)(v >> 4));
		else if (i % 4 == 2)
			buf_add_byte(out, (unsigned char)(v >> 2));
		else if (i % 4 == 3)
			buf_add_byte(out, (unsigned char)v);
	}
	*ret_at = end;
	return end % 4 != 1; /* six bits are no byte */
}
