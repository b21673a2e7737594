/* SPDX-License-Identifier: Apache-2.0 */
/* Error texts may hold file names, which are any bytes; on the wire they must be UTF-8. */
#pragma once

#include <stddef.h>

#include "base/attr.h"

#define RPC_TEXT_BAD "\xef\xbf\xbd" /* U+FFFD, for each byte that is none */

/* Bytes of the character that starts at text (not NUL-terminated, size > 0); 0 if none does. */
size_t rpc_utf8_len(const char *text, size_t size);

/* The same text as valid UTF-8; caller frees. */
MUST_USE char *rpc_text_utf8(const char *text);
