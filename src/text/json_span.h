/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reading from and patching JSON whose bytes belong to someone else: what is not touched stays
 * as it is, to the byte. Nothing is decoded, so numbers of any size and unknown members
 * survive. A path is a NULL-terminated vector of object keys.
 */
#pragma once

#include <stddef.h>

#include "base/attr.h"

struct buf;
struct err;

struct json_span {
	const char *data; /* inside the document */
	size_t size;
};

/* 1 and the value's bytes, 0 if it is not there, -1 if the document is malformed before its
 * place. Of equal keys the last one counts. */
MUST_USE int json_span_find(const void *data, size_t size, const char *const *path,
		struct json_span *ret_span, struct err *err);

/* Appends the document with "json" as the value at path to "out": replaces the value, or adds
 * it as the last member of the deepest object on the path that exists, wrapped in the rest of
 * it. INVALID when something on the path is not an object. */
MUST_USE int json_span_set(const void *data, size_t size, const char *const *path,
		const char *json, struct buf *out, struct err *err);

/* Items of an array (or values of an object) one by one: *at starts at 0. 1, 0 at the end, -1.
 */
MUST_USE int json_span_next(const struct json_span *array, size_t *at,
		struct json_span *ret_item, struct err *err);
