/* SPDX-License-Identifier: Apache-2.0 */
/* Lines of passwd and group files, as they come. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"

struct err;

/* A line's fields, cut in place; borrowed for the callback. Missing ones are "". */
#define USER_FIELDS 7
typedef bool (*user_line_seen)(void *arg, char *const fields[USER_FIELDS]);

/* Calls "seen" for each line that is not blank until it returns false. Lines longer than 64 KiB
 * fail with EXHAUSTED, files longer than USER_FILE_MAX too. */
MUST_USE int user_lines_read(int fd, user_line_seen seen, void *arg, struct err *err);

/* The same over bytes; "text" is cut into pieces. For the fuzzer and tests. */
void user_lines_cut(char *text, size_t size, user_line_seen seen, void *arg);

/* 0 … 2^32 - 2; false on anything else. */
bool user_number(const char *text, uint32_t *ret);
