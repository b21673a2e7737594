/* SPDX-License-Identifier: Apache-2.0 */
/* Between toml_parse.c and toml.cc, where the C++ parser is. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"

#ifdef __cplusplus
extern "C" {
#endif

struct toml_value;

struct toml_fault {
	uint32_t line, column;
	char text[160];
};

/* 0 and a tree, or -1 and the fault. Throws nothing, whatever the bytes. */
MUST_USE int toml_cc_parse(const char *file, const char *data, size_t size,
		struct toml_value **ret_table, struct toml_fault *fault);

/* Refuses what the C++ parser would recurse on without end: names of more than TOML_MAX_PATH
 * parts, and more than TOML_MAX_DEPTH open brackets. */
MUST_USE int toml_check_depth(const char *data, size_t size, struct toml_fault *fault);

#ifdef __cplusplus
}
#endif
