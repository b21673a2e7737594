/* SPDX-License-Identifier: Apache-2.0 */
#include "rpc/channel.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include <protobuf-c/protobuf-c.h>

#include "api/arena.h"
#include "api/pb.h"
#include "base/auto.h"
#include "base/clock.h"
#include "base/ctx.h"
#include "base/mem.h"
#include "base/str.h"
#include "rpc/channel_priv.h"
#include "rpc/rpc_sock_priv.h"

struct watcher {
	struct list node;
	struct loop_task task;
	void (*closed)(void *arg);
	void *arg;
};

static void hold(struct channel *c)
{
	atomic_fetch_add(&c->refs, 1);
}

static void release(struct channel *c)
{
	if (atomic_fetch_sub(&c->refs, 1) != 1)
		return;
	list_for_each (it, &c->watchers)
		free(list_entry(it, struct watcher, node));
	mutex_done(&c->lock);
	c->ops->free(c);
	free(c);
}

/* Addresses. */

static int fill_address(
		const char *path, struct sockaddr_un *ret, socklen_t *ret_size, struct err *err)
{
	size_t size = strlen(path);
	bool is_abstract = path[0] == '@';

	*ret = (struct sockaddr_un){ .sun_family = AF_UNIX };
	if (size == 0 || size >= sizeof(ret->sun_path))
		return err_set(err, ERR_INVALID, "socket path %s", path);
	memcpy(ret->sun_path, path, size);
	if (is_abstract)
		ret->sun_path[0] = '\0';
	*ret_size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + size +
				(is_abstract ? 0 : 1));
	return 0;
}

/* A full backlog makes connect() wait; no longer than the caller would. */
static void bound_connect(int fd, const struct ctx *ctx)
{
	int64_t left_us = ctx_left_ns(ctx) / NS_PER_US;
	struct timeval tv = { left_us / 1000000, left_us % 1000000 };

	if (ctx->deadline_ns == 0)
		return;
	if (left_us <= 0)
		tv.tv_usec = 1;
	(void)setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &tv, sizeof(tv));
}

int channel_connect(const char *address, const struct ctx *ctx, struct err *err)
{
	AUTO_CLOSE int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	const char *path = str_starts(address, "unix://") ? address + 7 : address;
	struct sockaddr_un sun;
	socklen_t size = 0;
	int rc;

	if (fd < 0)
		return err_sys(err, errno, "socket");
	if (fill_address(path, &sun, &size, err) < 0)
		return -1;
	bound_connect(fd, ctx);
	do
		rc = connect(fd, (const struct sockaddr *)&sun, size);
	while (rc < 0 && errno == EINTR);
	if (rc < 0) {
		err->sys = errno;
		return err_plain(err, ERR_UNAVAILABLE, "dial unix %s: connect: %s", path,
				errno_text(err->sys));
	}
	return take_fd(&fd);
}

/* The connection's life. */

static void on_attach(struct loop_task *task)
{
	struct channel *c = container_of(task, struct channel, attach);

	c->sock = rpc_sock_new(c->loop, take_fd(&c->fd), c->ops->sock_ops, c);
	rpc_sock_kick(c->sock);
}

static void on_close(struct loop_task *task)
{
	struct channel *c = container_of(task, struct channel, close);

	rpc_sock_close(c->sock);
	release(c);
}

static pid_t pid_of_peer(int fd)
{
	struct ucred peer;
	socklen_t size = sizeof(peer);

	return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) < 0 ? 0 : peer.pid;
}

void channel_init(
		struct channel *c, const struct channel_ops *ops, struct loop *loop, int own_fd)
{
	atomic_init(&c->users, 1);
	atomic_init(&c->refs, 2); /* the users', and the connection's */
	c->ops = ops;
	c->own_loop = loop == NULL;
	c->loop = loop == NULL ? loop_new() : loop;
	c->fd = own_fd;
	c->peer_pid = pid_of_peer(own_fd);
	mutex_init(&c->lock, RANK_rpc_client);
	list_init(&c->watchers);
	list_init(&c->streams);
	c->attach.run = on_attach;
	c->close.run = on_close;
	loop_post(c->loop, &c->attach);
}

struct channel *channel_ref(struct channel *c)
{
	atomic_fetch_add(&c->users, 1);
	return c;
}

static void drop_watchers(struct channel *c)
{
	LOCKED(&c->lock);
	c->told = true;
	list_for_each (it, &c->watchers) {
		struct watcher *w = list_entry(it, struct watcher, node);

		list_remove(&w->node);
		free(w);
	}
}

void channel_unref(struct channel *c)
{
	struct loop *loop;

	if (c == NULL || atomic_fetch_sub(&c->users, 1) != 1)
		return;
	drop_watchers(c); /* who closes needs not be told */
	loop = c->own_loop ? c->loop : NULL;
	hold(c);
	loop_post(c->loop, &c->close);
	loop_free(loop);
	release(c);
}

struct closing {
	struct loop_task task;
	struct channel *channel;
};

static void close_now(struct loop_task *task)
{
	AUTO_FREE struct closing *closing = container_of(task, struct closing, task);

	rpc_sock_close(closing->channel->sock);
	release(closing->channel);
}

void channel_close(struct channel *c)
{
	struct closing *closing = xzalloc(sizeof(*closing));

	closing->task.run = close_now;
	closing->channel = c;
	hold(c);
	loop_post(c->loop, &closing->task);
}

static void run_watcher(struct loop_task *task)
{
	AUTO_FREE struct watcher *w = container_of(task, struct watcher, task);

	w->closed(w->arg);
}

void channel_on_close(struct channel *c, void (*closed)(void *arg), void *arg)
{
	struct watcher *w = xzalloc(sizeof(*w));
	LOCKED(&c->lock);

	w->closed = closed;
	w->arg = arg;
	w->task.run = run_watcher;
	if (c->told)
		loop_post(c->loop, &w->task);
	else
		list_append(&c->watchers, &w->node);
}

static void tell_watchers(struct channel *c)
{
	struct list todo = LIST_INIT(todo);

	mutex_lock(&c->lock);
	c->told = true;
	list_splice(&todo, &c->watchers);
	mutex_unlock(&c->lock);
	while (!list_is_empty(&todo)) {
		struct watcher *w = list_first(&todo, struct watcher, node);

		list_remove(&w->node);
		run_watcher(&w->task);
	}
}

void channel_on_closed(void *channel)
{
	struct channel *c = channel;
	AUTO_ERR struct err why = { 0 };

	atomic_store(&c->closed, true);
	c->sock = NULL;
	c->ops->gone(c, &why);
	while (!list_is_empty(&c->streams))
		rpc_stream_broken(list_first(&c->streams, struct rpc_stream, node), &why);
	tell_watchers(c);
	release(c);
}

void channel_fail(struct channel *c)
{
	rpc_sock_close(c->sock);
}

bool channel_is_closed(struct channel *c)
{
	return atomic_load(&c->closed);
}

pid_t channel_peer_pid(const struct channel *c)
{
	return c->peer_pid;
}

/* Calls. */

static struct rpc_stream *stream_of(struct rpc_pipe *p)
{
	return container_of(p, struct rpc_stream, pipe);
}

static void stream_unref(struct rpc_stream *s)
{
	if (s == NULL || atomic_fetch_sub(&s->refs, 1) != 1)
		return;
	rpc_pipe_done(&s->pipe);
	free(s->service);
	free(s->method);
	free(s->ns);
	free(s->lease);
	cancel_unref(s->cancel);
	release(s->channel);
	free(s);
}
DEFINE_AUTO(struct rpc_stream *, stream_unref)

static void pipe_ref(struct rpc_pipe *p)
{
	atomic_fetch_add(&stream_of(p)->refs, 1);
}

static void pipe_unref(struct rpc_pipe *p)
{
	stream_unref(stream_of(p));
}

static void on_wake(struct rpc_pipe *p);

static const struct rpc_pipe_ops pipe_ops = {
	.wake = on_wake,
	.ref = pipe_ref,
	.unref = pipe_unref,
};

static void ask_cancel(struct rpc_stream *s)
{
	LOCKED(&s->pipe.lock);
	s->cancelled = true;
	if (!s->pipe.in_end && !s->pipe.over)
		rpc_pipe_wake_locked(&s->pipe);
}

static void on_cancel(struct cancel_hook *hook)
{
	struct rpc_stream *s = container_of(hook, struct rpc_stream, hook);

	ask_cancel(s);
	stream_unref(s);
}

static void hook_cancel(struct rpc_stream *s)
{
	if (s->cancel == NULL)
		return;
	s->hook.fired = on_cancel;
	pipe_ref(&s->pipe);
	s->hooked = cancel_hook_add(s->cancel, &s->hook);
	if (s->hooked)
		return;
	mutex_lock(&s->pipe.lock);
	s->cancelled = true;
	mutex_unlock(&s->pipe.lock);
	stream_unref(s);
}

static void give_answer(struct rpc_stream *s)
{
	AUTO(rpc_msg_free) struct rpc_msg *m = NULL;
	AUTO_ERR struct err err = { 0 };
	struct rpc_answer answer = { 0 };

	mutex_lock(&s->pipe.lock);
	m = msgq_pop(&s->pipe.in);
	if (s->pipe.why.kind != ERR_NONE)
		err_copy(&err, &s->pipe.why);
	mutex_unlock(&s->pipe.lock);
	if (err.kind == ERR_NONE && m == NULL)
		err_plain(&err, ERR_INTERNAL, "the peer sent no answer");
	if (err.kind != ERR_NONE)
		answer.err = &err;
	else
		answer = (struct rpc_answer){ rpc_msg_payload(m), m->size, NULL };
	s->done(s->done_arg, &answer);
}

/* What both ends have in common; drops the reference of the loop. */
static void finish(struct rpc_stream *s)
{
	s->ended = true;
	s->link = NULL;
	list_remove(&s->node);
	loop_timer_free(take_ptr(s->timer));
	if (s->hooked && cancel_hook_remove(s->cancel, &s->hook))
		stream_unref(s);
	if (s->done != NULL)
		give_answer(s);
	stream_unref(s);
}

void rpc_stream_ended(struct rpc_stream *s, const struct err *status)
{
	mutex_lock(&s->pipe.lock);
	s->pipe.out_end = true;
	rpc_pipe_end_in_locked(&s->pipe, status);
	mutex_unlock(&s->pipe.lock);
	finish(s);
}

void rpc_stream_broken(struct rpc_stream *s, const struct err *why)
{
	mutex_lock(&s->pipe.lock);
	rpc_pipe_break_locked(&s->pipe, why);
	mutex_unlock(&s->pipe.lock);
	finish(s);
}

static void abandon(struct rpc_stream *s, enum err_kind kind)
{
	AUTO_ERR struct err why = { 0 };

	err_set(&why, kind, "%s", "");
	if (s->link != NULL)
		s->channel->ops->forget(s->channel, s);
	rpc_stream_broken(s, &why);
}

static void on_deadline(void *arg)
{
	abandon(arg, ERR_DEADLINE);
}

static void arm_deadline(struct rpc_stream *s)
{
	int64_t left;

	if (s->deadline_ns == 0)
		return;
	left = s->deadline_ns - clock_mono_ns();
	s->timer = loop_timer_new(s->channel->loop, on_deadline, s);
	loop_timer_set(s->timer, left <= 0 ? 0 : (left + NS_PER_MS - 1) / NS_PER_MS);
}

static void start(struct rpc_stream *s)
{
	struct channel *c = s->channel;
	AUTO_ERR struct err why = { 0 };

	s->started = true;
	list_append(&c->streams, &s->node);
	if (c->sock == NULL) {
		c->ops->gone(c, &why);
		rpc_stream_broken(s, &why);
		return;
	}
	arm_deadline(s);
	hook_cancel(s);
	c->ops->start(c, s);
}

static bool is_cancelled(struct rpc_stream *s)
{
	LOCKED(&s->pipe.lock);
	return s->cancelled;
}

static void on_wake(struct rpc_pipe *p)
{
	struct rpc_stream *s = stream_of(p);

	if (!s->started)
		start(s);
	if (s->ended)
		return;
	if (is_cancelled(s))
		abandon(s, ERR_CANCELED);
	else
		s->channel->ops->update(s->channel, s);
}

/* References: the caller's and the loop's, which it keeps until the call has ended. */
static struct rpc_stream *stream_new(struct channel *c, const struct ctx *ctx,
		const char *service, const char *method)
{
	struct rpc_stream *s = xzalloc(sizeof(*s));

	hold(c);
	rpc_pipe_init(&s->pipe, &pipe_ops, c->loop);
	s->pipe.pump = c->own_loop;
	atomic_init(&s->refs, 2);
	s->channel = c;
	s->service = xstrdup(service);
	s->method = xstrdup(method);
	s->ns = xstrdup(ctx->ns);
	s->lease = xstrdup(ctx->lease);
	s->deadline_ns = ctx->deadline_ns;
	s->cancel = ctx->cancel == NULL ? NULL : cancel_ref(ctx->cancel);
	list_init(&s->node);
	return s;
}

static struct rpc_stream *start_unary(struct channel *c, const struct ctx *ctx,
		const char *service, const char *method, const ProtobufCMessage *request,
		rpc_done done, void *arg)
{
	struct rpc_stream *s = stream_new(c, ctx, service, method);

	s->unary = true;
	s->done = done;
	s->done_arg = arg;
	LOCKED(&s->pipe.lock);
	msgq_push(&s->pipe.out, rpc_msg_pack(request));
	s->pipe.out_end = true;
	s->asked = true;
	rpc_pipe_wake_locked(&s->pipe);
	return s;
}

/* The one answer, and the status behind it. */
static int receive_one(struct rpc_stream *s, struct rpc_msg **ret_m, struct err *err)
{
	AUTO(rpc_msg_free) struct rpc_msg *first = NULL, *second = NULL;
	int rc = rpc_pipe_recv(&s->pipe, &first, err);

	if (rc < 0)
		return -1;
	if (rc == 0)
		return err_plain(err, ERR_INTERNAL, "the peer sent no answer");
	rc = rpc_pipe_recv(&s->pipe, &second, err);
	if (rc < 0)
		return -1;
	if (rc == 1) {
		ask_cancel(s);
		return err_plain(err, ERR_INTERNAL, "the peer sent more than one answer");
	}
	*ret_m = take_ptr(first);
	return 0;
}

static int decode(const struct ProtobufCMessageDescriptor *type, struct rpc_msg *m,
		struct arena *arena, struct ProtobufCMessage **ret_message, struct err *err)
{
	if (pb_decode(type, rpc_msg_payload(m), m->size, arena, &pb_limits_reply, ret_message,
			    err) < 0)
		return err_wrap(err, "error unmarshalling answer");
	return 0;
}

int channel_call(struct channel *c, const struct ctx *ctx, const char *service,
		const char *method, const struct ProtobufCMessage *request,
		const struct ProtobufCMessageDescriptor *response, struct arena *arena,
		struct ProtobufCMessage **ret_response, struct err *err)
{
	AUTO(stream_unref) struct rpc_stream *s = NULL;
	AUTO(rpc_msg_free) struct rpc_msg *m = NULL;

	if (ctx_done(ctx, err))
		return -1;
	s = start_unary(c, ctx, service, method, request, NULL, NULL);
	if (receive_one(s, &m, err) < 0)
		return -1;
	return decode(response, m, arena, ret_response, err);
}

void channel_start(struct channel *c, const struct ctx *ctx, const char *service,
		const char *method, const struct ProtobufCMessage *request, rpc_done done,
		void *arg)
{
	stream_unref(start_unary(c, ctx, service, method, request, done, arg));
}

int channel_stream(struct channel *c, const struct ctx *ctx, const char *service,
		const char *method, struct rpc_stream **ret_stream, struct err *err)
{
	struct rpc_stream *s;

	if (ctx_done(ctx, err))
		return -1;
	if (channel_is_closed(c)) {
		c->ops->gone(c, err);
		return -1;
	}
	s = stream_new(channel_ref(c), ctx, service, method);
	s->is_users = true;
	mutex_lock(&s->pipe.lock);
	rpc_pipe_wake_locked(&s->pipe);
	mutex_unlock(&s->pipe.lock);
	*ret_stream = s;
	return 0;
}

int rpc_stream_send(
		struct rpc_stream *s, const struct ProtobufCMessage *message, struct err *err)
{
	AUTO(rpc_msg_free) struct rpc_msg *m = rpc_msg_pack(message);

	if (rpc_pipe_send(&s->pipe, m, err) < 0)
		return -1;
	m = NULL;
	return 0;
}

int rpc_stream_close_send(struct rpc_stream *s, struct err *err)
{
	LOCKED(&s->pipe.lock);
	if (s->pipe.over && s->pipe.why.kind != ERR_NONE) {
		err_copy(err, &s->pipe.why);
		return -1;
	}
	s->pipe.out_end = true;
	rpc_pipe_wake_locked(&s->pipe);
	return 0;
}

static void ask(struct rpc_stream *s)
{
	LOCKED(&s->pipe.lock);
	if (s->asked)
		return;
	s->asked = true;
	rpc_pipe_wake_locked(&s->pipe);
}

int rpc_stream_recv(struct rpc_stream *s, const struct ProtobufCMessageDescriptor *type,
		struct arena *arena, struct ProtobufCMessage **ret_message, struct err *err)
{
	AUTO(rpc_msg_free) struct rpc_msg *m = NULL;
	int rc;

	ask(s);
	rc = rpc_pipe_recv(&s->pipe, &m, err);
	if (rc <= 0)
		return rc;
	return decode(type, m, arena, ret_message, err) < 0 ? -1 : 1;
}

void rpc_stream_free(struct rpc_stream *s)
{
	struct channel *c;
	bool drive;

	if (s == NULL)
		return;
	c = s->channel;
	ask_cancel(s);
	stream_unref(s);
	drive = c->own_loop && !loop_is_mine(c->loop);
	if (drive)
		loop_run_once(c->loop, 0);
	channel_unref(c);
}
