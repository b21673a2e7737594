/* SPDX-License-Identifier: Apache-2.0 */
#include "rpc/rpc_record_priv.h"

#include <string.h>

void record_put_u64(struct buf *b, uint64_t n)
{
	buf_add(b, &n, sizeof(n)); /* both ends are on this machine */
}

void record_put_bytes(struct buf *b, const void *data, size_t size)
{
	record_put_u64(b, size);
	if (size > 0)
		buf_add(b, data, size);
}

void record_put_text(struct buf *b, const char *text)
{
	record_put_bytes(b, text, strlen(text) + 1);
}

static const unsigned char *take(struct rpc_record *r, size_t size)
{
	const unsigned char *at = r->at;

	if (r->bad || size > r->left) {
		r->bad = true;
		return NULL;
	}
	r->at += size;
	r->left -= size;
	return at;
}

uint64_t record_u64(struct rpc_record *r)
{
	uint64_t n = 0;
	const unsigned char *at = take(r, sizeof(n));

	if (at != NULL)
		memcpy(&n, at, sizeof(n));
	return n;
}

uint64_t record_number(struct rpc_record *r, uint64_t max)
{
	uint64_t n = record_u64(r);

	if (n <= max)
		return n;
	r->bad = true;
	return 0;
}

const void *record_bytes(struct rpc_record *r, size_t *ret_size)
{
	uint64_t size = record_number(r, r->left);
	const void *at = take(r, size);

	*ret_size = at == NULL ? 0 : size;
	return at == NULL ? "" : at;
}

const char *record_text(struct rpc_record *r)
{
	size_t size = 0;
	const char *text = record_bytes(r, &size);

	if (size > 0 && memchr(text, '\0', size) == text + size - 1)
		return text;
	r->bad = true;
	return "";
}
