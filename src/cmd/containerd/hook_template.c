/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/containerd/hook_template.h"

#include <stdbool.h>
#include <string.h>

#include "base/auto.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"

#define MAX_KEY 4096

struct cursor {
	const char *at, *end;
};

static bool is_space(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static bool is_word(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	       c == '_';
}

static void skip_space(struct cursor *c)
{
	while (c->at < c->end && is_space(*c->at))
		c->at++;
}

static bool eat(struct cursor *c, const char *word)
{
	size_t n = strlen(word);

	if ((size_t)(c->end - c->at) < n || memcmp(c->at, word, n) != 0)
		return false;
	c->at += n;
	return true;
}

/* --- inside an action --- */

static int bad(struct err *err, const char *what)
{
	return err_plain(err, ERR_INVALID, "template: %s in command", what);
}

static int read_escape(struct cursor *c, struct buf *out, struct err *err)
{
	static const char from[] = "abfnrtv\\\"'", to[] = "\a\b\f\n\r\t\v\\\"'";
	const char *found = c->at == c->end || *c->at == '\0' ? NULL : strchr(from, *c->at);

	if (found == NULL)
		return bad(err, "unknown escape");
	buf_add_byte(out, (unsigned char)to[found - from]);
	c->at++;
	return 0;
}

/* "…" with escapes or `…` without. */
static int read_text(struct cursor *c, struct buf *out, struct err *err)
{
	char quote = *c->at++;

	while (c->at < c->end && *c->at != quote) {
		char ch = *c->at++;

		if (quote == '"' && ch == '\n')
			break;
		if (quote == '"' && ch == '\\') {
			if (read_escape(c, out, err) < 0)
				return -1;
		} else if (ch == '\0') {
			return bad(err, "unexpected NUL");
		} else {
			buf_add_byte(out, (unsigned char)ch);
		}
	}
	if (c->at == c->end || *c->at != quote)
		return bad(err, "unterminated quoted string");
	c->at++;
	if (out->overflowed)
		return bad(err, "string too long");
	return 0;
}

static bool is_text(const struct cursor *c)
{
	return c->at < c->end && (*c->at == '"' || *c->at == '`');
}

static int call_annotation(
		struct cursor *c, const struct hook_state *s, struct buf *out, struct err *err)
{
	AUTO_BUF struct buf key = { .limit = MAX_KEY };

	skip_space(c);
	if (!is_text(c))
		return bad(err, "annotation wants a quoted key");
	if (read_text(c, &key, err) < 0)
		return -1;
	buf_add_str(out, str_or(s->annotation(s->arg, key.size > 0 ? key.data : ""), ""));
	return 0;
}

static bool is_name(const char *word, size_t n, const char *name)
{
	return strlen(name) == n && memcmp(word, name, n) == 0;
}

static int call(struct cursor *c, const struct hook_state *s, struct buf *out, struct err *err)
{
	const char *word = c->at;
	size_t n;

	while (c->at < c->end && is_word(*c->at))
		c->at++;
	n = (size_t)(c->at - word);
	if (is_name(word, n, "annotation"))
		return call_annotation(c, s, out, err);
	if (is_name(word, n, "pid"))
		buf_addf(out, "%lld", (long long)s->pid);
	else if (is_name(word, n, "id"))
		buf_add_str(out, s->id);
	else if (is_name(word, n, "bundle"))
		buf_add_str(out, s->bundle);
	else if (is_name(word, n, "rootfs"))
		buf_add_str(out, s->rootfs);
	else if (is_name(word, n, "status"))
		buf_add_str(out, s->status);
	else if (n == 0)
		return bad(err, "unexpected character");
	else
		return err_plain(err, ERR_INVALID, "template: function \"%.*s\" not defined",
				(int)n, word);
	return 0;
}

static int read_comment(struct cursor *c, struct err *err)
{
	const char *end = memmem(c->at, (size_t)(c->end - c->at), "*/", 2);

	if (end == NULL)
		return bad(err, "unclosed comment");
	c->at = end + 2;
	return 0;
}

/* Behind "{{" and its trim marker, up to and with "}}". */
static int run_action(struct cursor *c, const struct hook_state *s, struct buf *out,
		bool *ret_trim, struct err *err)
{
	const char *before;
	int rc;

	*ret_trim = false;
	skip_space(c);
	if (eat(c, "/*"))
		rc = read_comment(c, err);
	else
		rc = is_text(c) ? read_text(c, out, err) : call(c, s, out, err);
	if (rc < 0)
		return -1;
	before = c->at;
	skip_space(c);
	*ret_trim = c->at > before && eat(c, "-");
	return eat(c, "}}") ? 0 : bad(err, "unexpected text");
}

/* --- the text around --- */

static const char *trim_end(const char *from, const char *to)
{
	while (to > from && is_space(to[-1]))
		to--;
	return to;
}

int hook_template_expand(const char *text, size_t size, const struct hook_state *state,
		struct buf *out, struct err *err)
{
	struct cursor c = { text, text + size };
	bool trim = false;

	while (c.at < c.end) {
		const char *from = c.at;
		const char *open = memmem(c.at, (size_t)(c.end - c.at), "{{", 2);
		const char *to = open == NULL ? c.end : open;

		c.at = open == NULL ? c.end : open + 2;
		if (open != NULL && c.end - c.at >= 2 && c.at[0] == '-' && is_space(c.at[1])) {
			c.at++;
			to = trim_end(from, to);
		}
		while (trim && from < to && is_space(*from))
			from++;
		buf_add(out, from, (size_t)(to - from));
		if (open != NULL && run_action(&c, state, out, &trim, err) < 0)
			return -1;
	}
	return out->overflowed ? err_set(err, ERR_INVALID, "template: result too long") : 0;
}
