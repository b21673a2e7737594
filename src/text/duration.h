/* SPDX-License-Identifier: Apache-2.0 */
/* Durations as Go writes and reads them: "1m0s", "100ms", "1.5h". Nanoseconds inside. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"

/* "-2562047h47m16.854775808s" and the 0. */
#define DURATION_TEXT_SIZE 32

/* False on anything Go's time.ParseDuration refuses, overflow included. */
MUST_USE bool duration_parse(const char *text, int64_t *ret_ns);
void duration_format(int64_t ns, char out[DURATION_TEXT_SIZE]);

/* How long ago, for people: "Less than a second", "5 minutes", "3 weeks". */
#define DURATION_HUMAN_SIZE 32
void duration_human(int64_t ns, char out[DURATION_HUMAN_SIZE]);
