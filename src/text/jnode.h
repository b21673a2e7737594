/* SPDX-License-Identifier: Apache-2.0 */
/*
 * JSON that is built and changed in memory: a tree of nodes that own their children. Numbers
 * stay the text they were written as, so that 64-bit unsigned limits and the like survive, and
 * objects keep their order. Reading obeys the bounds of text/json.h.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/auto.h"
#include "text/json.h"

struct err;
struct buf;
struct json_out;
struct jnode;

MUST_USE int jnode_parse(
		const void *data, size_t size, struct jnode **ret_node, struct err *err);
void jnode_free(struct jnode *n); /* with everything below it; NULL is fine */
DEFINE_AUTO(struct jnode *, jnode_free)
MUST_USE struct jnode *jnode_copy(const struct jnode *n);

MUST_USE struct jnode *jnode_object(void);
MUST_USE struct jnode *jnode_array(void);
MUST_USE struct jnode *jnode_text(const char *text); /* NULL gives null */
MUST_USE struct jnode *jnode_i64(int64_t n);
MUST_USE struct jnode *jnode_u64(uint64_t n);
MUST_USE struct jnode *jnode_bool(bool b);
MUST_USE struct jnode *jnode_strv(char *const *v);

/* Questions take NULL for "absent". Integers and reals are told apart by their text. */
bool jnode_is(const struct jnode *n, enum json_kind kind);
size_t jnode_count(const struct jnode *n);
struct jnode *jnode_get(const struct jnode *object, const char *key);
struct jnode *jnode_item(const struct jnode *n, size_t i); /* of an array or object */
const char *jnode_key(const struct jnode *object, size_t i);
const char *jnode_str(const struct jnode *n); /* NULL unless a string */
const char *jnode_get_str(const struct jnode *object, const char *key);
bool jnode_get_i64(const struct jnode *object, const char *key, int64_t *ret);
bool jnode_is_true(const struct jnode *n);

/* Replaces what the key has, or adds it at the end. */
void jnode_set(struct jnode *object, const char *key, struct jnode *own_value);
void jnode_set_str(struct jnode *object, const char *key, const char *text);
void jnode_remove(struct jnode *object, const char *key);
void jnode_append(struct jnode *array, struct jnode *own_item);
void jnode_append_str(struct jnode *array, const char *text);
void jnode_insert(struct jnode *array, size_t at, struct jnode *own_item);
void jnode_remove_at(struct jnode *n, size_t i);

/* The object (or array) under key, made if it is absent or of another kind. */
struct jnode *jnode_need_object(struct jnode *object, const char *key);
struct jnode *jnode_need_array(struct jnode *object, const char *key);

/* Members in the order of "compare"; the order of equal ones is kept. */
void jnode_sort_members(struct jnode *object,
		int (*compare)(const char *a, const char *b, const void *arg), const void *arg);

void jnode_write(const struct jnode *n, struct json_out *out);
/* indent NULL: on one line, as Go's json.Marshal. Owned. */
MUST_USE char *jnode_to_text(const struct jnode *n, const char *indent);
