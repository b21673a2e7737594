/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reading JSON that others wrote, within bounds: at most JSON_MAX_BYTES, JSON_MAX_VALUES values
 * and JSON_MAX_DEPTH levels. Objects keep their order; of two equal keys the last one counts,
 * as in Go. Integers are 64 bits signed: documents that hold larger ones and must survive (an
 * OCI config.json) are cut and patched with text/json_span.h, never written back from here.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/auto.h"

struct err;
struct json;

#define JSON_MAX_BYTES	(4 * 1024 * 1024)
#define JSON_MAX_VALUES (256 * 1024)
#define JSON_MAX_DEPTH	64

enum json_kind {
	JSON_KIND_NULL,
	JSON_KIND_BOOL,
	JSON_KIND_INT,
	JSON_KIND_REAL,
	JSON_KIND_TEXT,
	JSON_KIND_ARRAY,
	JSON_KIND_OBJECT,
};

/* INVALID with line and column, EXHAUSTED when a bound is passed. Any value may stand at the
 * top. */
MUST_USE int json_parse(const void *data, size_t size, struct json **ret_json, struct err *err);
/* Ends the whole document; everything got from it is borrowed. NULL is fine. */
void json_free(struct json *j);
DEFINE_AUTO(struct json *, json_free)

/* All of these take NULL for "absent", so that lookups can be chained. */
enum json_kind json_kind(const struct json *j);
bool json_is(const struct json *j, enum json_kind kind);		 /* false for NULL */
const struct json *json_get(const struct json *object, const char *key); /* NULL if absent */
size_t json_count(const struct json *j); /* of an array or object, else 0 */
const struct json *json_item(const struct json *array, size_t i); /* NULL past the end */

/* Members of an object in order: start with { 0 }; false at the end. */
struct json_member {
	const char *key;
	const struct json *value;
	void *at; /* private */
};
bool json_next(const struct json *object, struct json_member *m);

const char *json_text(const struct json *j);	    /* NULL unless a string */
bool json_i64(const struct json *j, int64_t *ret);  /* false unless an integer */
bool json_u32(const struct json *j, uint32_t *ret); /* false unless it fits */
bool json_bool(const struct json *j);		    /* true only for true */

/* json_text(json_get(object, key)). */
const char *json_get_text(const struct json *object, const char *key);
/* Owned vector of the strings of an array (other items are left out); NULL if empty. */
MUST_USE char **json_strv(const struct json *array);
