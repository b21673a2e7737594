/* SPDX-License-Identifier: Apache-2.0 */
#include "loop/loop.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <uv.h>

#include "base/auto.h"
#include "base/clock.h"
#include "base/mem.h"
#include "base/mutex.h"
#include "base/thread.h"

struct loop {
	uv_loop_t uv;
	uv_async_t wake;
	uv_timer_t limit; /* bounds loop_run_once() */
	uv_prepare_t before_wait;
	struct mutex lock;
	struct list posted; /* under lock */
	atomic_bool any;    /* something is posted; read without the lock */
	bool draining;	    /* under lock: the loop thread will look at posted again */
	bool once;	    /* driven by loop_run_once() */
	atomic_bool stop;
	atomic_ulong owner; /* the thread inside run, 0 outside */
	int signal_fd;
	sigset_t signals;
	struct loop_watch *signal_watch;
	struct list handlers; /* struct handler */
	struct list children; /* struct child */
	struct {
		uv_timer_t timer;
		void (*begin)(void *arg); /* NULL: nobody asked */
		void *arg;
		uint64_t quiet_ms, worked_ms; /* worked: as uv_now() tells */
	} rest;
};

struct loop_watch {
	uv_poll_t uv; /* first: a handle's close callback frees its object */
	int events;
	bool hung_up;
	void (*ready)(void *arg, int events);
	void *arg;
};

struct loop_timer {
	uv_timer_t uv; /* first, as above */
	void (*fired)(void *arg);
	void *arg;
};

struct handler {
	struct list node;
	int signo;
	void (*got)(void *arg, int signo);
	void *arg;
};

struct child {
	struct list node;
	struct loop_watch *watch;
	int pidfd;
	void (*ended)(void *arg, int exit_status);
	void *arg;
};

/* The thread that drives the loop, or, while nobody does, whoever prepares or ends it. */
static void assert_mine(const struct loop *l)
{
	unsigned long owner = atomic_load(&l->owner);

	assert(owner == 0 || owner == pthread_self());
}

bool loop_is_mine(const struct loop *l)
{
	return atomic_load(&l->owner) == pthread_self();
}

static void on_rest(uv_timer_t *timer)
{
	struct loop *l = timer->data;
	uint64_t due = l->rest.worked_ms + l->rest.quiet_ms;

	if (uv_now(&l->uv) < due)
		(void)uv_timer_start(timer, on_rest, due - uv_now(&l->uv), 0);
	else
		l->rest.begin(l->rest.arg);
}

/* The timer is not set anew for each event: when it fires, it looks how long ago the last was.
 */
static void note_work(struct loop *l)
{
	if (l->rest.begin == NULL)
		return;
	l->rest.worked_ms = uv_now(&l->uv);
	if (!uv_is_active((uv_handle_t *)&l->rest.timer))
		(void)uv_timer_start(&l->rest.timer, on_rest, l->rest.quiet_ms, 0);
}

static bool run_posted(struct loop *l)
{
	struct list todo = LIST_INIT(todo);

	if (!atomic_load(&l->any))
		return false;
	mutex_lock(&l->lock);
	atomic_store(&l->any, false);
	list_splice(&todo, &l->posted);
	l->draining = !list_is_empty(&todo);
	mutex_unlock(&l->lock);
	if (list_is_empty(&todo))
		return false;
	note_work(l);
	while (!list_is_empty(&todo)) {
		struct loop_task *task = list_first(&todo, struct loop_task, node);

		list_remove(&task->node);
		task->run(task);
	}
	return true;
}

/* Tasks that tasks post run in the same turn, so that a flush after many answers costs nothing;
 * but not without end, or the sockets would starve: then the next wait is short. True if there
 * were any, and none are left. */
#define MAX_ROUNDS 8

static bool drain(struct loop *l)
{
	int rounds = 0;
	bool more;

	while (run_posted(l) && ++rounds < MAX_ROUNDS)
		continue;
	if (rounds == 0)
		return false;
	mutex_lock(&l->lock);
	l->draining = false;
	more = !list_is_empty(&l->posted);
	mutex_unlock(&l->lock);
	if (more)
		(void)uv_async_send(&l->wake);
	return !more;
}

/* Ends the wait of loop_run_once(), which has served something: its caller wants to look. */
static void end_turn(struct loop *l)
{
	if (l->once || atomic_load(&l->stop))
		uv_stop(&l->uv);
}

static void on_before_wait(uv_prepare_t *prepare)
{
	struct loop *l = prepare->data;

	if (drain(l))
		end_turn(l);
}

static void on_wake(uv_async_t *wake)
{
	struct loop *l = wake->data;

	(void)drain(l);
	end_turn(l);
}

static void on_limit(uv_timer_t *timer)
{
	(void)timer; /* its firing ended the wait */
}

/* libuv fails here only without memory or descriptors: nothing can run then. */
static void must(int rc)
{
	if (rc < 0)
		abort();
}

struct loop *loop_new(void)
{
	struct loop *l = xzalloc(sizeof(*l));

	must(uv_loop_init(&l->uv));
	must(uv_async_init(&l->uv, &l->wake, on_wake));
	must(uv_timer_init(&l->uv, &l->limit));
	must(uv_timer_init(&l->uv, &l->rest.timer));
	must(uv_prepare_init(&l->uv, &l->before_wait));
	must(uv_prepare_start(&l->before_wait, on_before_wait));
	l->wake.data = l->before_wait.data = l->rest.timer.data = l;
	mutex_init(&l->lock, RANK_loop_queue);
	list_init(&l->posted);
	list_init(&l->handlers);
	list_init(&l->children);
	l->signal_fd = -1;
	(void)sigemptyset(&l->signals);
	return l;
}

/* Inherited pipes are not close-on-exec, libuv's are. */
static bool is_own_pipe(int fd)
{
	int flags = fcntl(fd, F_GETFD);
	struct stat st;

	return flags >= 0 && (flags & FD_CLOEXEC) != 0 && fstat(fd, &st) == 0 &&
	       S_ISFIFO(st.st_mode);
}

void loop_hide_pipes(void)
{
	AUTO_CLOSE int counter = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);

	for (int fd = 3; counter >= 0 && fd < 64; fd++)
		if (is_own_pipe(fd))
			(void)dup3(counter, fd, O_CLOEXEC);
}

static void free_object(uv_handle_t *handle)
{
	free(handle);
}

static void close_handle(uv_handle_t *handle, void *arg)
{
	const char *l = arg, *at = (const char *)handle;

	if (uv_is_closing(handle))
		return;
	if (at >= l && at < l + sizeof(struct loop)) /* a part of it */
		uv_close(handle, NULL);
	else
		uv_close(handle, free_object);
}

static void free_records(struct loop *l)
{
	list_for_each (it, &l->handlers)
		free(list_entry(it, struct handler, node));
	list_for_each (it, &l->children) {
		struct child *c = list_entry(it, struct child, node);

		close_fd(&c->pidfd);
		free(c);
	}
	close_fd(&l->signal_fd);
}

static void enter(struct loop *l)
{
	unsigned long nobody = 0;

	if (!atomic_compare_exchange_strong(&l->owner, &nobody, pthread_self()))
		assert(!"two drivers, or a wait inside a callback of the same loop");
}

static void leave(struct loop *l)
{
	atomic_store(&l->owner, 0);
}

void loop_free(struct loop *l)
{
	if (l == NULL)
		return;
	enter(l);
	while (run_posted(l))
		continue;
	uv_walk(&l->uv, close_handle, l);
	while (uv_run(&l->uv, UV_RUN_DEFAULT) != 0)
		continue;
	/* what was posted by callbacks that ran meanwhile; it can only clean up now */
	while (run_posted(l))
		continue;
	must(uv_loop_close(&l->uv));
	free_records(l);
	mutex_done(&l->lock);
	leave(l);
	free(l);
}

void loop_run(struct loop *l)
{
	bool was_loop = thread_is_loop();

	enter(l);
	thread_mark_loop(true);
	while (!atomic_exchange(&l->stop, false))
		(void)uv_run(&l->uv, UV_RUN_DEFAULT);
	thread_mark_loop(was_loop);
	leave(l);
}

static void wait_once(struct loop *l, int timeout_ms)
{
	l->once = true;
	if (timeout_ms > 0) {
		uv_update_time(&l->uv);
		(void)uv_timer_start(&l->limit, on_limit, (uint64_t)timeout_ms, 0);
	}
	(void)uv_run(&l->uv, timeout_ms == 0 ? UV_RUN_NOWAIT : UV_RUN_ONCE);
	(void)uv_timer_stop(&l->limit);
	l->once = false;
	(void)drain(l);
}

void loop_run_once(struct loop *l, int timeout_ms)
{
	enter(l);
	if (!drain(l) || timeout_ms == 0)
		wait_once(l, timeout_ms);
	leave(l);
}

void loop_stop(struct loop *l)
{
	atomic_store(&l->stop, true);
	(void)uv_async_send(&l->wake);
}

/* A loop that nobody drives, or that this thread drives, looks at what is posted before it
 * waits again; only another thread's must be woken. Who begins to drive says so and then looks
 * at "any", who posts sets it and then looks for a driver: one of the two sees the other. */
static bool may_be_asleep_locked(const struct loop *l)
{
	unsigned long owner = atomic_load(&l->owner);

	return owner != 0 && owner != pthread_self() && !l->draining;
}

void loop_post(struct loop *l, struct loop_task *task)
{
	bool wake;

	mutex_lock(&l->lock);
	wake = list_is_empty(&l->posted);
	list_append(&l->posted, &task->node);
	atomic_store(&l->any, true);
	wake = wake && may_be_asleep_locked(l);
	mutex_unlock(&l->lock);
	if (wake)
		(void)uv_async_send(&l->wake);
}

int64_t loop_now_ns(const struct loop *l)
{
	return (int64_t)uv_now(&l->uv) * NS_PER_MS;
}

void loop_on_rest(struct loop *l, int64_t quiet_ms, void (*begin)(void *arg), void *arg)
{
	assert_mine(l);
	l->rest.begin = begin;
	l->rest.arg = arg;
	l->rest.quiet_ms = (uint64_t)quiet_ms;
	uv_update_time(&l->uv);
	note_work(l);
}

static int uv_mask(const struct loop_watch *w)
{
	int mask = w->hung_up ? 0 : UV_DISCONNECT;

	if (w->events & LOOP_READ)
		mask |= UV_READABLE;
	if (w->events & LOOP_WRITE)
		mask |= UV_WRITABLE;
	return mask;
}

static void on_ready(uv_poll_t *poll, int status, int uv_events);

static void arm(struct loop_watch *w)
{
	int mask = w->events == 0 ? 0 : uv_mask(w);

	if (mask == 0)
		(void)uv_poll_stop(&w->uv);
	else
		(void)uv_poll_start(&w->uv, mask, on_ready);
}

static void on_ready(uv_poll_t *poll, int status, int uv_events)
{
	struct loop_watch *w = poll->data;
	int events = 0;

	note_work(container_of(poll->loop, struct loop, uv));
	if (status < 0) {
		/* libuv has stopped the handle: an error on the descriptor, such as a pipe
		 * without readers. The next read or write will name it. */
		events = (w->events & (LOOP_READ | LOOP_WRITE)) | LOOP_HANGUP;
		w->events = 0;
		w->hung_up = true;
	}
	if (uv_events & UV_READABLE)
		events |= LOOP_READ;
	if (uv_events & UV_WRITABLE)
		events |= LOOP_WRITE;
	if (uv_events & UV_DISCONNECT) {
		events |= LOOP_HANGUP;
		w->hung_up = true;
		arm(w);
	}
	w->ready(w->arg, events);
}

struct loop_watch *loop_watch_new(struct loop *l, int fd, int events,
		void (*ready)(void *arg, int events), void *arg)
{
	struct loop_watch *w = xzalloc(sizeof(*w));
	int rc;

	assert_mine(l);
	rc = uv_poll_init(&l->uv, &w->uv, fd);
	if (rc < 0) {
		free(w);
		errno = -rc;
		return NULL;
	}
	w->uv.data = w;
	w->ready = ready;
	w->arg = arg;
	w->events = events;
	arm(w);
	return w;
}

void loop_watch_set(struct loop_watch *w, int events)
{
	if (w->events == events)
		return;
	w->events = events;
	arm(w);
}

void loop_watch_free(struct loop_watch *w)
{
	if (w != NULL)
		uv_close((uv_handle_t *)&w->uv, free_object);
}

static void on_timer(uv_timer_t *timer)
{
	struct loop *l = container_of(timer->loop, struct loop, uv);
	struct loop_timer *t = timer->data;

	note_work(l);
	end_turn(l);
	t->fired(t->arg);
}

struct loop_timer *loop_timer_new(struct loop *l, void (*fired)(void *arg), void *arg)
{
	struct loop_timer *t = xzalloc(sizeof(*t));

	assert_mine(l);
	must(uv_timer_init(&l->uv, &t->uv));
	t->uv.data = t;
	t->fired = fired;
	t->arg = arg;
	return t;
}

void loop_timer_set(struct loop_timer *t, int64_t delay_ms)
{
	if (delay_ms < 0) {
		(void)uv_timer_stop(&t->uv);
		return;
	}
	/* A loop that was not driven for a while has an old idea of now. */
	uv_update_time(t->uv.loop);
	(void)uv_timer_start(&t->uv, on_timer, (uint64_t)delay_ms, 0);
}

void loop_timer_free(struct loop_timer *t)
{
	if (t != NULL)
		uv_close((uv_handle_t *)&t->uv, free_object);
}

static void on_signal_fd(void *arg, int events)
{
	struct loop *l = arg;
	struct signalfd_siginfo info;

	(void)events;
	if (read(l->signal_fd, &info, sizeof(info)) != (ssize_t)sizeof(info))
		return;
	list_for_each (it, &l->handlers) {
		struct handler *h = list_entry(it, struct handler, node);

		if (h->signo == (int)info.ssi_signo)
			h->got(h->arg, h->signo);
	}
}

int loop_signal(struct loop *l, int signo, void (*got)(void *arg, int signo), void *arg)
{
	struct handler *h;
	int fd;

	assert_mine(l);
	if (sigaddset(&l->signals, signo) < 0)
		return -errno;
	fd = signalfd(l->signal_fd, &l->signals, SFD_NONBLOCK | SFD_CLOEXEC);
	if (fd < 0)
		return -errno;
	if (l->signal_watch == NULL) {
		l->signal_fd = fd;
		l->signal_watch = loop_watch_new(l, fd, LOOP_READ, on_signal_fd, l);
		if (l->signal_watch == NULL)
			return -errno;
	}
	h = xzalloc(sizeof(*h));
	h->signo = signo;
	h->got = got;
	h->arg = arg;
	list_append(&l->handlers, &h->node);
	return 0;
}

/* False while the child lives. */
static bool reap(int pidfd, int *ret_status)
{
	siginfo_t info = { 0 };

	if (waitid(P_PIDFD, (id_t)pidfd, &info, WEXITED | WNOHANG) < 0) {
		*ret_status = 255;
		return errno != EINTR && errno != EAGAIN;
	}
	if (info.si_pid == 0)
		return false;
	*ret_status = info.si_code == CLD_EXITED ? info.si_status : 128 + info.si_status;
	return true;
}

static void on_pidfd(void *arg, int events)
{
	AUTO_FREE struct child *c = NULL;
	int status;

	(void)events;
	if (!reap(((struct child *)arg)->pidfd, &status))
		return;
	c = arg;
	list_remove(&c->node);
	loop_watch_free(c->watch);
	close_fd(&c->pidfd);
	c->ended(c->arg, status);
}

int loop_child(struct loop *l, int own_pidfd, void (*ended)(void *arg, int exit_status),
		void *arg)
{
	struct child *c = xzalloc(sizeof(*c));

	assert_mine(l);
	c->pidfd = own_pidfd;
	c->ended = ended;
	c->arg = arg;
	c->watch = loop_watch_new(l, own_pidfd, LOOP_READ, on_pidfd, c);
	if (c->watch == NULL) {
		free(c);
		return -errno;
	}
	list_append(&l->children, &c->node);
	return 0;
}
