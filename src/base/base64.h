/* SPDX-License-Identifier: Apache-2.0 */
/* Base64 in the standard alphabet (RFC 4648 §4). */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/attr.h"

struct buf;

enum base64_tail {
	BASE64_PADDED, /* filled up with '=' to whole groups of four */
	BASE64_BARE,
};

MUST_USE char *base64_encode(const void *data, size_t size, enum base64_tail tail);

/* Takes both forms and appends the bytes. False for what is neither; *ret_at then tells the
 * first digit that does not fit. Nothing is appended beyond the buffer's limit. */
MUST_USE bool base64_decode(const char *text, size_t size, struct buf *out, size_t *ret_at);
