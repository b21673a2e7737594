/* SPDX-License-Identifier: Apache-2.0 */
/* Walks over JSON without building anything. Shared by json.c and json_span.c. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/attr.h"

struct err;

/* A reader over a document; "at" is the next byte to look at. */
struct json_scan {
	const char *data;
	size_t size;
	size_t at;
	size_t depth;
	size_t values;
};

void json_scan_space(struct json_scan *s);
/* The next byte, or 0 at the end. */
char json_scan_peek(const struct json_scan *s);
/* Steps over "c" and blanks around it; false (and not moved) if something else stands there. */
bool json_scan_take(struct json_scan *s, char c);

/* Steps over one whole value. INVALID or EXHAUSTED (bounds of text/json.h). */
MUST_USE int json_scan_value(struct json_scan *s, struct err *err);
/* Steps over a string with its quotes. */
MUST_USE int json_scan_string(struct json_scan *s, struct err *err);
int json_scan_fail(const struct json_scan *s, struct err *err, const char *what);

/* Size, depth and number of values only: json_parse() finds the faults of syntax. */
MUST_USE int json_check_bounds(const void *data, size_t size, struct err *err);
