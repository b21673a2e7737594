/* SPDX-License-Identifier: Apache-2.0 */
#include "loop/loop.h"

#include "unit/unit.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/thread.h"

extern char **environ;

struct seen {
	struct loop *loop;
	int events, calls, fd;
	struct loop_watch *watch;
	struct loop_timer *timer;
};

static void note(void *arg, int events)
{
	struct seen *s = arg;

	s->events |= events;
	s->calls++;
}

static void run_until(struct loop *l, const int *calls, int want)
{
	int64_t give_up = clock_mono_ns() + 10 * NS_PER_S;

	while (*calls < want) {
		assert_true(clock_mono_ns() < give_up);
		loop_run_once(l, 1000);
	}
}

static void readable_is_told_until_it_is_read(void **state)
{
	struct loop *l = loop_new();
	struct seen s = { 0 };
	int pair[2];
	char byte;

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	s.watch = loop_watch_new(l, pair[0], LOOP_READ, note, &s);
	assert_non_null(s.watch);
	loop_run_once(l, 0);
	assert_int_equal(s.calls, 0);
	assert_int_equal(write(pair[1], "x", 1), 1);
	run_until(l, &s.calls, 2);
	assert_int_equal(s.events, LOOP_READ);
	assert_int_equal(read(pair[0], &byte, 1), 1);
	s.calls = 0;
	loop_run_once(l, 0);
	assert_int_equal(s.calls, 0);
	loop_watch_free(s.watch);
	loop_free(l);
	close(pair[0]);
	close(pair[1]);
}

static void hangup_is_told_once_and_unasked(void **state)
{
	struct loop *l = loop_new();
	struct seen s = { 0 };
	int pair[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	/* half closed: it stays writable, so only READ would notice otherwise */
	s.watch = loop_watch_new(l, pair[0], LOOP_HANGUP, note, &s);
	assert_int_equal(shutdown(pair[1], SHUT_WR), 0);
	run_until(l, &s.calls, 1);
	assert_int_equal(s.events, LOOP_HANGUP);
	loop_run_once(l, 0);
	assert_int_equal(s.calls, 1);
	loop_watch_free(s.watch);
	loop_free(l);
	close(pair[0]);
	close(pair[1]);
}

static void a_paused_watch_is_silent(void **state)
{
	struct loop *l = loop_new();
	struct seen s = { 0 };
	int pair[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	s.watch = loop_watch_new(l, pair[0], LOOP_READ, note, &s);
	loop_watch_set(s.watch, 0);
	assert_int_equal(write(pair[1], "x", 1), 1);
	close(pair[1]);
	loop_run_once(l, 0);
	assert_int_equal(s.calls, 0);
	loop_watch_set(s.watch, LOOP_READ);
	run_until(l, &s.calls, 1);
	loop_watch_free(s.watch);
	loop_free(l);
	close(pair[0]);
}

static void an_error_counts_as_hangup(void **state)
{
	struct loop *l = loop_new();
	struct seen s = { 0 };
	int pipefd[2];

	assert_int_equal(pipe2(pipefd, O_CLOEXEC), 0);
	s.watch = loop_watch_new(l, pipefd[1], LOOP_WRITE, note, &s);
	close(pipefd[0]);
	run_until(l, &s.calls, 1);
	assert_true(s.events & LOOP_HANGUP);
	loop_watch_free(s.watch);
	loop_free(l);
	close(pipefd[1]);
}

static void free_watch(void *arg, int events)
{
	struct seen *s = arg;

	loop_watch_free(s->watch);
	s->calls++;
}

static void a_watch_may_be_freed_in_its_callback(void **state)
{
	struct loop *l = loop_new();
	struct seen s = { 0 };
	int fd = eventfd(1, EFD_CLOEXEC);

	s.watch = loop_watch_new(l, fd, LOOP_READ, free_watch, &s);
	run_until(l, &s.calls, 1);
	loop_run_once(l, 0);
	assert_int_equal(s.calls, 1);
	loop_free(l);
	close(fd);
}

static void regular_files_and_second_watches_are_refused(void **state)
{
	struct loop *l = loop_new();
	struct loop_watch *first;
	FILE *file = tmpfile();
	int fd = eventfd(0, EFD_CLOEXEC);

	errno = 0;
	assert_null(loop_watch_new(l, fileno(file), LOOP_READ, note, NULL));
	assert_int_equal(errno, EPERM);
	first = loop_watch_new(l, fd, LOOP_READ, note, NULL);
	assert_null(loop_watch_new(l, fd, LOOP_READ, note, NULL));
	assert_int_equal(errno, EEXIST);
	loop_watch_free(first);
	loop_free(l);
	fclose(file);
	close(fd);
}

static void fired(void *arg)
{
	struct seen *s = arg;

	s->calls++;
}

static void a_timer_fires_once_per_arming(void **state)
{
	struct loop *l = loop_new();
	struct seen s = { 0 };
	int64_t start = clock_mono_ns();

	s.timer = loop_timer_new(l, fired, &s);
	loop_timer_set(s.timer, 20);
	run_until(l, &s.calls, 1);
	assert_true(clock_mono_ns() - start >= 19 * NS_PER_MS);
	loop_run_once(l, 0);
	assert_int_equal(s.calls, 1);
	loop_timer_set(s.timer, 0);
	run_until(l, &s.calls, 2);
	loop_timer_set(s.timer, 0);
	loop_timer_set(s.timer, -1);
	loop_run_once(l, 0);
	assert_int_equal(s.calls, 2);
	loop_timer_free(s.timer);
	loop_free(l);
}

static void waiting_once_is_bounded(void **state)
{
	struct loop *l = loop_new();
	int64_t start = clock_mono_ns();

	loop_run_once(l, 30);
	assert_true(clock_mono_ns() - start >= 29 * NS_PER_MS);
	loop_free(l);
}

struct numbered {
	struct loop_task task;
	int number;
	struct poster *from;
};

struct poster {
	struct loop *loop;
	int next, done;
	struct numbered tasks[1000];
};

static void in_order(struct loop_task *task)
{
	struct numbered *n = container_of(task, struct numbered, task);

	assert_int_equal(n->number, n->from->next);
	assert_true(loop_is_mine(n->from->loop));
	n->from->next++;
}

static void *post_all(void *arg)
{
	struct poster *p = arg;

	assert_false(loop_is_mine(p->loop));
	for (int i = 0; i < 1000; i++) {
		p->tasks[i] = (struct numbered){ .task.run = in_order, .number = i, .from = p };
		loop_post(p->loop, &p->tasks[i].task);
	}
	return NULL;
}

static void posts_of_a_thread_keep_their_order(void **state)
{
	static struct poster posters[3];
	struct loop *l = loop_new();
	unsigned long threads[3];

	for (int i = 0; i < 3; i++) {
		posters[i].loop = l;
		assert_int_equal(thread_start(&threads[i], post_all, &posters[i], "poster"), 0);
	}
	for (int i = 0; i < 3; i++)
		run_until(l, &posters[i].next, 1000);
	for (int i = 0; i < 3; i++)
		thread_join(threads[i]);
	loop_free(l);
}

struct stopper {
	struct loop_task task;
	struct loop *loop;
	bool was_marked;
};

static void stop_it(struct loop_task *task)
{
	struct stopper *s = container_of(task, struct stopper, task);

	s->was_marked = thread_is_loop();
	loop_stop(s->loop);
}

static void run_marks_the_thread_until_stop(void **state)
{
	struct loop *l = loop_new();
	struct stopper s = { .task.run = stop_it, .loop = l };

	loop_post(l, &s.task);
	loop_run(l);
	assert_true(s.was_marked);
	assert_false(thread_is_loop());
	loop_stop(l); /* a stop that comes first is not lost */
	loop_run(l);
	loop_free(l);
}

static void count_task(struct loop_task *task)
{
	struct numbered *n = container_of(task, struct numbered, task);

	n->number++;
}

static void what_was_posted_runs_before_the_end(void **state)
{
	struct loop *l = loop_new();
	struct numbered n = { .task.run = count_task };

	loop_post(l, &n.task);
	loop_free(l);
	assert_int_equal(n.number, 1);
}

static void signals_come_to_the_loop(void **state)
{
	struct loop *l = loop_new();
	struct seen usr1 = { 0 }, usr2 = { 0 };
	sigset_t set, old;

	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	sigaddset(&set, SIGUSR2);
	sigprocmask(SIG_BLOCK, &set, &old);
	assert_int_equal(loop_signal(l, SIGUSR1, note, &usr1), 0);
	assert_int_equal(loop_signal(l, SIGUSR2, note, &usr2), 0);
	kill(getpid(), SIGUSR2);
	run_until(l, &usr2.calls, 1);
	assert_int_equal(usr2.events, SIGUSR2);
	assert_int_equal(usr1.calls, 0);
	kill(getpid(), SIGUSR1);
	run_until(l, &usr1.calls, 1);
	loop_free(l);
	sigprocmask(SIG_SETMASK, &old, NULL);
}

static void rest_comes_once_after_the_last_event(void **state)
{
	struct loop *l = loop_new();
	struct seen rested = { 0 }, timed = { 0 };
	struct loop_timer *t = loop_timer_new(l, fired, &timed);

	loop_on_rest(l, 20, fired, &rested);
	for (int i = 0; i < 3; i++) { /* events that do not let it rest */
		loop_timer_set(t, 1);
		run_until(l, &timed.calls, i + 1);
	}
	run_until(l, &rested.calls, 1);
	loop_run_once(l, 50);
	assert_int_equal(rested.calls, 1);
	loop_timer_set(t, 0);
	run_until(l, &rested.calls, 2);
	loop_free(l);
}

struct reposter {
	struct loop_task task;
	struct loop *loop;
	int left, ran;
};

static void run_and_post(struct loop_task *task)
{
	struct reposter *p = container_of(task, struct reposter, task);

	p->ran++;
	if (p->left-- > 0)
		loop_post(p->loop, task);
}

static void post_on_timer(void *arg)
{
	struct reposter *p = arg;

	loop_post(p->loop, &p->task);
}

/* Without a timeout: a wait would not end. */
static void what_is_posted_by_a_callback_ends_the_wait(void **state)
{
	struct loop *l = loop_new();
	struct reposter p = { .loop = l, .left = 3, .task.run = run_and_post };
	struct loop_timer *t = loop_timer_new(l, post_on_timer, &p);

	alarm(60);
	loop_timer_set(t, 0);
	while (p.ran < 4)
		loop_run_once(l, -1);
	loop_post(l, &p.task);
	loop_run_once(l, -1);
	assert_int_equal(p.ran, 5);
	alarm(0);
	loop_free(l);
}

static void endless_posting_starves_no_descriptor(void **state)
{
	struct loop *l = loop_new();
	struct reposter p = { .loop = l, .left = 1000000, .task.run = run_and_post };
	struct seen s = { 0 };
	int fd = eventfd(1, EFD_CLOEXEC);

	s.watch = loop_watch_new(l, fd, LOOP_READ, note, &s);
	loop_post(l, &p.task);
	while (s.calls == 0 && p.left > 0)
		loop_run_once(l, -1);
	assert_true(s.calls > 0 && p.left > 0);
	p.left = 0;
	loop_watch_free(s.watch);
	loop_free(l);
	close(fd);
}

static int pidfd_of(const char *script)
{
	char *argv[] = { (char *)"sh", (char *)"-c", (char *)script, NULL };
	pid_t pid;

	assert_int_equal(posix_spawn(&pid, "/bin/sh", NULL, NULL, argv, environ), 0);
	return (int)syscall(SYS_pidfd_open, pid, 0);
}

static void child_ends_come_with_their_status(void **state)
{
	struct loop *l = loop_new();
	struct seen exited = { 0 }, killed = { 0 }, sleeping = { 0 };
	int fd = pidfd_of("exec cat /dev/zero >/dev/null");

	assert_int_equal(loop_child(l, pidfd_of("exit 7"), note, &exited), 0);
	assert_int_equal(loop_child(l, pidfd_of("kill -9 $$"), note, &killed), 0);
	assert_int_equal(loop_child(l, fd, note, &sleeping), 0);
	run_until(l, &exited.calls, 1);
	run_until(l, &killed.calls, 1);
	assert_int_equal(exited.events, 7);
	assert_int_equal(killed.events, 128 + 9);
	assert_int_equal(sleeping.calls, 0);
	assert_int_equal(syscall(SYS_pidfd_send_signal, fd, SIGTERM, NULL, 0), 0);
	run_until(l, &sleeping.calls, 1);
	assert_int_equal(sleeping.events, 128 + SIGTERM);
	loop_free(l);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(readable_is_told_until_it_is_read),
		TEST(hangup_is_told_once_and_unasked),
		TEST(a_paused_watch_is_silent),
		TEST(an_error_counts_as_hangup),
		TEST(a_watch_may_be_freed_in_its_callback),
		TEST(regular_files_and_second_watches_are_refused),
		TEST(a_timer_fires_once_per_arming),
		TEST(waiting_once_is_bounded),
		TEST(posts_of_a_thread_keep_their_order),
		TEST(rest_comes_once_after_the_last_event),
		TEST(what_is_posted_by_a_callback_ends_the_wait),
		TEST(endless_posting_starves_no_descriptor),
		TEST(run_marks_the_thread_until_stop),
		TEST(what_was_posted_runs_before_the_end),
		TEST(signals_come_to_the_loop),
		TEST(child_ends_come_with_their_status),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
