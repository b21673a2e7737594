/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What an error carries beside its kind and text: further errors that were joined to it, and
 * messages that only its sender and its receiver understand. They travel as the details of
 * google.rpc.Status. Few errors have any; those that have none pay a NULL pointer.
 *
 * Bounded: what goes beyond ERR_DETAILS_MAX or ERR_DETAILS_BYTES is left out. A receiver must
 * do without details anyway.
 */
#pragma once

#include <stddef.h>

#include "base/err.h"

#define ERR_DETAILS_MAX	  16
#define ERR_DETAILS_BYTES ((size_t)16 * 1024)

struct err_detail {
	const char *type_url; /* NULL: another error, which has kind and text */
	enum err_kind kind;
	const char *text;
	const void *data;
	size_t size;
};

/*
 * Another failure of the same piece of work. The text goes on in a new line, the kind stays.
 * What is remembered of the other is its innermost cause, as the original does: of "a: b: not
 * found" only "not found", but the whole text when it does not end in the words of its kind.
 * An empty "err" becomes a copy of "other". Returns -1.
 */
int err_join(struct err *err, const struct err *other);

/* The same for a text that tells of the other already: only the cause is remembered. */
void err_add_cause(struct err *err, enum err_kind kind, const char *text);

/* A message for those who know its type; the text does not tell of it. */
void err_add_detail(struct err *err, const char *type_url, const void *data, size_t size);

size_t err_detail_count(const struct err *err);
/* Borrowed; valid until the next call on this err. */
const struct err_detail *err_detail_at(const struct err *err, size_t i);

/* For err.c. */
struct err_details *err_details_copy(const struct err_details *from);
void err_details_free(struct err_details *d);
