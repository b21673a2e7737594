/* SPDX-License-Identifier: Apache-2.0 */
/* What the filter parser hands to the matcher. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/mem.h"

struct err;
struct filter_regex;

enum filter_op {
	FILTER_PRESENT,
	FILTER_EQUAL,
	FILTER_DIFFERS,
	FILTER_MATCHES,
};

struct filter_selector {
	char **path;
	enum filter_op op;
	char *value; /* may hold NUL bytes */
	size_t size;
	struct filter_regex *regex; /* NULL with FILTER_MATCHES: never matches */
};

struct filter_alternative {
	struct filter_selector *selectors;
	size_t count;
};

struct filter {
	struct filter_alternative *alternatives;
	size_t count;
	bool is_all;
	int64_t budget_ns; /* what is left for regular expressions */
};

/* On failure "a" may hold what was read so far; its owner ends it either way. */
MUST_USE int filter_parse_one(const char *input, struct filter_alternative *a, struct err *err);
