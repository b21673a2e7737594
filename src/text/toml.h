/* SPDX-License-Identifier: Apache-2.0 */
/*
 * TOML as a tree of values that know where they stood in their file. Tables keep the order in
 * which keys were added (parsed tables: byte order). One owner per tree; no threads of its own.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/auto.h"

#ifdef __cplusplus
extern "C" {
#endif

struct buf;
struct err;
struct toml_value;

#define TOML_MAX_BYTES	(1024 * 1024)
#define TOML_MAX_VALUES (64 * 1024)
#define TOML_MAX_PATH	64 /* parts of one dotted name */
#define TOML_MAX_DEPTH	32 /* arrays and inline tables inside each other */

enum toml_kind {
	TOML_TABLE,
	TOML_ARRAY,
	TOML_TEXT,
	TOML_INT,
	TOML_FLOAT,
	TOML_BOOL,
	TOML_TIME, /* dates and times, kept as text */
};

/* Reads a whole document. "file" is borrowed for the life of the tree and its copies; it comes
 * back from toml_file(). INVALID with row and column, EXHAUSTED when a bound is passed. */
MUST_USE int toml_parse(const char *file, const void *data, size_t size,
		struct toml_value **ret_table, struct err *err);

MUST_USE struct toml_value *toml_new_table(void);
MUST_USE struct toml_value *toml_new_array(void);
MUST_USE struct toml_value *toml_new_text(const char *text);
MUST_USE struct toml_value *toml_new_time(const char *text);
MUST_USE struct toml_value *toml_new_int(int64_t n);
MUST_USE struct toml_value *toml_new_float(double n);
MUST_USE struct toml_value *toml_new_bool(bool b);
MUST_USE struct toml_value *toml_copy(const struct toml_value *v);
void toml_free(struct toml_value *v); /* with everything in it; NULL is fine */
DEFINE_AUTO(struct toml_value *, toml_free)

void toml_set_place(struct toml_value *v, const char *file, uint32_t line, uint32_t column);
const char *toml_file(const struct toml_value *v); /* NULL if it came from no file */
uint32_t toml_line(const struct toml_value *v);	   /* 0 if it came from no file */
uint32_t toml_column(const struct toml_value *v);

enum toml_kind toml_kind(const struct toml_value *v);
bool toml_is(const struct toml_value *v, enum toml_kind kind); /* false for NULL */
const char *toml_kind_name(enum toml_kind kind);	       /* "a table", "an integer" … */

/* Scalars; the kind must be right. */
const char *toml_text(const struct toml_value *v); /* TEXT or TIME */
int64_t toml_int(const struct toml_value *v);
double toml_float(const struct toml_value *v); /* FLOAT or INT */
bool toml_bool(const struct toml_value *v);

/* Tables and arrays; both count from 0 in order. */
size_t toml_count(const struct toml_value *v); /* 0 for scalars and NULL */
struct toml_value *toml_at(const struct toml_value *v, size_t i);
const char *toml_key_at(const struct toml_value *table, size_t i);
struct toml_value *toml_find(const struct toml_value *table,
		const char *key); /* NULL if absent or no table */
void toml_put(struct toml_value *table, const char *key,
		struct toml_value *own_value); /* replaces */
MUST_USE struct toml_value *toml_take(
		struct toml_value *table, const char *key); /* NULL if absent */
void toml_remove(struct toml_value *table, const char *key);
void toml_append(struct toml_value *array, struct toml_value *own_value);
/* The table under "key", made if there is none; NULL if something else stands there. */
struct toml_value *toml_need_table(struct toml_value *table, const char *key);

/* Follows keys down from "v"; the list ends with NULL. NULL if a step is missing. */
struct toml_value *toml_dig(const struct toml_value *v, ...) __attribute__((sentinel));

/* Adds everything of "from" to "into": tables are merged, all else is replaced. */
void toml_merge(struct toml_value *into, const struct toml_value *from);

bool toml_equal(const struct toml_value *a,
		const struct toml_value *b); /* order of keys does not matter */

/* Owned vector of the texts of an array; NULL if empty. */
MUST_USE char **toml_strv(const struct toml_value *array);
MUST_USE struct toml_value *toml_new_strv(char *const *v);

/* As the original prints its configuration: values first, then tables, indented by two. */
void toml_print(const struct toml_value *table, struct buf *out);

/* "plugins.'io.containerd.grpc.v1.cri'.cni": one part, quoted if it must be. */
void toml_add_key(struct buf *out, const char *key);

#ifdef __cplusplus
}
#endif
