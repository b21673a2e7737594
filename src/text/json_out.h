/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Writing JSON as Go's encoding/json does: same escapes, same indentation. Commas and nesting
 * are kept here; a key outside an object or a value without its key is a bug and asserts.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"

struct buf;

#define JSON_OUT_DEPTH 64

struct json_out {
	struct buf *out;
	const char *indent; /* NULL: everything on one line */
	size_t depth;
	bool has_items[JSON_OUT_DEPTH]; /* something stands before at this level */
	bool is_object[JSON_OUT_DEPTH];
	bool after_key;
};

void json_out_init(struct json_out *o, struct buf *out, const char *indent);
void json_out_object(struct json_out *o);
void json_out_array(struct json_out *o);
void json_out_end(struct json_out *o); /* of the innermost object or array */
void json_out_key(struct json_out *o, const char *key);
void json_out_text(struct json_out *o, const char *text); /* NULL gives null */
void json_out_i64(struct json_out *o, int64_t n);
void json_out_u64(struct json_out *o, uint64_t n);
void json_out_bool(struct json_out *o, bool b);
void json_out_null(struct json_out *o);
/* A value that is JSON already, as it is. */
void json_out_raw(struct json_out *o, const char *json, size_t size);

/* Key and value at once; the "_if" forms leave out what is empty, as Go's omitempty. */
void json_out_member(struct json_out *o, const char *key, const char *text);
void json_out_member_if(struct json_out *o, const char *key, const char *text);
void json_out_strv(struct json_out *o, char *const *v);

/* Just the quoted and escaped string. */
void json_add_quoted(struct buf *out, const char *text);
