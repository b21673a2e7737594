/* SPDX-License-Identifier: Apache-2.0 */
#include "shim/shim_console.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "loop/loop.h"
#include "os/pipe.h"
#include "os/tty.h"
#include "shim/shim_copy.h"

#define CHUNK		4096 /* what the kernel's terminal hands out at once */
#define CHUNKS_PER_TURN 64
#define FETCH		8

struct console_hub {
	struct loop *loop;
	int set; /* -1 without consoles */
	struct loop_watch *watch;
	size_t consoles;
};

/* One direction, with what the target did not take yet. */
struct flow {
	int fd; /* the fifo's end; -1: none */
	struct loop_watch *watch;
	char *rest; /* owned, CHUNK bytes; NULL when empty */
	size_t rest_at, rest_end;
};

struct console {
	struct console_hub *hub;
	int master; /* -1 after its end */
	bool is_shut;
	struct flow in, out;
	struct loop_timer *again; /* more to do, but others first */
	void (*done)(void *arg);
	void *arg;
};

enum flow_state {
	FLOW_IDLE,    /* nothing to read */
	FLOW_BLOCKED, /* the target is full */
	FLOW_BUSY,    /* stopped for fairness */
	FLOW_ENDED,
};

struct console_hub *console_hub_new(struct loop *l)
{
	struct console_hub *h = xzalloc(sizeof(*h));

	h->loop = l;
	h->set = -1;
	return h;
}

static void hub_close(struct console_hub *h)
{
	loop_watch_free(h->watch);
	h->watch = NULL;
	close_fd(&h->set);
}

void console_hub_free(struct console_hub *h)
{
	if (h == NULL)
		return;
	hub_close(h);
	free(h);
}

static void run(struct console *c);

/* One at a time: serving one console may end another, and its entry must not be met afterwards.
 */
static void on_edges(void *arg, int events)
{
	struct console_hub *h = arg;
	void *got;

	for (int i = 0; i < FETCH && h->set >= 0 && edge_set_fetch(h->set, &got, 1) == 1; i++)
		run(got);
}

static int hub_add(struct console_hub *h, struct console *c)
{
	int rc;

	if (h->set < 0) {
		h->set = edge_set_new();
		if (h->set < 0)
			return h->set;
		h->watch = loop_watch_new(h->loop, h->set, LOOP_READ, on_edges, h);
		if (h->watch == NULL) {
			rc = -errno;
			hub_close(h);
			return rc;
		}
	}
	rc = edge_set_add(h->set, c->master, c);
	if (rc == 0)
		h->consoles++;
	else if (h->consoles == 0)
		hub_close(h);
	return rc;
}

static void drop_master(struct console *c)
{
	struct console_hub *h = c->hub;

	if (c->master < 0)
		return;
	edge_set_remove(h->set, c->master);
	close_fd(&c->master);
	if (--h->consoles == 0)
		hub_close(h);
}

static void flow_close(struct flow *f)
{
	loop_watch_free(f->watch);
	f->watch = NULL;
	close_fd(&f->fd);
	free(f->rest);
	f->rest = NULL;
	f->rest_at = f->rest_end = 0;
}

static bool would_block(int errnum)
{
	return errnum == EAGAIN || errnum == EINTR;
}

/* Writes what is left over. The terminal gives EIO while nobody has its other side open. */
static enum flow_state flush(struct flow *f, int to, bool to_terminal)
{
	while (f->rest_at < f->rest_end) {
		ssize_t n = to < 0 ? (ssize_t)(f->rest_end - f->rest_at)
				   : write(to, f->rest + f->rest_at, f->rest_end - f->rest_at);

		if (n < 0 && (would_block(errno) || (to_terminal && errno == EIO)))
			return FLOW_BLOCKED;
		if (n < 0)
			return FLOW_ENDED;
		f->rest_at += (size_t)n;
	}
	free(f->rest);
	f->rest = NULL;
	f->rest_at = f->rest_end = 0;
	return FLOW_IDLE;
}

static void keep(struct flow *f, const char *data, size_t size)
{
	f->rest = xmalloc(CHUNK);
	memcpy(f->rest, data, size);
	f->rest_at = 0;
	f->rest_end = size;
}

/* Passes one chunk on; what does not fit is kept. */
static enum flow_state pass_on(
		struct flow *f, int to, bool to_terminal, const char *data, size_t size)
{
	ssize_t n = to < 0 ? (ssize_t)size : write(to, data, size);

	if (n < 0 && !would_block(errno) && !(to_terminal && errno == EIO))
		return FLOW_ENDED;
	if (n < 0)
		n = 0;
	if ((size_t)n == size)
		return FLOW_BUSY;
	keep(f, data + n, size - (size_t)n);
	return FLOW_BLOCKED;
}

static enum flow_state run_output(struct console *c)
{
	enum flow_state state = flush(&c->out, c->out.fd, false);
	char chunk[CHUNK];

	if (state != FLOW_IDLE)
		return state;
	for (int i = 0; i < CHUNKS_PER_TURN; i++) {
		ssize_t n = read(c->master, chunk, sizeof(chunk));

		if (n > 0) {
			state = pass_on(&c->out, c->out.fd, false, chunk, (size_t)n);
			if (state != FLOW_BUSY)
				return state;
		} else if (n < 0 && errno == EINTR) {
			continue;
		} else if (n < 0 && errno != EAGAIN && errno != EIO) {
			return FLOW_ENDED;
		} else {
			/* EIO: nobody has the other side open, now. */
			return c->is_shut ? FLOW_ENDED : FLOW_IDLE;
		}
	}
	return FLOW_BUSY;
}

static enum flow_state run_input(struct console *c)
{
	enum flow_state state = flush(&c->in, c->master, true);
	char chunk[CHUNK];

	if (state != FLOW_IDLE)
		return state;
	for (int i = 0; i < CHUNKS_PER_TURN; i++) {
		ssize_t n = read(c->in.fd, chunk, sizeof(chunk));

		if (n < 0 && would_block(errno))
			return FLOW_IDLE;
		if (n <= 0)
			return FLOW_ENDED;
		state = pass_on(&c->in, c->master, true, chunk, (size_t)n);
		if (state != FLOW_BUSY)
			return state;
	}
	return FLOW_BUSY;
}

static void end(struct console *c)
{
	drop_master(c);
	flow_close(&c->in);
	flow_close(&c->out);
	loop_timer_free(c->again);
	c->again = NULL;
	c->done(c->arg);
}

static void on_fifo(void *arg, int events)
{
	run(arg);
}

static void on_again(void *arg)
{
	run(arg);
}

/* Serves both directions as far as they go, then waits for what each of them needs. */
static void run(struct console *c)
{
	enum flow_state out, in = FLOW_IDLE;

	if (c->master < 0)
		return;
	out = run_output(c);
	/* The end of the input ends the whole terminal: there is no half-close. */
	if (c->in.fd >= 0 && !c->is_shut)
		in = run_input(c);
	if (out == FLOW_ENDED || in == FLOW_ENDED) {
		end(c);
		return;
	}
	if (c->out.watch != NULL)
		loop_watch_set(c->out.watch, out == FLOW_BLOCKED ? LOOP_WRITE : 0);
	if (c->in.watch != NULL)
		loop_watch_set(c->in.watch, in == FLOW_IDLE && !c->is_shut ? LOOP_READ : 0);
	if (out == FLOW_BUSY || in == FLOW_BUSY)
		loop_timer_set(c->again, 0);
}

static int watch_fifo(struct console *c, struct flow *f, int events)
{
	if (f->fd < 0)
		return 0;
	f->watch = loop_watch_new(c->hub->loop, f->fd, events, on_fifo, c);
	return f->watch == NULL ? -errno : 0;
}

int console_start(struct console_hub *h, int own_master, int own_from_fifo, int own_to_pipe,
		void (*done)(void *arg), void *arg, struct console **ret_console)
{
	struct console *c = xzalloc(sizeof(*c));
	int rc;

	*c = (struct console){ .hub = h, .master = own_master, .done = done, .arg = arg };
	c->in.fd = own_from_fifo;
	c->out.fd = own_to_pipe;
	c->again = loop_timer_new(h->loop, on_again, c);
	rc = fd_set_nonblocking(c->master, true);
	if (rc == 0)
		rc = watch_fifo(c, &c->in, LOOP_READ);
	if (rc == 0)
		rc = watch_fifo(c, &c->out, 0);
	if (rc == 0)
		rc = hub_add(h, c);
	if (rc < 0) {
		close_fd(&c->master); /* not in the set */
		console_free(c);
		return rc;
	}
	*ret_console = c;
	return 0;
}

void console_free(struct console *c)
{
	if (c == NULL)
		return;
	drop_master(c);
	flow_close(&c->in);
	flow_close(&c->out);
	loop_timer_free(c->again);
	free(c);
}

int console_resize(struct console *c, uint16_t columns, uint16_t rows)
{
	return c->master < 0 ? 0 : tty_resize(c->master, columns, rows);
}

void console_shutdown(struct console *c)
{
	if (c->master < 0)
		return;
	c->is_shut = true;
	loop_timer_set(c->again, 0);
}
