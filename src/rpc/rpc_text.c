/* SPDX-License-Identifier: Apache-2.0 */
#include "rpc/rpc_text_priv.h"

#include <stdint.h>
#include <string.h>

#include "base/buf.h"
#include "base/mem.h"
#include "base/str.h"

size_t rpc_utf8_len(const char *text, size_t size)
{
	for (size_t n = 1; n <= 4 && n <= size; n++)
		if (utf8_valid(text, n))
			return n;
	return 0;
}

char *rpc_text_utf8(const char *text)
{
	struct buf b = { .limit = SIZE_MAX };
	size_t left = strlen(text);

	if (utf8_valid(text, left))
		return xstrdup(text);
	while (left > 0) {
		size_t n = rpc_utf8_len(text, left);

		if (n == 0)
			buf_add_str(&b, RPC_TEXT_BAD);
		else
			buf_add(&b, text, n);
		n = n == 0 ? 1 : n;
		text += n;
		left -= n;
	}
	return buf_take_str(&b);
}
