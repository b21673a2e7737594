/* SPDX-License-Identifier: Apache-2.0 */
#include "base/err_details.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/auto.h"
#include "base/mem.h"
#include "base/str.h"

struct err_details {
	size_t count, bytes;
	size_t joined; /* length of the end of the error's text that err_join() put there */
	struct err_detail *list[ERR_DETAILS_MAX]; /* owned, each one block */
};

static size_t cost(const struct err_detail *d)
{
	return d->size + strlen(str_or(d->text, "")) + strlen(str_or(d->type_url, ""));
}

static char *append(char *to, const char *text)
{
	return text == NULL ? to : stpcpy(to, text) + 1;
}

static struct err_detail *duplicate(const struct err_detail *from)
{
	struct err_detail *d = xmalloc(sizeof(*d) + cost(from) + 2);
	char *at = (char *)(d + 1);

	*d = *from;
	d->type_url = from->type_url == NULL ? NULL : at;
	at = append(at, from->type_url);
	d->text = from->text == NULL ? NULL : at;
	at = append(at, from->text);
	d->data = at;
	if (from->size > 0)
		memcpy(at, from->data, from->size);
	return d;
}

/* False when there is no room. */
static bool add(struct err *err, const struct err_detail *detail)
{
	struct err_details *d = err->details;

	assert(err->kind != ERR_NONE);
	if (cost(detail) > ERR_DETAILS_BYTES)
		return false;
	if (d == NULL)
		d = err->details = xzalloc(sizeof(*d));
	if (d->count == ERR_DETAILS_MAX || d->bytes + cost(detail) > ERR_DETAILS_BYTES)
		return false;
	d->bytes += cost(detail);
	d->list[d->count++] = duplicate(detail);
	return true;
}

/* The text of an error without those that were joined to it. */
static char *own_text(const struct err *err)
{
	const char *text = err_text(err);
	size_t joined = err->details == NULL ? 0 : err->details->joined;

	return xstrndup(text, strlen(text) - joined);
}

static const char *innermost(const char *text, enum err_kind kind)
{
	const struct err bare = { .kind = kind };
	const char *words = err_text(&bare);
	size_t n = strlen(text), w = strlen(words);

	if (w == 0 || n < w + 2 || strcmp(text + n - w, words) != 0 ||
			memcmp(text + n - w - 2, ": ", 2) != 0)
		return text;
	return words;
}

static bool add_cause(struct err *err, enum err_kind kind, const char *text)
{
	return add(err, &(struct err_detail){ .kind = kind, .text = innermost(text, kind) });
}

void err_add_cause(struct err *err, enum err_kind kind, const char *text)
{
	(void)add_cause(err, kind, text);
}

static void join_text(struct err *err, const char *text)
{
	char *whole = xasprintf("%s\n%s", err_text(err), text);

	free(err->text);
	err->text = whole;
	err->details->joined += strlen(text) + 1;
}

int err_join(struct err *err, const struct err *other)
{
	AUTO_FREE char *text = NULL;

	if (other->kind == ERR_NONE)
		return -1;
	if (err->kind == ERR_NONE)
		return err_copy(err, other);
	text = own_text(other);
	if (!add_cause(err, other->kind, text))
		return -1;
	join_text(err, err_text(other));
	for (size_t i = 0; i < err_detail_count(other); i++)
		(void)add(err, err_detail_at(other, i));
	return -1;
}

void err_add_detail(struct err *err, const char *type_url, const void *data, size_t size)
{
	(void)add(err, &(struct err_detail){
				       .type_url = type_url, .data = data, .size = size });
}

size_t err_detail_count(const struct err *err)
{
	return err->details == NULL ? 0 : err->details->count;
}

const struct err_detail *err_detail_at(const struct err *err, size_t i)
{
	assert(i < err_detail_count(err));
	return err->details->list[i];
}

struct err_details *err_details_copy(const struct err_details *from)
{
	struct err_details *d;

	if (from == NULL)
		return NULL;
	d = xmalloc(sizeof(*d));
	*d = *from;
	for (size_t i = 0; i < d->count; i++)
		d->list[i] = duplicate(from->list[i]);
	return d;
}

void err_details_free(struct err_details *d)
{
	if (d == NULL)
		return;
	for (size_t i = 0; i < d->count; i++)
		free(d->list[i]);
	free(d);
}
