/* SPDX-License-Identifier: Apache-2.0 */
#include "rpc/grpc/grpc_gzip_priv.h"

#include <stdlib.h>
#include <string.h>

#include <zlib.h>

#include "base/err.h"
#include "rpc/rpc_msg_priv.h"

#define WINDOW_GZIP (15 + 16) /* zlib's way to say so */
#define FIRST_ROOM  ((size_t)16 * 1024)

static void grow(struct rpc_msg **m, size_t used, size_t room)
{
	struct rpc_msg *bigger = rpc_msg_new(NULL, room);

	if (used > 0)
		memcpy(rpc_msg_payload(bigger), rpc_msg_payload(*m), used);
	rpc_msg_free(*m);
	*m = bigger;
}

/* The texts are those of Go's gzip. */
static int fail(int rc, struct err *err)
{
	if (rc == Z_BUF_ERROR)
		return err_plain(err, ERR_INTERNAL,
				"grpc: failed to read decompressed data: unexpected EOF");
	return err_plain(err, ERR_INTERNAL, "grpc: failed to decompress the message: %s",
			rc == Z_MEM_ERROR ? "no memory" : "gzip: invalid data");
}

/* Members may follow each other, as Go's reader has it. */
static int next_part(z_stream *z)
{
	int rc = inflate(z, Z_NO_FLUSH);

	if (rc == Z_STREAM_END && z->avail_in > 0)
		rc = inflateReset(z);
	return rc;
}

static int inflate_all(z_stream *z, size_t limit, struct rpc_msg **ret_m, struct err *err)
{
	AUTO(rpc_msg_free) struct rpc_msg *m = NULL;
	size_t room = 0, used = 0;
	int rc = Z_OK;

	while (rc == Z_OK) {
		if (used == room) {
			/* one more than may be, to find out */
			room = room == 0 ? FIRST_ROOM : room * 4;
			room = room < limit + 1 ? room : limit + 1;
			grow(&m, used, room);
		}
		z->next_out = rpc_msg_payload(m) + used;
		z->avail_out = (uInt)(room - used);
		rc = next_part(z);
		used = room - z->avail_out;
		if (used > limit)
			return err_plain(err, ERR_EXHAUSTED,
					"grpc: received message after decompression larger "
					"than max %zu",
					limit);
	}
	if (rc != Z_STREAM_END)
		return fail(rc, err);
	m->size = used;
	*ret_m = take_ptr(m);
	return 0;
}

static int unpack(struct rpc_msg **m, size_t limit, struct err *err)
{
	z_stream z = { .next_in = rpc_msg_payload(*m), .avail_in = (uInt)(*m)->size };
	struct rpc_msg *plain = NULL;
	int rc = inflateInit2(&z, WINDOW_GZIP);

	if (rc != Z_OK)
		return fail(rc, err);
	rc = inflate_all(&z, limit, &plain, err);
	(void)inflateEnd(&z);
	if (rc < 0)
		return -1;
	rpc_msg_free(*m);
	*m = plain;
	return 0;
}

/* What cannot be packed stays as it is: the flag of each message tells. */
static void pack(struct rpc_msg **m)
{
	z_stream z = { .next_in = rpc_msg_payload(*m), .avail_in = (uInt)(*m)->size };
	struct rpc_msg *packed;
	size_t room;

	if ((*m)->size == 0 || deflateInit2(&z, Z_BEST_SPEED, Z_DEFLATED, WINDOW_GZIP, 8,
					       Z_DEFAULT_STRATEGY) != Z_OK)
		return;
	room = deflateBound(&z, (*m)->size);
	packed = rpc_msg_new(NULL, room);
	z.next_out = rpc_msg_payload(packed);
	z.avail_out = (uInt)room;
	if (deflate(&z, Z_FINISH) == Z_STREAM_END) {
		packed->size = room - z.avail_out;
		packed->packed = true;
		rpc_msg_free(*m);
		*m = take_ptr(packed);
	}
	rpc_msg_free(packed);
	(void)deflateEnd(&z);
}

const struct rpc_codec grpc_gzip = {
	.unpack = unpack,
	.pack = pack,
};
