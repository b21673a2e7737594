/* SPDX-License-Identifier: Apache-2.0 */
#include "nri/nri_mux.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/buf.h"
#include "base/mem.h"
#include "base/thread.h"
#include "loop/loop.h"
#include "nri/nri_frame.h"

#define ROUND	    16384 /* bytes read of the socket at a time */
#define CONNECTIONS 2

struct lane {
	struct nri_mux *mux;
	uint32_t conn;
	int fd; /* the mux's end */
	struct loop_watch *watch;
	struct buf in; /* came, not yet taken on our side */
};

struct nri_mux {
	struct loop *loop;
	int fd;
	struct loop_watch *watch;
	struct nri_reader reader;
	struct buf out; /* one piece at most, on its way to the peer */
	struct lane lanes[CONNECTIONS];
	bool is_over;
	void (*ended)(void *arg);
	void *arg;
};

static void end(struct nri_mux *m)
{
	if (m->is_over)
		return;
	m->is_over = true;
	loop_watch_set(m->watch, 0);
	for (size_t i = 0; i < CONNECTIONS; i++)
		loop_watch_set(m->lanes[i].watch, 0);
	m->ended(m->arg); /* may free */
}

static bool is_full(const struct nri_mux *m)
{
	for (size_t i = 0; i < CONNECTIONS; i++)
		if (m->lanes[i].in.size > 0)
			return true;
	return false;
}

/* Whoever has bytes to get rid of is not read from. */
static void watch(struct nri_mux *m)
{
	for (size_t i = 0; i < CONNECTIONS; i++) {
		struct lane *l = &m->lanes[i];
		int events = m->out.size == 0 ? LOOP_READ : 0;

		loop_watch_set(l->watch, events | (l->in.size > 0 ? LOOP_WRITE : 0));
	}
	loop_watch_set(m->watch,
			(is_full(m) ? 0 : LOOP_READ) | (m->out.size > 0 ? LOOP_WRITE : 0));
}

/* False when nobody will take it any more. */
static bool flush(int fd, struct buf *b)
{
	while (b->size > 0) {
		ssize_t n = send(fd, b->data, b->size, MSG_NOSIGNAL | MSG_DONTWAIT);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return errno == EAGAIN;
		buf_drop(b, (size_t)n);
	}
	return true;
}

/* > 0, 0 for none now, -1 when there will be none. */
static ssize_t receive(int fd, void *room, size_t size)
{
	ssize_t n;

	do
		n = recv(fd, room, size, MSG_DONTWAIT);
	while (n < 0 && errno == EINTR);
	if (n > 0)
		return n;
	return n < 0 && errno == EAGAIN ? 0 : -1;
}

static void take_piece(void *arg, uint32_t conn, const void *data, size_t size)
{
	struct nri_mux *m = arg;

	for (size_t i = 0; i < CONNECTIONS; i++)
		if (m->lanes[i].conn == conn)
			buf_add(&m->lanes[i].in, data, size);
}

/* What was read in one round is the most that a lane ever holds. */
static bool hear_peer(struct nri_mux *m)
{
	char room[ROUND];
	ssize_t n;

	if (is_full(m))
		return true; /* a hang-up is told even to who does not listen */
	n = receive(m->fd, room, sizeof(room));
	if (n <= 0)
		return n == 0;
	if (!nri_read(&m->reader, room, (size_t)n, take_piece, m))
		return false;
	for (size_t i = 0; i < CONNECTIONS; i++)
		if (!flush(m->lanes[i].fd, &m->lanes[i].in))
			return false;
	return true;
}

static void on_trunk(void *arg, int events)
{
	struct nri_mux *m = arg;

	/* What the peer sent before it left is still to be heard. */
	if ((events & LOOP_WRITE && !flush(m->fd, &m->out)) ||
			(events & (LOOP_READ | LOOP_HANGUP) && !hear_peer(m))) {
		end(m);
		return;
	}
	watch(m);
}

static bool hear_lane(struct lane *l)
{
	struct nri_mux *m = l->mux;
	unsigned char room[NRI_FRAME_HEADER + NRI_FRAME_OURS];
	ssize_t n;

	if (m->out.size > 0)
		return true;
	n = receive(l->fd, room + NRI_FRAME_HEADER, NRI_FRAME_OURS);
	if (n <= 0)
		return n == 0;
	nri_frame_header(room, l->conn, (uint32_t)n);
	buf_add(&m->out, room, NRI_FRAME_HEADER + (size_t)n);
	return flush(m->fd, &m->out);
}

static void on_lane(void *arg, int events)
{
	struct lane *l = arg;
	struct nri_mux *m = l->mux;

	if ((events & LOOP_WRITE && !flush(l->fd, &l->in)) ||
			(events & (LOOP_READ | LOOP_HANGUP) && !hear_lane(l))) {
		end(m);
		return;
	}
	watch(m);
}

static int open_lane(struct nri_mux *m, struct lane *l, uint32_t conn, int *ret_fd)
{
	int fds[2];

	l->mux = m;
	l->conn = conn;
	l->in.limit = ROUND;
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds) < 0)
		return -errno;
	l->fd = fds[0];
	*ret_fd = fds[1];
	l->watch = loop_watch_new(m->loop, l->fd, LOOP_READ, on_lane, l);
	return l->watch == NULL ? -errno : 0;
}

static int open_all(struct nri_mux *m, int *ret_plugin, int *ret_runtime)
{
	int rc = open_lane(m, &m->lanes[0], NRI_CONN_PLUGIN, ret_plugin);

	if (rc == 0)
		rc = open_lane(m, &m->lanes[1], NRI_CONN_RUNTIME, ret_runtime);
	if (rc < 0)
		return rc;
	m->watch = loop_watch_new(m->loop, m->fd, LOOP_READ, on_trunk, m);
	return m->watch == NULL ? -errno : 0;
}

int nri_mux_new(struct loop *loop, int own_fd, void (*ended)(void *arg), void *arg,
		struct nri_mux **ret_mux, int *ret_plugin, int *ret_runtime)
{
	struct nri_mux *m = xzalloc(sizeof(*m));
	AUTO_CLOSE int plugin = -1;
	AUTO_CLOSE int runtime = -1;
	int rc;

	m->loop = loop;
	m->fd = own_fd;
	m->lanes[0].fd = m->lanes[1].fd = -1;
	m->out.limit = NRI_FRAME_HEADER + NRI_FRAME_OURS;
	m->ended = ended;
	m->arg = arg;
	rc = open_all(m, &plugin, &runtime);
	if (rc < 0) {
		m->fd = -1;
		nri_mux_free(m);
		return rc;
	}
	*ret_mux = m;
	*ret_plugin = take_fd(&plugin);
	*ret_runtime = take_fd(&runtime);
	return 0;
}

void nri_mux_free(struct nri_mux *m)
{
	if (m == NULL)
		return;
	loop_watch_free(m->watch);
	close_fd(&m->fd);
	buf_done(&m->out);
	for (size_t i = 0; i < CONNECTIONS; i++) {
		loop_watch_free(m->lanes[i].watch);
		close_fd(&m->lanes[i].fd);
		buf_done(&m->lanes[i].in);
	}
	free(m);
}
