/* SPDX-License-Identifier: Apache-2.0 */
/* Text: tests, NULL-terminated vectors, numbers, hex. Nothing here depends on the locale. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"

bool str_eq(const char *a, const char *b); /* NULL equals only NULL */
bool str_starts(const char *text, const char *prefix);
bool str_ends(const char *text, const char *suffix);
bool str_is_empty(const char *text);			    /* NULL or "" */
const char *str_or(const char *text, const char *fallback); /* fallback if NULL or "" */

/* NULL-terminated vectors of owned strings; NULL is an empty one. */
void strv_free(char **v);
size_t strv_len(char *const *v);
char **strv_dup(char *const *v);
void strv_add(char ***v, const char *text); /* copies */
void strv_addf(char ***v, const char *fmt, ...) PRINTF_LIKE(2, 3);
bool strv_has(char *const *v, const char *text);
/* Splits at each "sep"; empty pieces are kept, "" gives an empty vector. */
char **strv_split(const char *text, char sep);
char *strv_join(char *const *v, const char *sep);

/* Whole-string decimal numbers; false on anything else, including overflow, blanks and '+'. */
MUST_USE bool str_u64(const char *text, uint64_t *ret);
MUST_USE bool str_i64(const char *text, int64_t *ret);
MUST_USE bool str_u32(const char *text, uint32_t *ret);

/* Lower-case hex; "out" holds 2 * size + 1 bytes. */
void hex_encode(const void *data, size_t size, char *out);

/* No overlong forms, surrogates or values past U+10FFFF. NUL is valid UTF-8. */
bool utf8_valid(const void *data, size_t size);

/* Like Go's %q: quotes and escapes; caller frees. */
MUST_USE char *str_quote(const char *text);
