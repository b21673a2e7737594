/* SPDX-License-Identifier: Apache-2.0 */
#include "base/str.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "base/auto.h"
#include "base/buf.h"
#include "base/mem.h"

bool str_eq(const char *a, const char *b)
{
	if (a == NULL || b == NULL)
		return a == b;
	return strcmp(a, b) == 0;
}

bool str_starts(const char *text, const char *prefix)
{
	return strncmp(text, prefix, strlen(prefix)) == 0;
}

bool str_ends(const char *text, const char *suffix)
{
	size_t n = strlen(text), s = strlen(suffix);

	return n >= s && memcmp(text + n - s, suffix, s) == 0;
}

bool str_is_empty(const char *text)
{
	return text == NULL || text[0] == '\0';
}

const char *str_or(const char *text, const char *fallback)
{
	return str_is_empty(text) ? fallback : text;
}

void strv_free(char **v)
{
	if (v == NULL)
		return;
	for (char **p = v; *p != NULL; p++)
		free(*p);
	free(v);
}

size_t strv_len(char *const *v)
{
	size_t n = 0;

	while (v != NULL && v[n] != NULL)
		n++;
	return n;
}

char **strv_dup(char *const *v)
{
	size_t n = strv_len(v);
	char **copy = xcalloc(n + 1, sizeof(*copy));

	for (size_t i = 0; i < n; i++)
		copy[i] = xstrdup(v[i]);
	return copy;
}

static void strv_take(char ***v, char *own_text)
{
	size_t n = strv_len(*v);

	/* Every time: the vector may come from anywhere, and be no longer than it was. */
	*v = xreallocarray(*v, n + 2, sizeof(**v));
	(*v)[n] = own_text;
	(*v)[n + 1] = NULL;
}

void strv_add(char ***v, const char *text)
{
	strv_take(v, xstrdup(text));
}

void strv_addf(char ***v, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	strv_take(v, xvasprintf(fmt, args));
	va_end(args);
}

bool strv_has(char *const *v, const char *text)
{
	for (; v != NULL && *v != NULL; v++)
		if (strcmp(*v, text) == 0)
			return true;
	return false;
}

char **strv_split(const char *text, char sep)
{
	char **v = xcalloc(1, sizeof(*v));

	while (text[0] != '\0') {
		const char *end = strchr(text, sep);

		if (end == NULL) {
			strv_add(&v, text);
			break;
		}
		strv_take(&v, xmemdup(text, (size_t)(end - text)));
		text = end + 1;
		if (text[0] == '\0')
			strv_add(&v, "");
	}
	return v;
}

char *strv_join(char *const *v, const char *sep)
{
	struct buf b = { .limit = SIZE_MAX };

	for (size_t i = 0; v != NULL && v[i] != NULL; i++) {
		if (i > 0)
			buf_add_str(&b, sep);
		buf_add_str(&b, v[i]);
	}
	return buf_take_str(&b);
}

bool str_u64(const char *text, uint64_t *ret)
{
	uint64_t value = 0;

	if (text[0] == '\0')
		return false;
	for (; *text != '\0'; text++) {
		if (*text < '0' || *text > '9')
			return false;
		if (__builtin_mul_overflow(value, 10u, &value) ||
				__builtin_add_overflow(value, (uint64_t)(*text - '0'), &value))
			return false;
	}
	*ret = value;
	return true;
}

bool str_i64(const char *text, int64_t *ret)
{
	bool negative = text[0] == '-';
	uint64_t value;

	if (!str_u64(text + negative, &value) || value > (uint64_t)INT64_MAX + negative)
		return false;
	*ret = negative ? (int64_t)(0 - value) : (int64_t)value;
	return true;
}

bool str_u32(const char *text, uint32_t *ret)
{
	uint64_t value;

	if (!str_u64(text, &value) || value > UINT32_MAX)
		return false;
	*ret = (uint32_t)value;
	return true;
}

void hex_encode(const void *data, size_t size, char *out)
{
	static const char digits[] = "0123456789abcdef";
	const unsigned char *p = data;

	for (size_t i = 0; i < size; i++) {
		out[2 * i] = digits[p[i] >> 4];
		out[2 * i + 1] = digits[p[i] & 15];
	}
	out[2 * size] = '\0';
}

/* Length of the sequence that starts with p[0], or 0 if it is not valid. */
static size_t utf8_step(const unsigned char *p, size_t left)
{
	static const uint32_t least[] = { 0, 0, 0x80, 0x800, 0x10000 };
	size_t n = p[0] < 0x80	     ? 1
		   : p[0] >> 5 == 6  ? 2
		   : p[0] >> 4 == 14 ? 3
		   : p[0] >> 3 == 30 ? 4
				     : 0;
	uint32_t rune;

	if (n <= 1)
		return n;
	if (n > left)
		return 0;
	rune = p[0] & (0x7fu >> n);
	for (size_t i = 1; i < n; i++) {
		if (p[i] >> 6 != 2)
			return 0;
		rune = rune << 6 | (p[i] & 0x3fu);
	}
	if (rune < least[n] || rune > 0x10ffff || (rune >= 0xd800 && rune < 0xe000))
		return 0;
	return n;
}

bool utf8_valid(const void *data, size_t size)
{
	const unsigned char *p = data;

	for (size_t at = 0; at < size;) {
		size_t n = utf8_step(p + at, size - at);

		if (n == 0)
			return false;
		at += n;
	}
	return true;
}

static void quote_byte(struct buf *b, unsigned char c)
{
	static const char plain[] = "abtnvfr";

	if (c == '"' || c == '\\')
		buf_addf(b, "\\%c", c);
	else if (c >= 7 && c <= 13)
		buf_addf(b, "\\%c", plain[c - 7 == 0 ? 0 : c - 7]);
	else
		buf_addf(b, "\\x%02x", c);
}

char *str_quote(const char *text)
{
	struct buf b = { .limit = SIZE_MAX };
	const unsigned char *p = (const unsigned char *)text;
	size_t left = strlen(text);

	buf_add_str(&b, "\"");
	while (left > 0) {
		size_t n = utf8_step(p, left);

		if (n > 1 || (n == 1 && p[0] >= 0x20 && p[0] != 0x7f && p[0] != '"' &&
					     p[0] != '\\'))
			buf_add(&b, p, n);
		else
			quote_byte(&b, p[0]);
		n = n == 0 ? 1 : n;
		p += n;
		left -= n;
	}
	buf_add_str(&b, "\"");
	return buf_take_str(&b);
}
