/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/auto.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/str.h"
#include "shim/shim_stdio.h"

#define MAX_URL 8192

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c = (char)(c | 0x20);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* NULL for a bad escape, or one that hides the end of the text. */
static char *unescape(const char *text, size_t size, bool is_query)
{
	char *out = xmalloc(size + 1);
	size_t n = 0;

	for (size_t i = 0; i < size; i++) {
		if (text[i] == '%') {
			int high = i + 2 < size ? hex_digit(text[i + 1]) : -1;
			int low = i + 2 < size ? hex_digit(text[i + 2]) : -1;

			if (high < 0 || low < 0 || high + low == 0) {
				free(out);
				return NULL;
			}
			out[n++] = (char)(high * 16 + low);
			i += 2;
		} else {
			out[n++] = is_query && text[i] == '+' ? ' ' : text[i];
		}
	}
	out[n] = '\0';
	return out;
}

static int parse_scheme(const char *text, size_t size, enum stdio_kind *ret, struct err *err)
{
	static const struct {
		const char *name;
		enum stdio_kind kind;
	} known[] = { { "fifo", STDIO_FIFO }, { "file", STDIO_FILE },
		{ "binary", STDIO_BINARY }, { "binary-v2", STDIO_BINARY_STRICT } };

	if (size == 0)
		return err_plain(err, ERR_UNKNOWN,
				"unable to parse stdout uri: parse \"%s\": missing protocol "
				"scheme",
				text);
	for (size_t i = 0; i < ARRAY_LEN(known); i++)
		if (strlen(known[i].name) == size &&
				strncasecmp(known[i].name, text, size) == 0) {
			*ret = known[i].kind;
			return 0;
		}
	return err_plain(err, ERR_UNKNOWN, "unknown STDIO scheme %.*s", (int)size, text);
}

/* "k=v&k2": each key, and its value if it has one. */
static int parse_query(const char *text, char ***args)
{
	while (*text != '\0') {
		size_t pair = strcspn(text, "&"), key = strcspn(text, "=&");
		AUTO_FREE char *name = unescape(text, key, true);
		AUTO_FREE char *value = NULL;

		if (name == NULL)
			return -1;
		if (pair > 0)
			strv_add(args, name);
		if (key < pair) {
			value = unescape(text + key + 1, pair - key - 1, true);
			if (value == NULL)
				return -1;
			strv_add(args, value);
		}
		text += pair + (text[pair] == '&');
	}
	return 0;
}

int stdio_url_parse(const char *text, struct stdio_url *ret, struct err *err)
{
	const char *colon = strstr(text, "://");
	AUTO_FREE char *host = NULL;
	const char *path;

	*ret = (struct stdio_url){ .kind = STDIO_FIFO };
	if (strlen(text) > MAX_URL)
		return err_set(err, ERR_INVALID, "unable to parse stdout uri: over %d bytes",
				MAX_URL);
	if (colon == NULL) {
		ret->path = xstrdup(text);
		return 0;
	}
	if (parse_scheme(text, (size_t)(colon - text), &ret->kind, err) < 0)
		return -1;
	path = colon + 3;
	host = unescape(path, strcspn(path, "/?#"),
			false); /* means nothing, but is looked at */
	path += strcspn(path, "/?#");
	ret->path = unescape(path, strcspn(path, "?#"), false);
	path += strcspn(path, "?#");
	if (host != NULL && ret->path != NULL &&
			(*path != '?' || parse_query(path + 1, &ret->args) == 0))
		return 0;
	stdio_url_done(ret);
	return err_plain(err, ERR_UNKNOWN,
			"unable to parse stdout uri: parse \"%s\": invalid URL escape", text);
}

void stdio_url_done(struct stdio_url *u)
{
	free(u->path);
	strv_free(u->args);
	*u = (struct stdio_url){ 0 };
}
