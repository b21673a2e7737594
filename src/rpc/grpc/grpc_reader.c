/* SPDX-License-Identifier: Apache-2.0 */
#include "rpc/grpc/grpc_reader_priv.h"

#include <stdint.h>
#include <string.h>

#include "base/auto.h"
#include "base/err.h"

/* A peer's word about length is not trusted with memory before the bytes come. What they are
 * copied from once more should be little, though. */
#define FIRST_ROOM ((size_t)64 * 1024)
#define GROWTH	   16

static size_t min_size(size_t a, size_t b)
{
	return a < b ? a : b;
}

static size_t body_size(const struct grpc_reader *r)
{
	const unsigned char *p = r->prefix;

	return (size_t)p[1] << 24 | (size_t)p[2] << 16 | (size_t)p[3] << 8 | p[4];
}

static int check_prefix(const struct grpc_reader *r, struct err *err)
{
	if (r->prefix[0] == 1 && !r->may_be_packed)
		return err_plain(err, ERR_INTERNAL,
				"grpc: compressed flag set with identity or empty encoding");
	if (r->prefix[0] > 1)
		return err_plain(err, ERR_INTERNAL,
				"grpc: received unexpected payload format %d", r->prefix[0]);
	if (body_size(r) > r->limit)
		return err_plain(err, ERR_EXHAUSTED,
				"grpc: received message larger than max (%zu vs. %zu)",
				body_size(r), r->limit);
	return 0;
}

static struct rpc_msg *new_body(struct grpc_reader *r, size_t want)
{
	size_t room = FIRST_ROOM;

	r->is_large = body_size(r) > FIRST_ROOM;
	if (r->is_large && r->spare != NULL && r->spare->room >= body_size(r))
		return take_ptr(r->spare);
	while (room < want)
		room *= GROWTH;
	return rpc_msg_new(NULL, min_size(room, body_size(r)));
}

static void grow_body(struct grpc_reader *r, size_t want)
{
	struct rpc_msg *bigger;

	if (r->body != NULL && r->body->room >= want)
		return;
	bigger = new_body(r, want);
	if (r->body != NULL)
		memcpy(rpc_msg_payload(bigger), rpc_msg_payload(r->body), r->body_have);
	rpc_msg_free(r->body);
	r->body = bigger;
}

int grpc_read(struct grpc_reader *r, const unsigned char **data, size_t *size,
		struct rpc_msg **ret_m, struct err *err)
{
	size_t n = min_size(*size, GRPC_PREFIX - r->prefix_have);

	memcpy(r->prefix + r->prefix_have, *data, n);
	r->prefix_have += n;
	*data += n;
	*size -= n;
	if (r->prefix_have < GRPC_PREFIX)
		return 0;
	if (check_prefix(r, err) < 0)
		return -1;
	n = min_size(*size, body_size(r) - r->body_have);
	grow_body(r, r->body_have + n);
	memcpy(rpc_msg_payload(r->body) + r->body_have, *data, n);
	r->body_have += n;
	*data += n;
	*size -= n;
	if (r->body_have < body_size(r))
		return 0;
	r->body->size = r->body_have;
	*ret_m = take_ptr(r->body);
	(*ret_m)->packed = r->prefix[0] == 1;
	r->prefix_have = r->body_have = 0;
	return 1;
}

bool grpc_reader_is_inside(const struct grpc_reader *r)
{
	return r->prefix_have > 0;
}

void grpc_reader_done(struct grpc_reader *r)
{
	rpc_msg_free(r->body);
	rpc_msg_free(r->spare);
	*r = (struct grpc_reader){ .limit = r->limit, .may_be_packed = r->may_be_packed };
}

void grpc_prefix(struct rpc_msg *m)
{
	unsigned char prefix[GRPC_PREFIX] = { m->packed, (unsigned char)(m->size >> 24),
		(unsigned char)(m->size >> 16), (unsigned char)(m->size >> 8),
		(unsigned char)m->size };

	rpc_msg_prepend(m, prefix, sizeof(prefix));
}
