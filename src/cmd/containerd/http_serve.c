/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/containerd/http_serve.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/buf.h"
#include "base/list.h"
#include "base/mem.h"
#include "base/mutex.h"
#include "base/pool.h"
#include "base/thread.h"
#include "loop/loop.h"
#include "metrics/http_request.h"

#define MAX_CONNECTIONS 16
#define MAX_BODY	(64 * 1024 * 1024)
#define LINGER_MS	2000
#define IDLE_MS		30000 /* for the request to come, and for the answer to be taken */

struct http_server {
	struct loop *loop;
	struct pool *pool;
	http_page page;
	void *arg;
	int listener;
	struct loop_watch *watch;
	struct list conns;
	size_t count;
	bool is_closing, is_paused;
	struct loop_task close;

	struct mutex lock;
	struct cond changed;
	bool is_done;
	bool is_switched; /* the loop knows is_paused */
	struct loop_task pause;
};

/* Everything but the page is the loop's. */
struct conn {
	struct list node;
	struct http_server *server;
	int fd;
	struct loop_watch *watch; /* NULL while a page is made */
	struct loop_timer *timer;
	struct buf in, out;
	struct http_request request;
	size_t sent;
	bool is_lingering;

	struct job job;
	struct loop_task made;
	struct buf body;
	const char *type;
};

static void watch_listener(struct http_server *s)
{
	loop_watch_set(s->watch, s->count < MAX_CONNECTIONS && !s->is_paused ? LOOP_READ : 0);
}

static void tell_done(struct http_server *s)
{
	LOCKED(&s->lock);
	s->is_done = true;
	cond_broadcast(&s->changed);
}

static void conn_free(struct conn *c)
{
	struct http_server *s = c->server;

	list_remove(&c->node);
	loop_watch_free(c->watch);
	loop_timer_free(c->timer);
	close_fd(&c->fd);
	buf_done(&c->in);
	buf_done(&c->out);
	buf_done(&c->body);
	free(c);
	s->count--;
	if (!s->is_closing)
		watch_listener(s);
	else if (s->count == 0)
		tell_done(s);
}

/* --- the answer --- */

static void add_head(struct conn *c, int status, const char *type, size_t size)
{
	buf_addf(&c->out,
			"HTTP/1.1 %d %s\r\nContent-Type: %s\r\nContent-Length: %zu\r\n"
			"Connection: close\r\n\r\n",
			status, http_reason(status), type, size);
}

/* Closing a socket with unread bytes resets it, and the peer may lose the answer: wait for its
 * end, but not for long. */
static void linger(struct conn *c)
{
	c->is_lingering = true;
	(void)shutdown(c->fd, SHUT_WR);
	loop_watch_set(c->watch, LOOP_READ);
	loop_timer_set(c->timer, LINGER_MS);
}

static void send_more(struct conn *c)
{
	ssize_t n = send(c->fd, c->out.data + c->sent, c->out.size - c->sent,
			MSG_NOSIGNAL | MSG_DONTWAIT);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n > 0)
		c->sent += (size_t)n;
	if (n < 0)
		conn_free(c);
	else if (c->sent == c->out.size)
		linger(c);
}

static void drain(struct conn *c)
{
	char bytes[2048];
	ssize_t n = recv(c->fd, bytes, sizeof(bytes), MSG_DONTWAIT);

	if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR))
		conn_free(c);
}

static void on_conn(void *arg, int events);

static void answer(struct conn *c, int status, const char *type, const struct buf *body)
{
	add_head(c, status, type, body->size);
	if (!c->request.is_head)
		buf_add(&c->out, body->data, body->size);
	c->watch = loop_watch_new(c->server->loop, c->fd, LOOP_WRITE, on_conn, c);
	if (c->watch == NULL || c->out.overflowed) {
		conn_free(c);
		return;
	}
	loop_timer_set(c->timer, IDLE_MS);
}

static void refuse(struct conn *c, int status)
{
	struct buf text = { .limit = 256 };

	loop_watch_free(take_ptr(c->watch));
	buf_addf(&text, "%d %s\n", status, http_reason(status));
	answer(c, status, "text/plain; charset=utf-8", &text);
	buf_done(&text);
}

static void make_page(struct job *job)
{
	struct conn *c = container_of(job, struct conn, job);

	c->type = c->server->page(c->server->arg, c->request.path, &c->body);
	loop_post(c->server->loop, &c->made);
}

static void page_made(struct loop_task *task)
{
	struct conn *c = container_of(task, struct conn, made);

	if (c->server->is_closing)
		conn_free(c);
	else if (c->type == NULL)
		refuse(c, 404);
	else if (c->body.overflowed)
		refuse(c, 503);
	else
		answer(c, 200, c->type, &c->body);
}

/* --- the request --- */

static void dispatch(struct conn *c)
{
	if (!pool_submit(c->server->pool, &c->job)) {
		refuse(c, 503);
		return;
	}
	loop_watch_free(take_ptr(c->watch));
	loop_timer_set(c->timer, -1);
}

static void read_more(struct conn *c)
{
	char bytes[2048];
	ssize_t n = recv(c->fd, bytes, sizeof(bytes), MSG_DONTWAIT);
	int status;

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		conn_free(c);
		return;
	}
	buf_add(&c->in, bytes, (size_t)n);
	status = http_request_parse(c->in.data, c->in.size, &c->request);
	if (status == 200)
		dispatch(c);
	else if (status != 0)
		refuse(c, status);
}

static void on_conn(void *arg, int events)
{
	struct conn *c = arg;

	if (c->is_lingering)
		drain(c);
	else if (c->out.size > 0)
		send_more(c);
	else
		read_more(c);
}

static void on_idle(void *arg)
{
	conn_free(arg);
}

static void on_listener(void *arg, int events)
{
	struct http_server *s = arg;
	int fd = accept4(s->listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	struct conn *c;

	if (fd < 0)
		return;
	c = xzalloc(sizeof(*c));
	c->server = s;
	c->fd = fd;
	c->in.limit = HTTP_MAX_HEAD + 2048;
	c->body.limit = MAX_BODY;
	c->out.limit = MAX_BODY + 1024;
	c->job.run = make_page;
	c->made.run = page_made;
	c->timer = loop_timer_new(s->loop, on_idle, c);
	loop_timer_set(c->timer, IDLE_MS);
	list_append(&s->conns, &c->node);
	s->count++;
	watch_listener(s);
	c->watch = loop_watch_new(s->loop, fd, LOOP_READ, on_conn, c);
	if (c->watch == NULL)
		conn_free(c);
}

/* --- its life --- */

static void close_server(struct loop_task *task)
{
	struct http_server *s = container_of(task, struct http_server, close);

	s->is_closing = true;
	s->count++; /* ours: "done" may be told only once nothing of this is touched any more */
	loop_watch_free(s->watch);
	close_fd(&s->listener);
	/* Where a page is made, page_made() comes and ends it. */
	list_for_each (it, &s->conns) {
		struct conn *c = list_entry(it, struct conn, node);

		if (c->watch != NULL)
			conn_free(c);
	}
	if (--s->count == 0)
		tell_done(s);
}

static void switch_pause(struct loop_task *task)
{
	struct http_server *s = container_of(task, struct http_server, pause);

	s->is_paused = !s->is_paused;
	watch_listener(s);
	LOCKED(&s->lock);
	s->is_switched = true;
	cond_broadcast(&s->changed);
}

void http_server_pause(struct http_server *s, bool on)
{
	ASSERT_MAY_BLOCK();
	if (s->is_paused == on)
		return;
	mutex_lock(&s->lock);
	s->is_switched = false;
	mutex_unlock(&s->lock);
	loop_post(s->loop, &s->pause);
	mutex_lock(&s->lock);
	while (!s->is_switched)
		cond_wait(&s->changed, &s->lock);
	mutex_unlock(&s->lock);
}

struct http_server *http_server_new(struct loop *loop, struct pool *pool, int own_listener,
		http_page page, void *arg)
{
	struct http_server *s = xzalloc(sizeof(*s));

	s->loop = loop;
	s->pool = pool;
	s->page = page;
	s->arg = arg;
	s->listener = own_listener;
	s->close.run = close_server;
	s->pause.run = switch_pause;
	list_init(&s->conns);
	mutex_init(&s->lock, RANK_metrics);
	cond_init(&s->changed);
	s->watch = loop_watch_new(loop, own_listener, LOOP_READ, on_listener, s);
	assert(s->watch != NULL);
	return s;
}

void http_server_free(struct http_server *s)
{
	if (s == NULL)
		return;
	ASSERT_MAY_BLOCK();
	loop_post(s->loop, &s->close);
	mutex_lock(&s->lock);
	while (!s->is_done)
		cond_wait(&s->changed, &s->lock);
	mutex_unlock(&s->lock);
	cond_done(&s->changed);
	mutex_done(&s->lock);
	free(s);
}
