/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Regular expressions of filters: RE2's language as Go accepts it, run by PCRE2 with a bounded
 * effort (docs/design/010-filters.md).
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"

struct buf;
struct err;
struct filter_regex;

/* NULL if Go would not compile it: such a selector never matches. */
MUST_USE struct filter_regex *filter_regex_new(const char *pattern, size_t size);
void filter_regex_free(struct filter_regex *r);

/* Unanchored search. 1 or 0; -1 with EXHAUSTED when it takes too long. What it spends is taken
 * from *budget_ns. */
MUST_USE int filter_regex_search(
		struct filter_regex *r, const char *text, int64_t *budget_ns, struct err *err);

/* RE2 to PCRE2 syntax. False if RE2 has no such expression. */
MUST_USE bool filter_regex_translate(const char *pattern, size_t size, struct buf *out);
