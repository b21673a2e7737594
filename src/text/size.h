/* SPDX-License-Identifier: Apache-2.0 */
/* Byte counts as people write them, in the forms the original's tools use. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"

#define SIZE_TEXT_SIZE 32

/* Powers of 1024: "0.0 B", "12.0 KiB", "2.1 MiB". */
void size_format(int64_t bytes, char out[SIZE_TEXT_SIZE]);
/* Powers of 1000, four digits: "329B", "1.028MB". */
void size_format_si(double bytes, char out[SIZE_TEXT_SIZE]);

/* "10", "10k", "1.5 GiB", "64MB": always powers of 1024. False on anything else. */
MUST_USE bool size_parse(const char *text, int64_t *ret_bytes);
