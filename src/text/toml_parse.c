/* SPDX-License-Identifier: Apache-2.0 */
#include "text/toml.h"

#include <string.h>

#include "base/err.h"
#include "text/toml_priv.h"

/* Just enough of TOML's lexis to tell names and brackets from strings and comments, and to know
 * how deep the tree would get: the parts of the header, of the names whose values are open,
 * and of the name being read. */
struct scan {
	const char *data;
	size_t size;
	size_t at;
	uint32_t line;
	bool in_header;
	bool line_has_text;
	bool is_odd; /* a character that has no place in TOML */
	size_t header_parts;
	size_t dots;	   /* in the name being read */
	size_t name_parts; /* of the name whose value comes next, 0 while a name is read */
	size_t held_parts; /* of all names whose values are open */
	size_t open;	   /* brackets */
	size_t parts_at[TOML_MAX_DEPTH + 1];
};

static bool looking_at(const struct scan *s, const char *text)
{
	size_t len = strlen(text);

	return s->size - s->at >= len && memcmp(s->data + s->at, text, len) == 0;
}

/* What the C++ parser may take for the end of a line, and TOML does not. */
static bool is_odd_line_end(const struct scan *s)
{
	unsigned char c = (unsigned char)s->data[s->at];

	if (c < 0x20)
		return c != '\t' && c != '\n' && !(c == '\r' && looking_at(s, "\r\n"));
	return c == 0x7f || looking_at(s, "\xc2\x85") || looking_at(s, "\xe2\x80\xa8") ||
	       looking_at(s, "\xe2\x80\xa9");
}

static void skip_comment(struct scan *s)
{
	for (; s->at < s->size && s->data[s->at] != '\n'; s->at++)
		s->is_odd = s->is_odd || is_odd_line_end(s);
}

/* On one line; a missing end is the parser's to report. */
static void skip_string(struct scan *s, char quote)
{
	for (s->at++; s->at < s->size && s->data[s->at] != '\n'; s->at++) {
		if (s->data[s->at] == quote) {
			s->at++;
			return;
		}
		if (s->data[s->at] == '\\' && quote == '"')
			s->at++;
	}
}

static void skip_long_string(struct scan *s, const char *quotes)
{
	s->at += 3;
	while (s->at < s->size && !looking_at(s, quotes)) {
		if (s->data[s->at] == '\\' && quotes[0] == '"')
			s->at++;
		if (s->at < s->size && s->data[s->at] == '\n')
			s->line++;
		s->at++;
	}
	/* Up to two quotes may stand right before the closing three. */
	for (int i = 0; i < 5 && s->at < s->size && s->data[s->at] == quotes[0]; i++)
		s->at++;
}

static void end_line(struct scan *s)
{
	if (s->in_header)
		s->header_parts = s->dots + 1;
	s->in_header = false;
	s->line_has_text = false;
	s->dots = s->name_parts = 0;
	s->line++;
}

static void open_bracket(struct scan *s)
{
	if (s->in_header)
		return;
	if (!s->line_has_text && s->open == 0 && s->data[s->at] == '[') {
		s->in_header = true;
		s->header_parts = 0;
		return;
	}
	if (s->open <= TOML_MAX_DEPTH)
		s->parts_at[s->open] = s->name_parts;
	s->open++;
	s->held_parts += s->name_parts;
	s->dots = s->name_parts = 0;
}

static void close_bracket(struct scan *s)
{
	if (s->in_header || s->open == 0)
		return;
	s->open--;
	s->held_parts -= s->parts_at[s->open];
	s->dots = s->name_parts = 0;
}

static void scan_byte(struct scan *s, char c)
{
	switch (c) {
	case '\n':
		end_line(s);
		break;
	case '.':
		s->dots++;
		break;
	case '[':
	case '{':
		open_bracket(s);
		break;
	case ']':
	case '}':
		close_bracket(s);
		break;
	case '=':
		s->name_parts = s->dots + 1;
		s->dots = 0;
		break;
	case ',':
		s->dots = s->name_parts = 0;
		break;
	default:
		break;
	}
	s->is_odd = s->is_odd || (unsigned char)c >= 0x80 || is_odd_line_end(s);
	s->line_has_text = s->line_has_text || strchr("\n\r\t ", c) == NULL;
	s->at++;
}

static void scan_token(struct scan *s)
{
	char c = s->data[s->at];

	if (c == '#') {
		skip_comment(s);
		return;
	}
	if (c == '"' || c == '\'')
		s->line_has_text = true;
	if (looking_at(s, "\"\"\""))
		skip_long_string(s, "\"\"\"");
	else if (looking_at(s, "'''"))
		skip_long_string(s, "'''");
	else if (c == '"' || c == '\'')
		skip_string(s, c);
	else
		scan_byte(s, c);
}

static size_t parts_so_far(const struct scan *s)
{
	size_t last = s->name_parts > 0 ? s->name_parts : s->dots + 1;

	return s->header_parts + s->held_parts + last;
}

int toml_check_depth(const char *data, size_t size, struct toml_fault *fault)
{
	struct scan s = { .data = data, .size = size, .line = 1 };

	while (s.at < s.size) {
		const char *what = NULL;

		scan_token(&s);
		if (parts_so_far(&s) > TOML_MAX_PATH)
			what = "name has too many parts";
		else if (s.open > TOML_MAX_DEPTH)
			what = "values are nested too deeply";
		else if (s.is_odd)
			what = "unexpected character";
		if (what == NULL)
			continue;
		*fault = (struct toml_fault){ .line = s.line, .column = 1 };
		memcpy(fault->text, what, strlen(what) + 1);
		return -1;
	}
	return 0;
}

int toml_parse(const char *file, const void *data, size_t size, struct toml_value **ret_table,
		struct err *err)
{
	struct toml_fault fault = { 0 };

	if (size > TOML_MAX_BYTES)
		return err_set(err, ERR_EXHAUSTED, "TOML of %zu bytes is over the limit of %d",
				size, TOML_MAX_BYTES);
	if (toml_check_depth(data, size, &fault) < 0 ||
			toml_cc_parse(file, data, size, ret_table, &fault) < 0)
		return err_plain(err, ERR_INVALID,
				"%s:%u:%u: failed to unmarshal TOML at row %u column %u: %s",
				file, fault.line, fault.column, fault.line, fault.column,
				fault.text);
	return 0;
}
