/* SPDX-License-Identifier: Apache-2.0 */
/* TOML text in the form of the original's "config default": see reference 03 §4.4. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/mem.h"
#include "base/str.h"
#include "text/toml.h"

static bool is_bare_key(const char *key)
{
	static const char bare[] =
			"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_";

	return key[0] != '\0' && key[strspn(key, bare)] == '\0';
}

/* A literal string can hold neither its own quote nor control characters. */
static bool fits_literal(const char *text)
{
	for (; *text != '\0'; text++)
		if (*text == '\'' || ((unsigned char)*text < 0x20 && *text != '\t') ||
				*text == 0x7f)
			return false;
	return true;
}

static void add_string(struct buf *out, const char *text)
{
	static const char letters[] = "\"\\\b\f\n\r\t";
	static const char names[] = "\"\\bfnrt";

	if (fits_literal(text)) {
		buf_addf(out, "'%s'", text);
		return;
	}
	buf_add_byte(out, '"');
	for (; *text != '\0'; text++) {
		const char *hit = strchr(letters, *text);

		if (hit != NULL)
			buf_addf(out, "\\%c", names[hit - letters]);
		else if ((unsigned char)*text < 0x20 || *text == 0x7f)
			buf_addf(out, "\\u%04X", (unsigned)*text);
		else
			buf_add_byte(out, (unsigned char)*text);
	}
	buf_add_byte(out, '"');
}

void toml_add_key(struct buf *out, const char *key)
{
	if (is_bare_key(key))
		buf_add_str(out, key);
	else
		add_string(out, key);
}

/* The shortest digits that read back as the same number, never in exponent form. */
static void add_float(struct buf *out, double n)
{
	char text[512];
	int decimals = 1;

	if (isnan(n)) {
		buf_add_str(out, "nan");
		return;
	}
	if (isinf(n)) {
		buf_add_str(out, n < 0 ? "-inf" : "inf");
		return;
	}
	do {
		(void)snprintf(text, sizeof(text), "%.*f", decimals, n);
		decimals++;
	} while (strtod(text, NULL) != n && decimals < 340 && strlen(text) < sizeof(text) - 2);
	buf_add_str(out, text);
}

static bool is_table_array(const struct toml_value *v)
{
	if (!toml_is(v, TOML_ARRAY) || toml_count(v) == 0)
		return false;
	for (size_t i = 0; i < toml_count(v); i++)
		if (!toml_is(toml_at(v, i), TOML_TABLE))
			return false;
	return true;
}

static void add_inline(struct buf *out, const struct toml_value *v);

static void add_inline_list(struct buf *out, const struct toml_value *v)
{
	bool is_table = toml_is(v, TOML_TABLE);

	buf_add_byte(out, is_table ? '{' : '[');
	for (size_t i = 0; i < toml_count(v); i++) {
		buf_add_str(out, i > 0 ? ", " : "");
		if (is_table) {
			toml_add_key(out, toml_key_at(v, i));
			buf_add_str(out, " = ");
		}
		add_inline(out, toml_at(v, i));
	}
	buf_add_byte(out, is_table ? '}' : ']');
}

static void add_inline(struct buf *out, const struct toml_value *v)
{
	switch (toml_kind(v)) {
	case TOML_TABLE:
	case TOML_ARRAY:
		add_inline_list(out, v);
		break;
	case TOML_TEXT:
		add_string(out, toml_text(v));
		break;
	case TOML_TIME:
		buf_add_str(out, toml_text(v));
		break;
	case TOML_INT:
		buf_addf(out, "%lld", (long long)toml_int(v));
		break;
	case TOML_FLOAT:
		add_float(out, toml_float(v));
		break;
	case TOML_BOOL:
		buf_add_str(out, toml_bool(v) ? "true" : "false");
		break;
	}
}

static void add_indent(struct buf *out, size_t depth)
{
	for (size_t i = 0; i < depth; i++)
		buf_add_str(out, "  ");
}

static void print_table(struct buf *out, const struct toml_value *table, const char *path,
		size_t depth);

static void print_header(struct buf *out, const char *path, size_t depth, const char *brackets)
{
	size_t half = strlen(brackets) / 2;

	add_indent(out, depth);
	buf_addf(out, "%.*s%s%s\n", (int)half, brackets, path, brackets + half);
}

static void print_inner(
		struct buf *out, const struct toml_value *v, const char *path, size_t depth)
{
	if (toml_is(v, TOML_TABLE)) {
		print_header(out, path, depth, "[]");
		print_table(out, v, path, depth + 1);
		return;
	}
	for (size_t i = 0; i < toml_count(v); i++) {
		buf_add_str(out, i > 0 ? "\n" : "");
		print_header(out, path, depth, "[[]]");
		print_table(out, toml_at(v, i), path, depth + 1);
	}
}

static bool is_inner(const struct toml_value *v)
{
	return toml_is(v, TOML_TABLE) || is_table_array(v);
}

/* "depth" is how far the values of this table are indented. */
static void print_table(
		struct buf *out, const struct toml_value *table, const char *path, size_t depth)
{
	bool needs_gap = false;

	for (size_t i = 0; i < toml_count(table); i++) {
		if (is_inner(toml_at(table, i)))
			continue;
		add_indent(out, depth);
		toml_add_key(out, toml_key_at(table, i));
		buf_add_str(out, " = ");
		add_inline(out, toml_at(table, i));
		buf_add_byte(out, '\n');
		needs_gap = true;
	}
	for (size_t i = 0; i < toml_count(table); i++) {
		AUTO_BUF struct buf inner = { .limit = SIZE_MAX };

		if (!is_inner(toml_at(table, i)))
			continue;
		if (needs_gap)
			buf_add_byte(out, '\n');
		needs_gap = true;
		buf_addf(&inner, "%s%s", path, path[0] != '\0' ? "." : "");
		toml_add_key(&inner, toml_key_at(table, i));
		print_inner(out, toml_at(table, i), inner.data, depth);
	}
}

void toml_print(const struct toml_value *table, struct buf *out)
{
	print_table(out, table, "", 0);
}
