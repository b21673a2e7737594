/* SPDX-License-Identifier: Apache-2.0 */
#include "shim/shim_reaper.h"

#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "loop/loop.h"
#include "os/process.h"

/* Of exits that nobody has claimed yet; the oldest is forgotten first. */
#define MAX_EARLY      4096
#define STATUS_UNKNOWN 255

struct early_exit {
	pid_t pid;
	int status;
	int64_t wall_ns;
};

struct reaper {
	struct loop *loop;
	struct list watches;
	size_t holds;
	struct early_exit *early; /* while held */
	size_t early_count;
};

static struct exit_watch *find_watch(struct reaper *r, pid_t pid)
{
	list_for_each (it, &r->watches) {
		struct exit_watch *w = list_entry(it, struct exit_watch, node);

		if (w->pid == pid)
			return w;
	}
	return NULL;
}

static void remember(struct reaper *r, const struct early_exit *e)
{
	if (r->early_count == MAX_EARLY) {
		r->early_count--;
		memmove(r->early, r->early + 1, r->early_count * sizeof(*r->early));
	}
	r->early = xreallocarray(r->early, r->early_count + 1, sizeof(*r->early));
	r->early[r->early_count++] = *e;
}

static void on_sigchld(void *arg, int signo)
{
	struct reaper *r = arg;
	struct early_exit e = { 0 };

	while ((e.pid = process_reap(&e.status)) > 0) {
		struct exit_watch *w = find_watch(r, e.pid);

		e.wall_ns = clock_wall_ns();
		if (w != NULL) {
			reaper_unwatch(w);
			w->ended(w, e.status, e.wall_ns);
		} else if (r->holds > 0) {
			remember(r, &e);
		}
	}
}

struct reaper *reaper_new(struct loop *l)
{
	struct reaper *r = xzalloc(sizeof(*r));
	int rc;

	r->loop = l;
	list_init(&r->watches);
	rc = loop_signal(l, SIGCHLD, on_sigchld, r);
	if (rc < 0)
		abort(); /* no descriptors at the start of the process */
	return r;
}

void reaper_free(struct reaper *r)
{
	if (r == NULL)
		return;
	list_for_each (it, &r->watches)
		reaper_unwatch(list_entry(it, struct exit_watch, node));
	free(r->early);
	free(r);
}

void reaper_hold(struct reaper *r)
{
	r->holds++;
}

void reaper_release(struct reaper *r)
{
	if (--r->holds > 0)
		return;
	free(r->early);
	r->early = NULL;
	r->early_count = 0;
}

/* The latest with this pid: an older one belongs to a process that had the number before. */
static bool claim(struct reaper *r, pid_t pid, struct early_exit *ret)
{
	for (size_t i = r->early_count; i > 0; i--) {
		if (r->early[i - 1].pid != pid)
			continue;
		*ret = r->early[i - 1];
		r->early[i - 1].pid = 0;
		return true;
	}
	return false;
}

static void on_stranger(void *arg, int events)
{
	struct exit_watch *w = arg;

	reaper_unwatch(w);
	w->ended(w, STATUS_UNKNOWN, clock_wall_ns());
}

void reaper_watch(struct reaper *r, struct exit_watch *w, pid_t pid)
{
	struct early_exit e;

	w->pid = pid;
	w->pidfd = -1;
	w->stranger = NULL;
	w->reaper = r;
	list_init(&w->node);
	w->pidfd = pidfd_of(pid);
	if (w->pidfd >= 0 && pidfd_is_child(w->pidfd)) {
		close_fd(&w->pidfd); /* its number stays taken until we reap it */
		list_append(&r->watches, &w->node);
		return;
	}
	if (claim(r, pid, &e)) {
		close_fd(&w->pidfd);
		w->reaper = NULL;
		w->ended(w, e.status, e.wall_ns);
		return;
	}
	log_warn(NULL, "process %d is not a descendant, its exit status will be unknown", pid);
	if (w->pidfd >= 0)
		w->stranger = loop_watch_new(r->loop, w->pidfd, LOOP_READ, on_stranger, w);
	if (w->stranger == NULL)
		on_stranger(w, 0);
}

void reaper_unwatch(struct exit_watch *w)
{
	if (w->reaper == NULL)
		return;
	list_remove(&w->node);
	loop_watch_free(w->stranger);
	w->stranger = NULL;
	close_fd(&w->pidfd);
	w->reaper = NULL;
}
