/* SPDX-License-Identifier: Apache-2.0 */
/*
 * containerd's filter language (reference 01 §4.9): OR over the strings of a list, AND over the
 * selectors in each. Regular expressions follow RE2 on PCRE2 with a bounded effort per request.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/attr.h"
#include "base/auto.h"

struct err;
struct filter;

/* INVALID with Go's text when a string does not parse. "filters" may be NULL or empty (then
 * everything matches); NULL-terminated. */
MUST_USE int filter_parse(char *const *filters, struct filter **ret_filter, struct err *err);
void filter_free(struct filter *f);
DEFINE_AUTO(struct filter *, filter_free)

/* Answers a field path: sets *ret_value (borrowed until the next call) and returns whether the
 * field is present. "path" has n >= 1 elements. */
typedef bool (*filter_field)(void *object, char *const *path, size_t n, const char **ret_value);

/* EXHAUSTED in err (and false) when the regular expressions take too long. */
bool filter_match(struct filter *f, filter_field field, void *object, struct err *err);
/* Gives the time for regular expressions anew: for filters that serve one object after another,
 * such as those of subscriptions. */
void filter_refill(struct filter *f);
/* True when every object matches. */
bool filter_is_all(const struct filter *f);
/* True when matching may take long, so that the loop had better leave it to a worker. */
bool filter_has_regex(const struct filter *f);
/* If each alternative pins "path" to one value by "==", returns that value for the only
 * alternative (for index look-ups such as name==x), else NULL. */
const char *filter_pinned(const struct filter *f, const char *field);

/* The usual tail of field functions: joins path[1..] with '.' and looks that label up. */
struct labels;
bool filter_label(const struct labels *labels, char *const *path, size_t n,
		const char **ret_value);
