/* SPDX-License-Identifier: Apache-2.0 */
#include "text/json_scan.h"

#include <string.h>

#include "base/err.h"
#include "base/str.h"
#include "text/json.h"

char json_scan_peek(const struct json_scan *s)
{
	return s->at < s->size ? s->data[s->at] : '\0';
}

void json_scan_space(struct json_scan *s)
{
	while (s->at < s->size && memchr(" \t\r\n", s->data[s->at], 4) != NULL)
		s->at++;
}

bool json_scan_take(struct json_scan *s, char c)
{
	size_t from = s->at;

	json_scan_space(s);
	if (s->at >= s->size || s->data[s->at] != c) {
		s->at = from;
		return false;
	}
	s->at++;
	json_scan_space(s);
	return true;
}

int json_scan_fail(const struct json_scan *s, struct err *err, const char *what)
{
	size_t line = 1, start = 0;

	for (size_t i = 0; i < s->at && i < s->size; i++) {
		if (s->data[i] != '\n')
			continue;
		line++;
		start = i + 1;
	}
	return err_set(err, ERR_INVALID, "JSON line %zu column %zu: %s", line,
			s->at - start + 1, what);
}

int json_scan_string(struct json_scan *s, struct err *err)
{
	size_t from = s->at + 1;

	if (json_scan_peek(s) != '"')
		return json_scan_fail(s, err, "string expected");
	for (s->at++; s->at < s->size; s->at++) {
		unsigned char c = (unsigned char)s->data[s->at];

		if (c == '"') {
			if (!utf8_valid(s->data + from, s->at - from))
				return json_scan_fail(s, err, "invalid UTF-8 in string");
			s->at++;
			return 0;
		}
		if (c < 0x20)
			return json_scan_fail(s, err, "control character in string");
		if (c == '\\')
			s->at++;
	}
	s->at = s->size;
	return json_scan_fail(s, err, "string does not end");
}

static bool scan_digits(struct json_scan *s)
{
	size_t from = s->at;

	while (s->at < s->size && s->data[s->at] >= '0' && s->data[s->at] <= '9')
		s->at++;
	return s->at > from;
}

/* RFC 8259 §6: no leading zero, and digits on both sides of a point. */
static int scan_number(struct json_scan *s, struct err *err)
{
	size_t from;
	bool ok;

	if (json_scan_peek(s) == '-')
		s->at++;
	from = s->at;
	ok = scan_digits(s) && (s->data[from] != '0' || s->at == from + 1);
	if (ok && json_scan_peek(s) == '.') {
		s->at++;
		ok = scan_digits(s);
	}
	if (ok && (json_scan_peek(s) == 'e' || json_scan_peek(s) == 'E')) {
		s->at++;
		if (json_scan_peek(s) == '+' || json_scan_peek(s) == '-')
			s->at++;
		ok = scan_digits(s);
	}
	return ok ? 0 : json_scan_fail(s, err, "value expected");
}

static int scan_word(struct json_scan *s, const char *word, struct err *err)
{
	size_t len = strlen(word);

	if (s->size - s->at < len || memcmp(s->data + s->at, word, len) != 0)
		return json_scan_fail(s, err, "value expected");
	s->at += len;
	return 0;
}

static int scan_members(struct json_scan *s, char end, struct err *err)
{
	if (json_scan_peek(s) == end) {
		s->at++;
		return 0;
	}
	do {
		if (end == '}') {
			if (json_scan_string(s, err) < 0)
				return -1;
			if (!json_scan_take(s, ':'))
				return json_scan_fail(s, err, "':' expected");
		}
		if (json_scan_value(s, err) < 0)
			return -1;
	} while (json_scan_take(s, ','));
	json_scan_space(s);
	if (json_scan_peek(s) != end)
		return json_scan_fail(s, err,
				end == '}' ? "',' or '}' expected" : "',' or ']' expected");
	s->at++;
	return 0;
}

static int scan_nested(struct json_scan *s, char end, struct err *err)
{
	int rc;

	if (++s->depth > JSON_MAX_DEPTH)
		return err_set(err, ERR_EXHAUSTED, "JSON has more than %d levels",
				JSON_MAX_DEPTH);
	s->at++;
	json_scan_space(s);
	rc = scan_members(s, end, err);
	s->depth--;
	return rc;
}

int json_scan_value(struct json_scan *s, struct err *err)
{
	json_scan_space(s);
	if (++s->values > JSON_MAX_VALUES)
		return err_set(err, ERR_EXHAUSTED, "JSON has more than %d values",
				JSON_MAX_VALUES);
	switch (json_scan_peek(s)) {
	case '{':
		return scan_nested(s, '}', err);
	case '[':
		return scan_nested(s, ']', err);
	case '"':
		return json_scan_string(s, err);
	case 't':
		return scan_word(s, "true", err);
	case 'f':
		return scan_word(s, "false", err);
	case 'n':
		return scan_word(s, "null", err);
	default:
		return scan_number(s, err);
	}
}

int json_check_bounds(const void *data, size_t size, struct err *err)
{
	struct json_scan s = { .data = data, .size = size };

	if (size > JSON_MAX_BYTES)
		return err_set(err, ERR_EXHAUSTED, "JSON of %zu bytes is over the limit of %d",
				size, JSON_MAX_BYTES);
	return json_scan_value(&s, err);
}
