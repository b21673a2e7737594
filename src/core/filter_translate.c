/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reads a regular expression as Go's regexp/syntax defines it and writes the equal PCRE2
 * pattern. Everything is re-emitted in a plain form, so that nothing PCRE2 has beyond RE2
 * (look-around, back references, recursion, possessive and atomic groups, verbs) gets through.
 */
#include <ctype.h>
#include <string.h>

#include "base/attr.h"
#include "base/buf.h"
#include "core/filter_regex_priv.h"

#define MAX_DEPTH  64 /* groups within groups; PCRE2 recurses when it compiles */
#define MAX_REPEAT 1000
#define MAX_NAME   32

struct in {
	const char *p, *end;
	struct buf *out;
	int depth;
	/* What a repetition operator would apply to. */
	enum { NOTHING, ATOM, REPEATED } last;
};

static bool is_at(const struct in *in, char c)
{
	return in->p < in->end && *in->p == c;
}

static bool starts(const struct in *in, const char *text)
{
	size_t n = strlen(text);

	return (size_t)(in->end - in->p) >= n && memcmp(in->p, text, n) == 0;
}

static bool eat(struct in *in, const char *text)
{
	if (!starts(in, text))
		return false;
	in->p += strlen(text);
	return true;
}

static bool is_alnum(unsigned c)
{
	return c < 0x80 && isalnum((int)c);
}

/* A code point that stands for itself, in or outside a class. */
static void emit_char(struct in *in, uint32_t c)
{
	if (is_alnum(c) || c == '_')
		buf_add_byte(in->out, (unsigned char)c);
	else if (c > 0x20 && c < 0x7f)
		buf_addf(in->out, "\\%c", (int)c);
	else
		buf_addf(in->out, "\\x{%x}", (unsigned)c);
}

/* The next code point of valid UTF-8. False at the end or on anything else. */
static bool take_rune(struct in *in, uint32_t *ret)
{
	static const uint32_t least[] = { 0, 0x80, 0x800, 0x10000 };
	unsigned char first;
	size_t more;
	uint32_t c;

	if (in->p == in->end)
		return false;
	first = (unsigned char)*in->p;
	more = first < 0x80 ? 0 : first < 0xe0 ? 1 : first < 0xf0 ? 2 : 3;
	if ((first >= 0x80 && first < 0xc2) || first > 0xf4 ||
			(size_t)(in->end - in->p) <= more)
		return false;
	c = more == 0 ? first : first & (0x3fu >> more);
	for (size_t i = 1; i <= more; i++) {
		if (((unsigned char)in->p[i] & 0xc0) != 0x80)
			return false;
		c = c << 6 | ((unsigned char)in->p[i] & 0x3f);
	}
	if (c < least[more] || c > 0x10ffff || (c >= 0xd800 && c < 0xe000))
		return false;
	in->p += more + 1;
	*ret = c;
	return true;
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Behind "\x": two digits, or any number of them in braces. */
static bool take_hex(struct in *in, uint32_t *ret)
{
	uint32_t c = 0;
	size_t n = 0;

	if (!eat(in, "{")) {
		if (in->end - in->p < 2 || hex_digit(in->p[0]) < 0 || hex_digit(in->p[1]) < 0)
			return false;
		*ret = (uint32_t)(hex_digit(in->p[0]) * 16 + hex_digit(in->p[1]));
		in->p += 2;
		return true;
	}
	for (; in->p < in->end && hex_digit(*in->p) >= 0; in->p++, n++) {
		c = c * 16 + (uint32_t)hex_digit(*in->p);
		if (c > 0x10ffff)
			return false;
	}
	*ret = c;
	return n > 0 && eat(in, "}");
}

static bool is_octal(const struct in *in)
{
	return in->p < in->end && *in->p >= '0' && *in->p <= '7';
}

/* Behind the backslash, an escape that means one character. False, and nothing taken, if it is
 * none of those. */
static bool take_escaped_char(struct in *in, uint32_t *ret)
{
	static const char names[] = "afnrtv", values[] = "\a\f\n\r\t\v";
	const char *start = in->p, *name;
	char c;

	if (in->p == in->end)
		return false;
	c = *in->p++;
	name = strchr(names, c);
	if (name != NULL && c != '\0') {
		*ret = (uint32_t)values[name - names];
		return true;
	}
	if (c == '0' || (c >= '1' && c <= '7' && is_octal(in))) { /* a single one: reference */
		*ret = (uint32_t)(c - '0');
		for (int i = 0; i < 2 && is_octal(in); i++)
			*ret = *ret * 8 + (uint32_t)(*in->p++ - '0');
		return true;
	}
	if (c == 'x' && take_hex(in, ret))
		return true;
	if ((unsigned char)c < 0x80 && c != 'x' && !is_alnum((unsigned char)c)) {
		*ret = (uint32_t)c;
		return true;
	}
	in->p = start;
	return false;
}

/* \d \w \s and their opposites; Go's \s lacks the vertical tab that PCRE2's has. */
static bool take_perl_class(struct in *in, bool in_class)
{
	static const char space[] = "\\t\\n\\f\\r\\x20";

	if (in->p == in->end || strchr("dDwWsS", *in->p) == NULL || *in->p == '\0')
		return false;
	switch (*in->p) {
	case 's':
		buf_addf(in->out, in_class ? "%s" : "[%s]", space);
		break;
	case 'S':
		buf_add_str(in->out, in_class ? "\\S\\x0b" : "[\\S\\x0b]");
		break;
	default:
		buf_addf(in->out, "\\%c", *in->p);
	}
	in->p++;
	return true;
}

/* Behind the backslash: pN, p{Greek}, P{^Greek}. */
static bool take_unicode_class(struct in *in)
{
	const char *start = in->p;
	size_t n = 0;

	if (!is_at(in, 'p') && !is_at(in, 'P'))
		return false;
	in->p++;
	if (eat(in, "{")) {
		(void)eat(in, "^");
		for (; in->p < in->end && (is_alnum((unsigned char)*in->p) || *in->p == '_');
				n++)
			in->p++;
		if (n == 0 || n > MAX_NAME || !eat(in, "}"))
			return false;
	} else if (in->p == in->end || !isupper((unsigned char)*in->p++)) {
		return false;
	}
	buf_add_str(in->out, "\\");
	buf_add(in->out, start, (size_t)(in->p - start));
	return true;
}

/* "[:alpha:]" within a class. */
static bool take_posix_class(struct in *in)
{
	static const char *const names[] = { "alnum", "alpha", "ascii", "blank", "cntrl",
		"digit", "graph", "lower", "print", "punct", "space", "upper", "word",
		"xdigit" };
	const char *start = in->p;

	if (!eat(in, "[:"))
		return false;
	(void)eat(in, "^");
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		if (!eat(in, names[i]))
			continue;
		if (!eat(in, ":]"))
			break;
		buf_add(in->out, start, (size_t)(in->p - start));
		return true;
	}
	in->p = start;
	return false;
}

static bool take_class_char(struct in *in, uint32_t *ret)
{
	if (eat(in, "\\"))
		return take_escaped_char(in, ret);
	return take_rune(in, ret);
}

static bool take_class_range(struct in *in)
{
	uint32_t low, high;

	if (!take_class_char(in, &low))
		return false;
	emit_char(in, low);
	if (in->end - in->p < 2 || in->p[0] != '-' || in->p[1] == ']')
		return true;
	in->p++;
	if (!take_class_char(in, &high) || high < low)
		return false;
	buf_add_str(in->out, "-");
	emit_char(in, high);
	return true;
}

/* Behind the "[". */
static bool take_class(struct in *in)
{
	bool first = true;

	buf_add_str(in->out, "[");
	if (eat(in, "^"))
		buf_add_str(in->out, "^");
	for (; first || !is_at(in, ']'); first = false) {
		if (in->p == in->end)
			return false;
		if (starts(in, "[:")) {
			if (take_posix_class(in))
				continue;
			/* Go looks for the end and refuses what it does not know. */
			if (memmem(in->p + 2, (size_t)(in->end - in->p) - 2, ":]", 2) != NULL)
				return false;
		}
		if (is_at(in, '\\')) {
			in->p++;
			if (take_perl_class(in, true) || take_unicode_class(in))
				continue;
			in->p--;
		}
		if (!take_class_range(in))
			return false;
	}
	in->p++;
	buf_add_str(in->out, "]");
	in->last = ATOM;
	return true;
}

/* "name>" of a group; names do not matter to a search, so none is emitted. */
static bool take_group_name(struct in *in)
{
	size_t n = 0;

	for (; in->p < in->end && (is_alnum((unsigned char)*in->p) || *in->p == '_'); n++)
		in->p++;
	return n > 0 && eat(in, ">");
}

/* Behind "(?": flags up to ")" or ":"; the group is opened, or set for the rest of this one. */
static bool take_flags(struct in *in)
{
	const char *start = in->p;
	bool minus = false, any = false;

	for (; in->p < in->end; in->p++) {
		switch (*in->p) {
		case 'i':
		case 'm':
		case 's':
		case 'U':
			any = true;
			continue;
		case '-':
			if (minus)
				return false;
			minus = true;
			any = false;
			continue;
		case ':':
		case ')':
			if (minus && !any)
				return false;
			in->p++;
			buf_add_str(in->out, "(?");
			buf_add(in->out, start, (size_t)(in->p - start));
			in->depth += in->p[-1] == ':';
			/* "(?i)" leaves what stands before it as it was, and "(?i)*" is
			 * refused by both. */
			in->last = NOTHING;
			return true;
		default:
			return false;
		}
	}
	return false;
}

static bool take_open(struct in *in)
{
	if (in->depth >= MAX_DEPTH)
		return false;
	if (eat(in, "(?P<") || eat(in, "(?<")) {
		if (!take_group_name(in))
			return false;
	} else if (eat(in, "(?")) {
		return take_flags(in);
	} else {
		in->p++;
	}
	buf_add_str(in->out, "(?:");
	in->depth++;
	in->last = NOTHING;
	return true;
}

static bool take_close(struct in *in)
{
	if (in->depth == 0)
		return false;
	in->p++;
	in->depth--;
	buf_add_str(in->out, ")");
	in->last = ATOM;
	return true;
}

/* Zero-width: in a group of its own, since PCRE2 repeats groups only. */
static bool emit_assertion(struct in *in, const char *text)
{
	buf_addf(in->out, "(?:%s)", text);
	in->last = ATOM;
	return true;
}

/* Behind "\Q": literal up to "\E" or the end. */
static bool take_quoted(struct in *in)
{
	uint32_t c;

	while (in->p < in->end && !eat(in, "\\E")) {
		if (!take_rune(in, &c))
			return false;
		emit_char(in, c);
		in->last = ATOM;
	}
	return true;
}

static bool take_escape(struct in *in)
{
	uint32_t c;

	in->p++;
	if (eat(in, "A"))
		return emit_assertion(in, "\\A");
	if (eat(in, "z"))
		return emit_assertion(in, "\\z");
	if (eat(in, "b"))
		return emit_assertion(in, "\\b");
	if (eat(in, "B"))
		return emit_assertion(in, "\\B");
	if (eat(in, "Q"))
		return take_quoted(in);
	in->last = ATOM;
	if (take_perl_class(in, false) || take_unicode_class(in))
		return true;
	if (!take_escaped_char(in, &c))
		return false;
	emit_char(in, c);
	return true;
}

static bool take_count(const char **p, const char *end, unsigned *ret)
{
	const char *start = *p;
	unsigned n = 0;

	for (; *p < end && **p >= '0' && **p <= '9'; (*p)++)
		n = n > MAX_REPEAT ? n : n * 10 + (unsigned)(**p - '0');
	*ret = n;
	return *p == start + 1 || (*p > start && *start != '0');
}

/* Whether a repetition starts here; "{" without proper numbers is a literal. */
static bool read_counts(
		const struct in *in, const char **ret_end, unsigned *low, unsigned *high)
{
	const char *p = in->p + 1;

	if (!take_count(&p, in->end, low))
		return false;
	*high = *low;
	if (p < in->end && *p == ',') {
		p++;
		*high = MAX_REPEAT;
		if (p < in->end && *p != '}' && !take_count(&p, in->end, high))
			return false;
	}
	if (p == in->end || *p != '}')
		return false;
	*ret_end = p + 1;
	return true;
}

/* "{2,3}" and the like; *ret_is_one tells whether it was one. */
static bool take_counts(struct in *in, bool *ret_is_one)
{
	unsigned low = 0, high = 0;
	const char *end = NULL;

	*ret_is_one = read_counts(in, &end, &low, &high);
	if (!*ret_is_one)
		return true;
	if (in->last != ATOM || low > MAX_REPEAT || high > MAX_REPEAT || low > high)
		return false;
	buf_add(in->out, in->p, (size_t)(end - in->p));
	in->p = end;
	return true;
}

static bool take_repeat(struct in *in)
{
	bool is_one = true;

	if (is_at(in, '{')) {
		if (!take_counts(in, &is_one))
			return false;
		if (!is_one) {
			in->p++;
			buf_add_str(in->out, "\\{");
			in->last = ATOM;
			return true;
		}
	} else {
		if (in->last != ATOM)
			return false; /* nothing there, or "a**": an error in Go */
		buf_add_byte(in->out, (unsigned char)*in->p++);
	}
	if (eat(in, "?"))
		buf_add_str(in->out, "?");
	in->last = REPEATED;
	return true;
}

static bool take_literal(struct in *in)
{
	uint32_t c;

	if (!take_rune(in, &c))
		return false;
	emit_char(in, c);
	in->last = ATOM;
	return true;
}

static bool take_one(struct in *in)
{
	switch (*in->p) {
	case '(':
		return take_open(in);
	case ')':
		return take_close(in);
	case '[':
		in->p++;
		return take_class(in);
	case '|':
		in->p++;
		buf_add_str(in->out, "|");
		in->last = NOTHING;
		return true;
	case '*':
	case '+':
	case '?':
	case '{':
		return take_repeat(in);
	case '\\':
		return take_escape(in);
	case '^':
		in->p++;
		return emit_assertion(in, "^");
	case '$':
		in->p++;
		return emit_assertion(in, "$");
	case '.':
		in->p++;
		buf_add_str(in->out, ".");
		in->last = ATOM;
		return true;
	default:
		return take_literal(in);
	}
}

bool filter_regex_translate(const char *pattern, size_t size, struct buf *out)
{
	struct in in = { pattern, pattern + size, out, 0, NOTHING };

	while (in.p < in.end)
		if (!take_one(&in))
			return false;
	return in.depth == 0;
}
