/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The event loop: one thread that watches descriptors, timers, signals and child exits, and
 * never blocks. An object, never a global; a process may have several. The only user of libuv
 * (whose thread pool and file functions we do not use: docs/dev/threads.md).
 *
 * Everything here but loop_post() and loop_stop() belongs to the loop's thread. Watches, timers
 * and signals die in their own close callback; freeing one inside its callback is fine.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/attr.h"
#include "base/list.h"

struct loop;
struct loop_watch;
struct loop_timer;

struct loop_task {
	struct list node;
	void (*run)(struct loop_task *task); /* on the loop; the task may free itself */
};

enum loop_events {
	LOOP_READ = 1,
	LOOP_WRITE = 2,
	LOOP_HANGUP = 4, /* peer closed; reported even if not asked for */
};

MUST_USE struct loop *loop_new(void);
/* libuv keeps two pipes to itself for signals, which we do not take from it. Puts event
 * counters in their place, so that a process that must not be seen to hold pipes (the shim:
 * leak tests count them) does not. At once after the first loop_new(), before the process opens
 * pipes. */
void loop_hide_pipes(void);
void loop_free(struct loop *l); /* runs what was posted, closes all handles; NULL is fine */

/* Marks the calling thread as a loop thread (base/thread.h) and serves until loop_stop(). */
void loop_run(struct loop *l);
/* Serves what is posted, or else what is ready; waits at most timeout_ms for something (0: not
 * at all, and both are served; -1: for ever). Marks nothing: a process with one thread (the
 * shim) calls this over and over. */
void loop_run_once(struct loop *l, int timeout_ms);
ANY_THREAD void loop_stop(struct loop *l);
/* True inside the callbacks of this loop: the calling thread is the one that drives it. */
ANY_THREAD bool loop_is_mine(const struct loop *l);

/* Hands work over to the loop thread; in order per posting thread. */
ANY_THREAD void loop_post(struct loop *l, struct loop_task *task);

/* Watches a pollable descriptor and makes it non-blocking; level-triggered, but HANGUP is told
 * once. NULL with errno for what cannot be polled (EPERM: regular files) or is watched already
 * (EEXIST). The caller keeps the descriptor and closes it only after loop_watch_free(). */
ON_LOOP MUST_USE struct loop_watch *loop_watch_new(struct loop *l, int fd, int events,
		void (*ready)(void *arg, int events), void *arg);
ON_LOOP void loop_watch_set(struct loop_watch *w, int events); /* 0: pause */
ON_LOOP void loop_watch_free(struct loop_watch *w);	       /* NULL is fine */

/* As clock_mono_ns(), but read when the callback of an event began. */
ON_LOOP int64_t loop_now_ns(const struct loop *l);

/* Calls begin() when nothing has happened for quiet_ms: once, and again after the next event
 * that is followed by such a time. One per loop. A loop at rest has no timer for it. */
ON_LOOP void loop_on_rest(
		struct loop *l, int64_t quiet_ms, void (*begin)(void *arg), void *arg);

/* Fires once after delay_ms; loop_timer_set() arms it (again), a negative delay disarms it. */
ON_LOOP MUST_USE struct loop_timer *loop_timer_new(
		struct loop *l, void (*fired)(void *arg), void *arg);
ON_LOOP void loop_timer_set(struct loop_timer *t, int64_t delay_ms);
ON_LOOP void loop_timer_free(struct loop_timer *t);

/* The signal must be blocked in every thread (block it before the first one starts). One
 * handler per signal, until the loop ends. 0 or -errno. */
ON_LOOP MUST_USE int loop_signal(
		struct loop *l, int signo, void (*got)(void *arg, int signo), void *arg);

/* Tells when the child behind pidfd ended, and takes the descriptor over. The wait status is as
 * waitid() reports it: exit code, or 128 + signal; 255 if somebody else reaped it. Children are
 * reaped here. 0 or -errno. */
ON_LOOP MUST_USE int loop_child(struct loop *l, int own_pidfd,
		void (*ended)(void *arg, int exit_status), void *arg);
