/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

#include "archive/unpack_priv.h"
#include "base/ctx.h"

/* More at once would let the others wait, less would wake them too often. */
#define CHUNK 262144

/* Room in the tar ring; 0 when all is to stop. */
static size_t wait_for_room(struct unpack *u)
{
	size_t room = 0;

	LOCKED(&u->lock);
	while (!u->is_stopped) {
		room = u->is_draining ? CHUNK : TAR_RING - (size_t)(u->head - u->released);
		if (room > 0)
			break;
		cond_wait(&u->moved, &u->lock);
	}
	return u->is_stopped ? 0 : room < CHUNK ? room : CHUNK;
}

static void publish(struct unpack *u, size_t size, bool is_last)
{
	uint64_t head;

	mutex_lock(&u->lock);
	u->head += size;
	u->head_is_last = is_last;
	head = u->head;
	cond_broadcast(&u->moved);
	mutex_unlock(&u->lock);
	layer_helper_tell(&u->parser, head, is_last);
}

/* Whatever the inflater says, it cannot have more in the ring than fits. */
static int take_position(struct unpack *u, const struct layer_record *r, struct err *err)
{
	if (r->type == LAYER_FAILED)
		return layer_helper_failure(r, err);
	if ((r->type != LAYER_POSITION && r->type != LAYER_END) || r->offset < u->produced ||
			r->offset - u->taken > UNPACK_RING)
		return err_set(err, ERR_INTERNAL, "layer helper (unpack): senseless record");
	u->produced = r->offset;
	u->produced_all = r->type == LAYER_END;
	return 0;
}

/* Bytes that the inflater has ready; 0 at the end. */
static ssize_t wait_for_unpacked(struct unpack *u, struct err *err)
{
	struct layer_record r;

	while (u->produced == u->taken && !u->produced_all)
		if (unpack_hear(u, &u->inflater, &r, NULL, NULL, err) < 0 ||
				take_position(u, &r, err) < 0)
			return -1;
	return (ssize_t)(u->produced - u->taken);
}

static ssize_t take_unpacked(struct unpack *u, unsigned char *to, size_t room, struct err *err)
{
	ssize_t n = wait_for_unpacked(u, err);

	if (n <= 0)
		return n;
	if ((size_t)n > room)
		n = (ssize_t)room;
	memcpy(to, memring_at(&u->inflater.ring, u->taken), (size_t)n);
	u->taken += (uint64_t)n;
	layer_helper_tell(&u->inflater, u->taken, false);
	return n;
}

static ssize_t read_file(struct unpack *u, unsigned char *to, size_t room, struct err *err)
{
	ssize_t n;

	do
		n = pread(u->source->fd, to, room, (off_t)u->taken);
	while (n < 0 && errno == EINTR);
	if (n < 0 && errno == ESPIPE) {
		if (unpack_poll(u, u->source->fd, POLLIN, err) < 0)
			return -1;
		n = read(u->source->fd, to, room);
	}
	if (n < 0)
		return err_sys(err, errno, "read layer");
	return n;
}

static ssize_t take_plain(struct unpack *u, unsigned char *to, size_t room, struct err *err)
{
	ssize_t n;

	if (ctx_done(u->ctx, err))
		return -1;
	n = read_file(u, to, room, err);
	if (n > 0)
		u->taken += (uint64_t)n;
	return n;
}

static int check_ratio(struct unpack *u, struct err *err)
{
	if (u->taken <= u->max_bytes)
		return 0;
	return err_set(err, ERR_EXHAUSTED,
			"layer of %lld bytes unpacks to more than %llu bytes",
			(long long)u->source->size, (unsigned long long)u->max_bytes);
}

int unpack_intake(struct unpack *u, struct err *err)
{
	size_t room;

	while ((room = wait_for_room(u)) > 0) {
		unsigned char *to = memring_at(&u->parser.ring, u->taken);
		ssize_t n = u->has_inflater ? take_unpacked(u, to, room, err)
					    : take_plain(u, to, room, err);

		if (n < 0)
			return -1;
		publish(u, (size_t)n, n == 0);
		if (n == 0)
			return 0;
		if (check_ratio(u, err) < 0)
			return -1;
		digester_add(u->digester, to, (size_t)n);
	}
	return err_set(err, ERR_ABORTED, "stopped");
}
