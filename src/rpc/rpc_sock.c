/* SPDX-License-Identifier: Apache-2.0 */
#include "rpc/rpc_sock_priv.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "base/auto.h"
#include "base/buf.h"
#include "base/mem.h"
#include "loop/loop.h"
#include "rpc/rpc_msg_priv.h"

#define BLOCK ((size_t)64 * 1024)
/* Blocks per turn of the loop and direction, so that one fast peer does not starve the rest. */
#define MAX_BLOCKS 16

struct rpc_sock {
	struct loop *loop;
	struct loop_watch *watch;
	const struct rpc_sock_ops *ops;
	void *proto;
	int fd;
	struct rpc_msg *rest; /* what the socket did not take */
	size_t rest_at;
	int busy;     /* callbacks of ours on the stack */
	bool ending;  /* close when what is left has been sent */
	bool dead;    /* close now */
	bool closed;  /* only the task keeps the memory */
	bool kicked;  /* task is posted */
	bool paused;  /* reads only what is missing of a frame */
	bool sealed;  /* neither reads nor sends */
	bool hung_up; /* while it was sealed */
	struct loop_task task;
};

static void release(struct rpc_sock *s)
{
	if (s->kicked)
		return;
	rpc_msg_free(s->rest);
	free(s);
}

static void close_now(struct rpc_sock *s)
{
	s->closed = true;
	loop_watch_free(take_ptr(s->watch));
	close_fd(&s->fd);
	s->ops->closed(s->proto);
	release(s);
}

/* Every way into this file is between enter() and leave(): the socket is only freed outside. */
static void enter(struct rpc_sock *s)
{
	s->busy++;
}

static void leave(struct rpc_sock *s)
{
	if (--s->busy == 0 && s->dead && !s->closed)
		close_now(s);
}

/* Bytes the socket took; -1 when it is broken. */
static ssize_t send_some(struct rpc_sock *s, const unsigned char *data, size_t size)
{
	size_t sent = 0;

	while (sent < size) {
		ssize_t n = send(s->fd, data + sent, size - sent, MSG_NOSIGNAL | MSG_DONTWAIT);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && (errno == EAGAIN || errno == ENOBUFS))
			break;
		if (n < 0)
			return -1;
		sent += (size_t)n;
	}
	return (ssize_t)sent;
}

static bool send_rest(struct rpc_sock *s)
{
	ssize_t n;

	if (s->rest == NULL)
		return true;
	n = send_some(s, rpc_msg_payload(s->rest) + s->rest_at, s->rest->size - s->rest_at);
	if (n < 0) {
		s->dead = true;
		return false;
	}
	s->rest_at += (size_t)n;
	if (s->rest_at < s->rest->size)
		return false;
	rpc_msg_free(take_ptr(s->rest));
	return true;
}

/* False when the socket is full or broken. */
static bool send_block(struct rpc_sock *s, const unsigned char *data, size_t size)
{
	ssize_t n = send_some(s, data, size);

	if (n < 0) {
		s->dead = true;
		return false;
	}
	if ((size_t)n == size)
		return true;
	s->rest = rpc_msg_new(data + n, size - (size_t)n);
	s->rest_at = 0;
	return false;
}

/* True if there may be more to send when the socket is writable. */
static bool flush_some(struct rpc_sock *s, unsigned char *block)
{
	for (int i = 0; i < MAX_BLOCKS; i++) {
		size_t n;

		if (!send_rest(s))
			return true;
		n = s->ops->output(s->proto, block, BLOCK);
		if (n == 0)
			return false;
		if (!send_block(s, block, n))
			return true;
	}
	return true;
}

/* Bytes that may be read at once. */
static size_t may_read(const struct rpc_sock *s)
{
	size_t missing;

	if (!s->paused)
		return BLOCK;
	missing = s->ops->missing(s->proto);
	return missing < BLOCK ? missing : BLOCK;
}

static void flush(struct rpc_sock *s, unsigned char *block)
{
	bool more;
	int events = LOOP_HANGUP;

	if (s->dead || s->sealed)
		return;
	more = flush_some(s, block);
	if (s->dead)
		return;
	if (!more && (s->ending || s->ops->finished(s->proto))) {
		s->dead = true;
		return;
	}
	if (!s->ending && s->ops->wants_input(s->proto) && may_read(s) > 0)
		events |= LOOP_READ;
	if (more)
		events |= LOOP_WRITE;
	loop_watch_set(s->watch, events);
}

static void read_some(struct rpc_sock *s, unsigned char *block)
{
	for (int i = 0; i < MAX_BLOCKS && !s->dead && !s->ending; i++) {
		size_t room = may_read(s);
		ssize_t n;

		if (room == 0 || (i > 0 && !s->ops->wants_input(s->proto)))
			return;
		n = recv(s->fd, block, room, MSG_DONTWAIT);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN)
			return;
		if (n <= 0) {
			s->dead = true;
			return;
		}
		if (!s->ops->input(s->proto, block, (size_t)n))
			s->ending = true;
		/* answers go out before more is read: a peer that only talks must also listen
		 */
		flush(s, block);
		if ((size_t)n < room)
			return;
	}
}

static void on_ready(void *arg, int events)
{
	struct rpc_sock *s = arg;
	/* for both directions, one after the other; too large for the stack of a thread */
	AUTO_FREE unsigned char *block = NULL;

	if (s->sealed) {
		s->hung_up = s->hung_up || (events & LOOP_HANGUP) != 0;
		return;
	}
	block = xmalloc(BLOCK);
	enter(s);
	if (events & LOOP_READ)
		read_some(s, block);
	else if (events & LOOP_HANGUP)
		s->dead = true;
	if (events & LOOP_WRITE)
		flush(s, block);
	leave(s);
}

static void on_kick(struct loop_task *task)
{
	struct rpc_sock *s = container_of(task, struct rpc_sock, task);
	AUTO_FREE unsigned char *block = NULL;

	s->kicked = false;
	if (s->closed) {
		release(s);
		return;
	}
	block = xmalloc(BLOCK);
	enter(s);
	flush(s, block);
	leave(s);
}

struct rpc_sock *rpc_sock_new(
		struct loop *loop, int own_fd, const struct rpc_sock_ops *ops, void *proto)
{
	struct rpc_sock *s = xzalloc(sizeof(*s));
	int one = 1;

	/* whole blocks go out at once; on unix sockets this fails, and is not needed */
	(void)setsockopt(own_fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	s->loop = loop;
	s->fd = own_fd;
	s->ops = ops;
	s->proto = proto;
	s->task.run = on_kick;
	s->watch = loop_watch_new(loop, own_fd, LOOP_READ | LOOP_HANGUP, on_ready, s);
	if (s->watch == NULL) {
		/* the kernel had no room for one more: over before it began */
		s->dead = true;
		rpc_sock_kick(s);
	}
	return s;
}

void rpc_sock_kick(struct rpc_sock *s)
{
	/* inside a callback of this socket a flush follows anyway */
	if (s == NULL || s->kicked || s->closed || s->busy > 0)
		return;
	s->kicked = true;
	loop_post(s->loop, &s->task);
}

void rpc_sock_close(struct rpc_sock *s)
{
	if (s == NULL || s->closed)
		return;
	enter(s);
	s->dead = true;
	leave(s);
}

/* --- handing over --- */

void rpc_sock_pause(struct rpc_sock *s, bool on)
{
	if (s == NULL || s->paused == on)
		return;
	s->paused = on;
	rpc_sock_kick(s);
}

/* All that the protocol has to say now, behind what the socket did not take. */
static void collect(struct rpc_sock *s)
{
	AUTO_FREE unsigned char *block = xmalloc(BLOCK);
	AUTO_BUF struct buf all = { .limit = SIZE_MAX };
	size_t n;

	if (s->rest != NULL)
		buf_add(&all, rpc_msg_payload(s->rest) + s->rest_at,
				s->rest->size - s->rest_at);
	while ((n = s->ops->output(s->proto, block, BLOCK)) > 0)
		buf_add(&all, block, n);
	rpc_msg_free(take_ptr(s->rest));
	s->rest_at = 0;
	if (all.size > 0)
		s->rest = rpc_msg_new(all.data, all.size);
}

void rpc_sock_seal(struct rpc_sock *s, bool on)
{
	if (s == NULL || s->closed || s->sealed == on)
		return;
	s->sealed = on;
	if (on) {
		collect(s);
		loop_watch_set(s->watch, 0);
		return;
	}
	s->dead = s->dead || s->hung_up;
	loop_watch_set(s->watch, LOOP_HANGUP);
	rpc_sock_kick(s);
}

const void *rpc_sock_unsent(const struct rpc_sock *s, size_t *ret_size)
{
	*ret_size = s->rest == NULL ? 0 : s->rest->size - s->rest_at;
	return s->rest == NULL ? "" : (const char *)rpc_msg_payload(s->rest) + s->rest_at;
}

int rpc_sock_dup(const struct rpc_sock *s)
{
	return fcntl(s->fd, F_DUPFD_CLOEXEC, 3);
}

struct rpc_sock *rpc_sock_adopt(struct loop *loop, int own_fd, const struct rpc_sock_ops *ops,
		void *proto, const void *unsent, size_t size)
{
	struct rpc_sock *s = rpc_sock_new(loop, own_fd, ops, proto);

	s->sealed = true;
	s->paused = true;
	loop_watch_set(s->watch, 0);
	if (size > 0)
		s->rest = rpc_msg_new(unsent, size);
	return s;
}
