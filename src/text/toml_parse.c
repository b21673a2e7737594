/* SPDX-License-Identifier: Apache-2.0 */
#include "text/toml.h"

#include <string.h>

#include "base/err.h"
#include "text/toml_priv.h"

/* Just enough of TOML's lexis to tell names and brackets from strings and comments, and to know
 * how deep the tree would get: parts of the header, of the names whose values are open, and of
 * the name being read. */
struct scan {
	const char *data;
	size_t size;
	size_t at;
	uint32_t line;
	bool in_header;
	bool line_has_text;
	size_t header_dots;
	size_t dots;	  /* of the name being read */
	size_t name_dots; /* of the name whose value comes next */
	size_t held_dots; /* of all names whose values are open */
	size_t open;	  /* brackets */
	size_t dots_at[TOML_MAX_DEPTH + 1];
};

static bool looking_at(const struct scan *s, const char *text)
{
	size_t len = strlen(text);

	return s->size - s->at >= len && memcmp(s->data + s->at, text, len) == 0;
}

static void skip_comment(struct scan *s)
{
	while (s->at < s->size && s->data[s->at] != '\n')
		s->at++;
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
		s->header_dots = s->dots;
	s->in_header = false;
	s->line_has_text = false;
	s->dots = s->name_dots = 0;
	s->line++;
}

static void open_bracket(struct scan *s)
{
	if (s->in_header)
		return;
	if (!s->line_has_text && s->open == 0 && s->data[s->at] == '[') {
		s->in_header = true;
		s->header_dots = 0;
		return;
	}
	if (s->open <= TOML_MAX_DEPTH)
		s->dots_at[s->open] = s->name_dots;
	s->open++;
	s->held_dots += s->name_dots;
	s->dots = s->name_dots = 0;
}

static void close_bracket(struct scan *s)
{
	if (s->in_header || s->open == 0)
		return;
	s->open--;
	s->held_dots -= s->dots_at[s->open];
	s->dots = s->name_dots = 0;
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
		s->name_dots = s->dots;
		s->dots = 0;
		break;
	case ',':
		s->dots = s->name_dots = 0;
		break;
	default:
		break;
	}
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

int toml_check_depth(const char *data, size_t size, struct toml_fault *fault)
{
	struct scan s = { .data = data, .size = size, .line = 1 };

	while (s.at < s.size) {
		const char *what = NULL;

		scan_token(&s);
		if (s.header_dots + s.held_dots + s.name_dots + s.dots >= TOML_MAX_PATH)
			what = "name has too many parts";
		else if (s.open > TOML_MAX_DEPTH)
			what = "values are nested too deeply";
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
				"failed to unmarshal TOML at row %u column %u: %s", fault.line,
				fault.column, fault.text);
	return 0;
}
