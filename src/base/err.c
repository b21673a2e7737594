/* SPDX-License-Identifier: Apache-2.0 */
#include "base/err.h"

#include <assert.h>
#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/auto.h"
#include "base/err_details.h"
#include "base/mem.h"
#include "base/str.h"

struct kind_row {
	int grpc;
	const char *text;
};

static const struct kind_row kinds[] = {
	[ERR_NONE] = { 0, "" },
#define ERR_KIND(name, grpc, text) [ERR_##name] = { grpc, text },
#include "base/err_kinds.def"
#undef ERR_KIND
};

static int set_text(struct err *err, enum err_kind kind, char *own_text)
{
	assert(err->kind == ERR_NONE);
	assert(kind != ERR_NONE);
	err->kind = kind;
	err->text = own_text;
	return -1;
}

int err_set(struct err *err, enum err_kind kind, const char *fmt, ...)
{
	AUTO_FREE char *message = NULL;
	va_list args;

	va_start(args, fmt);
	message = xvasprintf(fmt, args);
	va_end(args);
	if (kinds[kind].text[0] == '\0')
		return set_text(err, kind, take_ptr(message));
	if (message[0] == '\0')
		return set_text(err, kind, xstrdup(kinds[kind].text));
	return set_text(err, kind, xasprintf("%s: %s", message, kinds[kind].text));
}

int err_plain(struct err *err, enum err_kind kind, const char *fmt, ...)
{
	char *message;
	va_list args;

	va_start(args, fmt);
	message = xvasprintf(fmt, args);
	va_end(args);
	return set_text(err, kind, message);
}

int err_sys(struct err *err, int errnum, const char *fmt, ...)
{
	AUTO_FREE char *message = NULL;
	va_list args;

	va_start(args, fmt);
	message = xvasprintf(fmt, args);
	va_end(args);
	err->sys = errnum;
	return set_text(err, ERR_UNKNOWN, xasprintf("%s: %s", message, errno_text(errnum)));
}

int err_wrap(struct err *err, const char *fmt, ...)
{
	AUTO_FREE char *message = NULL;
	char *text;
	va_list args;

	assert(err->kind != ERR_NONE);
	va_start(args, fmt);
	message = xvasprintf(fmt, args);
	va_end(args);
	text = xasprintf("%s: %s", message, err_text(err));
	free(err->text);
	err->text = text;
	return -1;
}

int err_move(struct err *err, struct err *from)
{
	assert(err->kind == ERR_NONE);
	*err = *from;
	*from = (struct err){ 0 };
	return -1;
}

int err_copy(struct err *err, const struct err *from)
{
	assert(err->kind == ERR_NONE);
	*err = *from;
	err->text = xstrdup(err_text(from));
	err->details = err_details_copy(from->details);
	return -1;
}

void err_clear(struct err *err)
{
	int saved = errno;

	free(err->text);
	err_details_free(err->details);
	*err = (struct err){ 0 };
	errno = saved;
}

const char *err_text(const struct err *err)
{
	return err->text == NULL ? kinds[err->kind].text : err->text;
}

int err_grpc_status(const struct err *err)
{
	return kinds[err->kind].grpc;
}

static bool ends_in_word(const char *message, const char *word)
{
	size_t n = strlen(message), w = strlen(word);

	if (n < w || strcmp(message + n - w, word) != 0)
		return false;
	return n == w || (n >= w + 2 && memcmp(message + n - w - 2, ": ", 2) == 0);
}

enum err_kind err_kind_of_grpc(int status, const char *message)
{
	if (status == 0)
		return ERR_NONE;
	if (status == 9 && ends_in_word(message, kinds[ERR_CONFLICT].text))
		return ERR_CONFLICT;
	if (status == 9 && ends_in_word(message, kinds[ERR_NOT_MODIFIED].text))
		return ERR_NOT_MODIFIED;
	for (size_t i = 1; i < ARRAY_LEN(kinds); i++)
		if (kinds[i].grpc == status)
			return (enum err_kind)i;
	return ERR_UNKNOWN;
}

/* Go's texts are the C library's in lower case, but for these. */
const char *errno_text(int errnum)
{
	static const struct {
		int errnum;
		const char *text;
	} go[] = {
#define GO_ERRNO(name, text) { name, text },
#include "base/errno_text.def"
#undef GO_ERRNO
	};

	for (size_t i = 0; i < ARRAY_LEN(go); i++)
		if (go[i].errnum == errnum)
			return go[i].text;
	return "unknown error";
}
