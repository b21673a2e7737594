/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Stages follow each other on the loop; what blocks is done by a thread, which then posts
 * "back". It is started before anything is held back: what was begun can be taken back, also
 * where no thread can be started any more. Whatever fails before the heir is told to serve ends
 * in give_up(): the heir is killed, and everything that was held goes on.
 */
#include "cmd/containerd/takeover.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/io.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/mutex.h"
#include "base/str.h"
#include "base/thread.h"
#include "cmd/containerd/daemon.h"
#include "cmd/containerd/listeners.h"
#include "cmd/containerd/takeover_wire.h"
#include "loop/loop.h"
#include "os/dirs.h"
#include "os/packet_socket.h"
#include "os/process.h"
#include "os/spawn.h"
#include "plugin/plugin_set.h"
#include "rpc/handover.h"
#include "rpc/server.h"

#define TICK_MS	    1
#define SLOW_AGE_NS (60 * NS_PER_S) /* older ones hang, and cannot be waited for */
#define NEARLY_NS   (250 * NS_PER_MS)
#define QUIET_NS    (3 * NS_PER_S)
#define DEATH_NS    (5 * NS_PER_S)
#define DRAIN_MS    60000

enum stage {
	STAGE_STARTING,	 /* waits for HELLO */
	STAGE_SETTLING,	 /* slow calls come to their end, none begins */
	STAGE_QUIESCING, /* background work does; a thread waits for it */
	STAGE_QUIETING,	 /* all calls do; nothing is served */
	STAGE_GIVING,	 /* a thread hands over */
	STAGE_LEAVING,	 /* the heir serves */
};

struct item {
	enum rpc_wire wire;
	int fd, file;
};

struct takeover {
	struct daemon *d;
	enum stage stage;
	int64_t began_ns, stage_ns, held_ns;
	int control, pidfd;
	pid_t pid;
	bool speaks_our_version;
	bool must_stop; /* daemon_stop() waits for us */
	bool heir_ended;
	struct loop_watch *watch;
	struct loop_timer *timer;
	struct item *items;
	size_t count;

	unsigned long thread;
	bool has_thread;
	struct mutex lock;
	struct cond changed;
	void (*order)(struct takeover *t); /* under lock: what the thread is to do next */
	bool thread_ends;		   /* under lock */

	/* the thread's, then handed back */
	struct err err;
	struct loop_task back;
};

static void enter(struct takeover *t, enum stage stage)
{
	t->stage = stage;
	t->stage_ns = clock_mono_ns();
}

static int64_t age_ns(const struct takeover *t)
{
	return clock_mono_ns() - t->stage_ns;
}

static void drop_items(struct takeover *t)
{
	for (size_t i = 0; i < t->count; i++) {
		close_fd(&t->items[i].fd);
		close_fd(&t->items[i].file);
	}
	free(take_ptr(t->items));
	t->count = 0;
}

/* --- its thread --- */

static void (*next_order(struct takeover *t))(struct takeover *t)
{
	void (*order)(struct takeover * t);

	LOCKED(&t->lock);
	while (t->order == NULL && !t->thread_ends)
		cond_wait(&t->changed, &t->lock);
	order = t->order;
	t->order = NULL;
	return order;
}

static void *follow_orders(void *arg)
{
	struct takeover *t = arg;
	void (*order)(struct takeover * t);

	while ((order = next_order(t)) != NULL) {
		order(t);
		loop_post(t->d->host.loop, &t->back);
	}
	return NULL;
}

static int start_thread(struct takeover *t)
{
	int rc = thread_start(&t->thread, follow_orders, t, "takeover");

	t->has_thread = rc == 0;
	return rc;
}

static void give_order(struct takeover *t, void (*order)(struct takeover *t))
{
	LOCKED(&t->lock);
	t->order = order;
	cond_signal(&t->changed);
}

static void end_thread(struct takeover *t)
{
	if (!t->has_thread)
		return;
	{
		LOCKED(&t->lock);
		t->thread_ends = true;
		cond_signal(&t->changed);
	}
	thread_join(t->thread);
	t->has_thread = false;
}

void takeover_free(struct takeover *t)
{
	if (t == NULL)
		return;
	end_thread(t);
	loop_watch_free(t->watch);
	loop_timer_free(t->timer);
	drop_items(t);
	close_fd(&t->control);
	close_fd(&t->pidfd);
	cond_done(&t->changed);
	mutex_done(&t->lock);
	err_clear(&t->err);
	free(t);
}

/* --- it comes to nothing --- */

/* We go on: first the heir must not be able to. */
static void give_up(struct takeover *t, const char *why)
{
	struct daemon *d = t->d;
	bool must_stop = t->must_stop;

	log_error(NULL, "takeover: %s; this daemon serves on", why);
	if (t->pidfd >= 0)
		IGNORE(pidfd_signal(t->pidfd, SIGKILL)); /* it may have ended */
	listeners_reclaim(d->listeners);
	rpc_server_hold(d->host.server, RPC_HOLD_NONE);
	d->takeover = NULL;
	takeover_free(t);
	daemon_notify("READY=1");
	if (must_stop)
		daemon_stop(d);
}

/* Whatever was done of it, and so also when there was nothing. */
static void go_on(struct takeover *t)
{
	AUTO_ERR struct err err = { 0 };
	struct daemon *d = t->d;
	int64_t until = clock_mono_ns() + DEATH_NS;
	struct pollfd p = { t->pidfd, POLLIN, 0 };

	if (t->pidfd >= 0) {
		IGNORE(pidfd_signal(t->pidfd, SIGKILL)); /* it may have ended */
		(void)poll(&p, 1, (int)(DEATH_NS / NS_PER_MS));
	}
	while (d->lock < 0 && (d->lock = dir_lock(d->root)) < 0 && clock_mono_ns() < until)
		(void)poll(NULL, 0, TICK_MS);
	if (d->lock < 0)
		log_error(NULL, "lock %s again: %s", d->root, errno_text(-d->lock));
	if (plugin_set_resume(d->host.plugins, &err) < 0)
		log_error(NULL, "takeover: resume: %s", err_text(&err));
}

/* --- giving --- */

static bool take_item(void *arg, enum rpc_wire wire, int own_fd, const struct buf *record)
{
	struct takeover *t = arg;
	AUTO_CLOSE int fd = own_fd;
	AUTO_CLOSE int file = memfd_create("connection", MFD_CLOEXEC);

	if (file < 0 || io_write_all(file, record->data, record->size) < 0)
		return false; /* out of descriptors, or of memory */
	t->items = xreallocarray(t->items, t->count + 1, sizeof(*t->items));
	t->items[t->count++] = (struct item){ wire, take_fd(&fd), take_fd(&file) };
	return true;
}

static int say(struct takeover *t, const char *packet, size_t size, const int *fds,
		size_t count, struct err *err)
{
	int rc = packet_send(
			t->control, packet, size, fds, count, t->stage_ns + TAKEOVER_SWITCH_NS);

	return rc < 0 ? err_sys(err, -rc, "send") : 0;
}

static int say_word(struct takeover *t, enum takeover_word word, struct err *err)
{
	const char packet[] = { (char)word };

	return say(t, packet, sizeof(packet), NULL, 0, err);
}

struct listeners {
	struct takeover *t;
	struct err *err;
};

static int give_listener(void *arg, const char *name, int fd)
{
	struct listeners *l = arg;
	AUTO_FREE char *packet = xasprintf("%c%s", TAKEOVER_LISTENER, name);

	return say(l->t, packet, strlen(packet), &fd, 1, l->err);
}

static int give_items(struct takeover *t, struct err *err)
{
	for (size_t i = 0; i < t->count; i++) {
		const char packet[] = { TAKEOVER_CONN, (char)t->items[i].wire };
		const int fds[] = { t->items[i].fd, t->items[i].file };

		if (say(t, packet, sizeof(packet), fds, 2, err) < 0)
			return -1;
	}
	return say_word(t, TAKEOVER_END, err);
}

static int wait_ready(struct takeover *t, struct err *err)
{
	char packet[TAKEOVER_PACKET];
	int fds[PACKET_MAX_FDS];
	ssize_t n = packet_receive(t->control, packet, sizeof(packet), fds, 0,
			t->stage_ns + TAKEOVER_SWITCH_NS);

	if (n < 0)
		return err_sys(err, (int)-n, "wait for the new daemon");
	if (n == 0)
		return err_set(err, ERR_UNAVAILABLE, "the new daemon has ended");
	return packet[0] == TAKEOVER_READY
			       ? 0
			       : err_set(err, ERR_INVALID, "word %d of the new daemon",
						 packet[0]);
}

static void tell_main_pid(struct takeover *t)
{
	AUTO_FREE char *text = xasprintf("MAINPID=%d", (int)t->pid);

	daemon_notify(text);
}

/* Up to the last word everything can be taken back; with it nothing is ours any more. */
static int give(struct takeover *t, struct err *err)
{
	struct listeners l = { t, err };

	if (plugin_set_suspend(t->d->host.plugins, err) < 0)
		return -1;
	close_fd(&t->d->lock);
	if (listeners_each(t->d->listeners, give_listener, &l) < 0 ||
			say_word(t, TAKEOVER_GO, err) < 0 || give_items(t, err) < 0 ||
			wait_ready(t, err) < 0)
		return -1;
	tell_main_pid(t);
	return say_word(t, TAKEOVER_COMMIT, err);
}

static void give_or_go_on(struct takeover *t)
{
	if (give(t, &t->err) < 0)
		go_on(t);
}

static void left(void *arg)
{
	struct takeover *t = arg;

	daemon_end(t->d);
}

static void leave(struct takeover *t)
{
	static const char *const names[] = { "process", "gap", "connections", "calls", NULL };
	AUTO_FREE char *pid = xasprintf("%d", (int)t->pid);
	AUTO_FREE char *gap = xasprintf(
			"%lldus", (long long)((clock_mono_ns() - t->held_ns) / NS_PER_US));
	AUTO_FREE char *conns = xasprintf("%zu", t->count);
	AUTO_FREE char *calls = NULL;
	const char *fields[9];

	enter(t, STAGE_LEAVING);
	end_thread(t);
	t->d->is_stopping = true;
	drop_items(t);
	rpc_server_leave(t->d->host.server, DRAIN_MS, left, t);
	calls = xasprintf("%zu", rpc_server_calls(t->d->host.server));
	for (size_t i = 0; names[i] != NULL; i++)
		fields[2 * i] = names[i];
	fields[1] = pid;
	fields[3] = gap;
	fields[5] = conns;
	fields[7] = calls;
	fields[8] = NULL;
	log_fields(NULL, LOG_INFO, fields, "another daemon has taken over");
}

static void begin_giving(struct takeover *t)
{
	loop_timer_set(t->timer, -1);
	loop_watch_free(take_ptr(t->watch)); /* the thread listens now */
	enter(t, STAGE_GIVING);
	if (t->speaks_our_version)
		rpc_server_give(t->d->host.server, take_item, t);
	give_order(t, give_or_go_on);
}

/* --- up to there --- */

static void quiesce_or_go_on(struct takeover *t)
{
	if (plugin_set_quiesce(t->d->host.plugins, clock_mono_ns() + TAKEOVER_SETTLE_NS,
			    &t->err) < 0)
		go_on(t);
}

static void begin_quieting(struct takeover *t)
{
	t->held_ns = clock_mono_ns();
	enter(t, STAGE_QUIETING);
	rpc_server_hold(t->d->host.server, RPC_HOLD_ALL);
	loop_timer_set(t->timer, 0);
}

/* Background work was ended already: the thread begins it again. */
static void take_back(struct takeover *t, const char *why)
{
	loop_timer_set(t->timer, -1);
	(void)err_plain(&t->err, ERR_UNAVAILABLE, "%s", why);
	give_order(t, go_on);
}

static void tick_quieting(struct takeover *t)
{
	enum rpc_quiet quiet = rpc_server_quiet(t->d->host.server);

	if (t->heir_ended || t->must_stop)
		take_back(t, t->must_stop ? "we are to stop" : "the new daemon has ended");
	else if (quiet == RPC_QUIET || (quiet == RPC_NEARLY && age_ns(t) > NEARLY_NS))
		begin_giving(t);
	else if (age_ns(t) > QUIET_NS)
		take_back(t, "calls do not come to an end");
	else
		loop_timer_set(t->timer, TICK_MS);
}

static void begin_quiescing(struct takeover *t)
{
	AUTO_ERR struct err err = { 0 };
	int rc = start_thread(t);

	if (rc < 0) {
		(void)err_sys(&err, -rc, "start a thread");
		give_up(t, err_text(&err));
		return;
	}
	enter(t, STAGE_QUIESCING);
	give_order(t, quiesce_or_go_on);
}

static void tick_settling(struct takeover *t)
{
	if (rpc_server_slow_calls(t->d->host.server, SLOW_AGE_NS) > 0) {
		if (age_ns(t) > TAKEOVER_SETTLE_NS)
			give_up(t, "calls take too long");
		else
			loop_timer_set(t->timer, TICK_MS);
		return;
	}
	begin_quiescing(t);
}

static void tick(void *arg)
{
	struct takeover *t = arg;

	if (t->stage == STAGE_STARTING)
		give_up(t, "the new daemon does not start");
	else if (t->stage == STAGE_SETTLING)
		tick_settling(t);
	else if (t->stage == STAGE_QUIETING)
		tick_quieting(t);
}

static void thread_back(struct loop_task *task)
{
	struct takeover *t = container_of(task, struct takeover, back);
	AUTO_FREE char *why = NULL;

	if (t->err.kind != ERR_NONE) {
		why = xstrdup(err_text(&t->err));
		give_up(t, why);
	} else if (t->stage == STAGE_QUIESCING) {
		begin_quieting(t);
	} else {
		leave(t);
	}
}

static void hello(struct takeover *t, const char *packet, ssize_t size)
{
	if (size < 2 || packet[0] != TAKEOVER_HELLO) {
		give_up(t, "the new daemon does not speak as we do");
		return;
	}
	t->speaks_our_version = packet[1] == TAKEOVER_VERSION;
	log_info(NULL, "takeover: process %d is ready to take over", (int)t->pid);
	enter(t, STAGE_SETTLING);
	rpc_server_hold(t->d->host.server, RPC_HOLD_SLOW);
	loop_timer_set(t->timer, 0);
}

static void on_control(void *arg, int events)
{
	struct takeover *t = arg;
	char packet[TAKEOVER_PACKET];
	ssize_t n = recv(t->control, packet, sizeof(packet), MSG_DONTWAIT);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n > 0 && t->stage == STAGE_STARTING) {
		hello(t, packet, n);
		return;
	}
	loop_watch_set(t->watch, 0);
	t->heir_ended = true;
	if (t->stage == STAGE_STARTING || t->stage == STAGE_SETTLING)
		give_up(t, "the new daemon has ended");
}

/* --- the other process --- */

static void reaped(void *arg, int exit_status)
{
	if (exit_status != 0)
		log_warn(NULL, "the process that was to take over has ended with %d",
				exit_status);
}

static int usable(int fd)
{
	return fcntl(fd, F_GETFD) < 0 ? -1 : fd;
}

static char **child_env(void)
{
	AUTO_STRV char **env = NULL;

	for (char **e = environ; *e != NULL; e++)
		strv_add(&env, *e);
	strv_add(&env, TAKEOVER_FD_VAR "=3");
	return take_ptr(env);
}

static int start_heir(struct takeover *t, struct err *err)
{
	AUTO_STRV char **env = child_env();
	AUTO_CLOSE int theirs = -1;
	struct daemon *d = t->d;
	struct spawn s = { .path = d->program, .argv = d->argv, .envp = env, .fd_count = 4 };
	int pair[2], rc, handle;

	if (d->program == NULL || d->argv == NULL)
		return err_set(err, ERR_PRECONDITION, "it is not known which program to start");
	rc = packet_pair(pair);
	if (rc < 0)
		return err_sys(err, -rc, "socketpair");
	t->control = pair[0];
	theirs = pair[1];
	s.fds[0] = usable(STDIN_FILENO);
	s.fds[1] = usable(STDOUT_FILENO);
	s.fds[2] = usable(STDERR_FILENO);
	s.fds[3] = theirs;
	rc = spawn_child(&s, &t->pid, &t->pidfd);
	if (rc < 0)
		return err_sys(err, -rc, "start %s", d->program);
	handle = fcntl(t->pidfd, F_DUPFD_CLOEXEC, 3);
	if (handle >= 0 && loop_child(d->host.loop, handle, reaped, NULL) < 0)
		close_fd(&handle);
	return 0;
}

/* 1: somebody waits for us, and t->control leads there. */
static int call_waiting(struct takeover *t, struct err *err)
{
	AUTO_FREE char *path = xasprintf("%s/" TAKEOVER_SOCKET, t->d->state);
	int fd = packet_connect(path);

	if (fd == -ENOENT || fd == -ECONNREFUSED)
		return 0;
	if (fd < 0)
		return err_sys(err, -fd, "connect to %s", path);
	t->control = fd;
	t->pid = packet_peer(fd);
	if (t->pid < 0)
		return err_sys(err, (int)-t->pid, "peer of %s", path);
	t->pidfd = pidfd_of(t->pid);
	return t->pidfd < 0 ? err_sys(err, -t->pidfd, "process %d", (int)t->pid) : 1;
}

static int find_heir(struct takeover *t, struct err *err)
{
	int rc = call_waiting(t, err);

	if (rc < 0 || (rc == 0 && start_heir(t, err) < 0))
		return -1;
	t->watch = loop_watch_new(t->d->host.loop, t->control, LOOP_READ, on_control, t);
	return t->watch == NULL ? err_sys(err, errno, "watch the new daemon") : 0;
}

static void tell_reloading(void)
{
	AUTO_FREE char *text = xasprintf("RELOADING=1\nMONOTONIC_USEC=%lld",
			(long long)(clock_mono_ns() / NS_PER_US));

	daemon_notify(text);
}

void takeover_begin(struct daemon *d)
{
	AUTO_ERR struct err err = { 0 };
	struct takeover *t;

	ASSERT_LOOP();
	if (d->is_stopping || d->takeover != NULL) {
		log_warn(NULL, "takeover: this daemon is already being replaced, or stops");
		return;
	}
	t = xzalloc(sizeof(*t));
	t->d = d;
	t->control = t->pidfd = -1;
	t->back.run = thread_back;
	t->began_ns = clock_mono_ns();
	t->timer = loop_timer_new(d->host.loop, tick, t);
	mutex_init(&t->lock, RANK_daemon);
	cond_init(&t->changed);
	d->takeover = t;
	tell_reloading();
	enter(t, STAGE_STARTING);
	if (find_heir(t, &err) < 0) {
		give_up(t, err_text(&err));
		return;
	}
	loop_timer_set(t->timer, TAKEOVER_START_NS / NS_PER_MS);
}

bool takeover_give_way(struct daemon *d)
{
	struct takeover *t = d->takeover;

	if (t == NULL)
		return true;
	t->must_stop = true;
	if (t->stage == STAGE_STARTING || t->stage == STAGE_SETTLING)
		give_up(t, "we are to stop");
	return false;
}
