/* SPDX-License-Identifier: Apache-2.0 */
/* One filter string: tokens and grammar (reference 01 §4.9). Its error texts are compared by
 * tests of clients, so positions and words follow the original. */
#include <ctype.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "base/auto.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"
#include "core/filter_priv.h"
#include "core/filter_regex_priv.h"

/* Longer ones have no honest use, and compiling costs memory. */
#define MAX_REGEX 4096

enum {
	RUNE_END = -1,
	RUNE_BAD = -2,
};

enum token {
	TOKEN_END,
	TOKEN_QUOTED,
	TOKEN_VALUE,
	TOKEN_FIELD,
	TOKEN_SEPARATOR,
	TOKEN_OPERATOR,
	TOKEN_ILLEGAL,
	TOKEN_OTHER,
};

struct parser {
	const char *input;
	size_t size, at;
	bool wants_value;     /* an operator was read: the next unquoted token is a value */
	const char *illegal;  /* why the last token is TOKEN_ILLEGAL */
	size_t start, length; /* the last token */
	struct err *err;
};

/* The rune at "at" and its size in bytes. */
static int32_t rune_at(const struct parser *p, size_t at, size_t *ret_size)
{
	unsigned char first;
	size_t more;
	int32_t c;

	*ret_size = 1;
	if (at >= p->size) {
		*ret_size = 0;
		return RUNE_END;
	}
	first = (unsigned char)p->input[at];
	if (first < 0x80)
		return first;
	more = first < 0xe0 ? 1 : first < 0xf0 ? 2 : 3;
	if (p->size - at <= more || !utf8_valid(p->input + at, more + 1))
		return RUNE_BAD;
	c = first & (0x3f >> more);
	for (size_t i = 1; i <= more; i++)
		c = c << 6 | ((unsigned char)p->input[at + i] & 0x3f);
	*ret_size = more + 1;
	return c;
}

static int32_t peek(const struct parser *p)
{
	size_t size;

	return rune_at(p, p->at, &size);
}

static int32_t next(struct parser *p)
{
	size_t size;
	int32_t c = rune_at(p, p->at, &size);

	p->at += size;
	return c;
}

static bool is_space(int32_t c)
{
	static const int32_t wide[] = { 0x85, 0xa0, 0x1680, 0x2028, 0x2029, 0x202f, 0x205f,
		0x3000 };

	if (c >= 0 && c < 0x80)
		return isspace((int)c);
	for (size_t i = 0; i < ARRAY_LEN(wide); i++)
		if (c == wide[i])
			return true;
	return c >= 0x2000 && c <= 0x200a;
}

static bool is_field_rune(int32_t c)
{
	return c == '_' || (c >= 0 && c < 0x80 && isalnum((int)c));
}

static bool is_operator_rune(int32_t c)
{
	return c == '=' || c == '!' || c == '~';
}

static bool is_quote_rune(int32_t c)
{
	return c == '"' || c == '/' || c == '|';
}

/* Graphic, but for the comma and blanks. Beyond ASCII only control and format characters, and
 * what has no character assigned for good, are not. */
static bool is_value_rune(int32_t c)
{
	if (c < 0 || c == ',' || is_space(c))
		return false;
	if (c < 0xa0)
		return c > 0x20 && c < 0x7f;
	return c != 0xad && c != 0xfeff && !(c >= 0x200b && c <= 0x200f) &&
	       !(c >= 0x202a && c <= 0x202e) && !(c >= 0x2060 && c <= 0x206f) &&
	       !(c >= 0xe000 && c <= 0xf8ff) && c < 0xe0000;
}

static int parse_error(struct parser *p, size_t at, const char *fmt, ...) PRINTF_LIKE(3, 4);

static int parse_error(struct parser *p, size_t at, const char *fmt, ...)
{
	AUTO_FREE char *message = NULL;
	size_t rune;
	va_list args;

	va_start(args, fmt);
	message = xvasprintf(fmt, args);
	va_end(args);
	if (at >= p->size)
		return err_set(p->err, ERR_INVALID, "filters: parse error: [%s]: %s", p->input,
				message);
	(void)rune_at(p, at, &rune);
	return err_set(p->err, ERR_INVALID, "filters: parse error: [%.*s >|%.*s|< %s]: %s",
			(int)at, p->input, (int)rune, p->input + at, p->input + at + rune,
			message);
}

static bool illegal(struct parser *p, const char *why)
{
	p->illegal = why;
	return false;
}

static bool is_digit_of(int32_t c, int base)
{
	if (base == 16)
		return c >= 0 && c < 0x80 && isxdigit((int)c);
	return c >= '0' && c <= '7';
}

static bool skip_digits(struct parser *p, int count, int base)
{
	for (; count > 0; count--) {
		if (!is_digit_of(peek(p), base))
			return illegal(p, "illegal numeric escape sequence");
		(void)next(p);
	}
	return true;
}

/* Behind a backslash. */
static bool skip_escape(struct parser *p, int32_t quote)
{
	int32_t c = peek(p);

	if (c == quote || (c > 0 && c < 0x80 && strchr("abfnrtv\\", c) != NULL)) {
		(void)next(p);
		return true;
	}
	if (c >= '0' && c <= '7')
		return skip_digits(p, 3, 8);
	if (c != 'x' && c != 'u' && c != 'U')
		return illegal(p, "illegal escape sequence");
	(void)next(p);
	return skip_digits(p, c == 'x' ? 2 : c == 'u' ? 4 : 8, 16);
}

static bool skip_quoted(struct parser *p, int32_t quote)
{
	for (;;) {
		int32_t c = next(p);

		if (c == quote)
			return true;
		if (c == RUNE_BAD)
			return illegal(p, "rune error");
		if (c == RUNE_END || c == '\n')
			return illegal(p, "quoted literal not terminated");
		if (c == '\\' && !skip_escape(p, quote))
			return false;
	}
}

static void skip_while(struct parser *p, bool (*is_part)(int32_t c))
{
	while (is_part(peek(p)))
		(void)next(p);
}

static enum token scan_token(struct parser *p)
{
	int32_t c = next(p);

	if (c == RUNE_END)
		return TOKEN_END;
	if (c == RUNE_BAD) {
		(void)illegal(p, "rune error");
		return TOKEN_ILLEGAL;
	}
	if (is_quote_rune(c))
		return skip_quoted(p, c) ? TOKEN_QUOTED : TOKEN_ILLEGAL;
	if (c == ',' || c == '.') {
		p->wants_value = false;
		return TOKEN_SEPARATOR;
	}
	if (is_operator_rune(c)) {
		skip_while(p, is_operator_rune);
		p->wants_value = true;
		return TOKEN_OPERATOR;
	}
	if (p->wants_value) {
		skip_while(p, is_value_rune);
		p->wants_value = false;
		return TOKEN_VALUE;
	}
	if (is_field_rune(c)) {
		skip_while(p, is_field_rune);
		return TOKEN_FIELD;
	}
	return TOKEN_OTHER;
}

static enum token scan(struct parser *p)
{
	enum token token;

	skip_while(p, is_space);
	p->start = p->at;
	token = scan_token(p);
	p->length = p->at - p->start;
	return token;
}

static void add_utf8(struct buf *out, uint32_t c)
{
	if (c < 0x80) {
		buf_add_byte(out, (unsigned char)c);
	} else if (c < 0x800) {
		buf_add_byte(out, (unsigned char)(0xc0 | c >> 6));
		buf_add_byte(out, (unsigned char)(0x80 | (c & 0x3f)));
	} else if (c < 0x10000) {
		buf_add_byte(out, (unsigned char)(0xe0 | c >> 12));
		buf_add_byte(out, (unsigned char)(0x80 | (c >> 6 & 0x3f)));
		buf_add_byte(out, (unsigned char)(0x80 | (c & 0x3f)));
	} else {
		buf_add_byte(out, (unsigned char)(0xf0 | c >> 18));
		buf_add_byte(out, (unsigned char)(0x80 | (c >> 12 & 0x3f)));
		buf_add_byte(out, (unsigned char)(0x80 | (c >> 6 & 0x3f)));
		buf_add_byte(out, (unsigned char)(0x80 | (c & 0x3f)));
	}
}

/* One escape behind its backslash; the scanner has checked its form. False if the number is no
 * character. */
static bool unescape(const char **p, struct buf *out)
{
	static const char names[] = "abfnrtv", values[] = "\a\b\f\n\r\t\v";
	char c = *(*p)++, digits[9] = { 0 };
	const char *name = strchr(names, c);
	size_t count = c == 'x' ? 2 : c == 'u' ? 4 : 8;
	unsigned long code;

	if (name != NULL) {
		buf_add_byte(out, (unsigned char)values[name - names]);
		return true;
	}
	if (c >= '0' && c <= '7') {
		memcpy(digits, *p - 1, 3);
		*p += 2;
		code = strtoul(digits, NULL, 8);
		buf_add_byte(out, (unsigned char)code);
		return code <= 0xff;
	}
	if (c != 'x' && c != 'u' && c != 'U') {
		buf_add_byte(out, (unsigned char)c);
		return true;
	}
	memcpy(digits, *p, count);
	*p += count;
	code = strtoul(digits, NULL, 16);
	if (c == 'x') {
		buf_add_byte(out, (unsigned char)code);
		return true;
	}
	add_utf8(out, (uint32_t)code);
	return code <= 0x10ffff;
}

/* The text of the quoted token just read. */
static int unquote(struct parser *p, bool any_quote, char **ret_text, size_t *ret_size)
{
	AUTO_BUF struct buf out = { .limit = SIZE_MAX };
	const char *at = p->input + p->start + 1, *end = p->input + p->at - 1;

	if (!any_quote && at[-1] != '"')
		return parse_error(p, p->start, "invalid quote encountered");
	while (at < end) {
		if (*at != '\\') {
			buf_add_byte(&out, (unsigned char)*at++);
			continue;
		}
		at++;
		if (!unescape(&at, &out))
			return parse_error(p, p->start, "unquoting failed: quote syntax error");
	}
	*ret_size = out.size;
	*ret_text = buf_take_str(&out);
	return 0;
}

static int parse_field(struct parser *p, char ***path)
{
	AUTO_FREE char *text = NULL;
	size_t size;

	switch (scan(p)) {
	case TOKEN_FIELD:
		text = xstrndup(p->input + p->start, p->length);
		break;
	case TOKEN_QUOTED:
		if (unquote(p, false, &text, &size) < 0)
			return -1;
		/* No name holds a NUL, and cut off at it this would be another field. */
		if (strlen(text) != size)
			return parse_error(p, p->start, "unquoting failed: quote syntax error");
		break;
	case TOKEN_ILLEGAL:
		return parse_error(p, p->start, "%s", p->illegal);
	default:
		return parse_error(p, p->start, "expected field or quoted");
	}
	strv_add(path, text);
	return 0;
}

static int parse_path(struct parser *p, char ***path)
{
	if (parse_field(p, path) < 0)
		return -1;
	while (peek(p) == '.') {
		(void)scan(p);
		if (parse_field(p, path) < 0)
			return -1;
	}
	return 0;
}

static int parse_operator(struct parser *p, enum filter_op *ret)
{
	static const struct {
		const char *text;
		enum filter_op op;
	} known[] = {
		{ "==", FILTER_EQUAL },
		{ "!=", FILTER_DIFFERS },
		{ "~=", FILTER_MATCHES },
	};
	AUTO_FREE char *text = NULL;
	enum token token = scan(p);

	if (token == TOKEN_ILLEGAL)
		return parse_error(p, p->start, "%s", p->illegal);
	if (token != TOKEN_OPERATOR)
		return parse_error(p, p->start, "expected an operator (\"==\"|\"!=\"|\"~=\")");
	text = xstrndup(p->input + p->start, p->length);
	for (size_t i = 0; i < ARRAY_LEN(known); i++) {
		if (strcmp(text, known[i].text) == 0) {
			*ret = known[i].op;
			return 0;
		}
	}
	return parse_error(p, p->start, "unsupported operator \"%s\"", text);
}

static int parse_value(struct parser *p, struct filter_selector *s)
{
	switch (scan(p)) {
	case TOKEN_VALUE:
	case TOKEN_FIELD:
		s->size = p->length;
		s->value = xstrndup(p->input + p->start, p->length);
		return 0;
	case TOKEN_QUOTED:
		return unquote(p, s->op == FILTER_MATCHES, &s->value, &s->size);
	case TOKEN_ILLEGAL:
		return parse_error(p, p->start, "%s", p->illegal);
	default:
		return parse_error(p, p->start, "expected value or quoted");
	}
}

static int parse_selector(struct parser *p, struct filter_selector *s)
{
	int32_t c;

	if (parse_path(p, &s->path) < 0)
		return -1;
	c = peek(p);
	if (c == ',' || c == RUNE_END)
		return 0;
	if (parse_operator(p, &s->op) < 0 || parse_value(p, s) < 0)
		return -1;
	if (s->op != FILTER_MATCHES)
		return 0;
	if (s->size > MAX_REGEX)
		return err_set(p->err, ERR_INVALID,
				"filters: regular expression longer than %d bytes", MAX_REGEX);
	s->regex = filter_regex_new(s->value, s->size);
	return 0;
}

static int unexpected(struct parser *p)
{
	size_t size;

	(void)rune_at(p, p->at, &size);
	return parse_error(p, p->at, "unexpected input: %.*s", (int)size, p->input + p->at);
}

int filter_parse_one(const char *input, struct filter_alternative *a, struct err *err)
{
	struct parser p = { .input = input, .size = strlen(input), .err = err };

	for (;;) {
		a->selectors = xreallocarray(a->selectors, a->count + 1, sizeof(*a->selectors));
		a->selectors[a->count] = (struct filter_selector){ 0 };
		if (parse_selector(&p, &a->selectors[a->count++]) < 0)
			return -1;
		if (peek(&p) == RUNE_END)
			return 0;
		if (peek(&p) != ',')
			return unexpected(&p);
		(void)scan(&p);
	}
}
