/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The only place that waits for children. A shim is a subreaper: processes of containers become
 * its children when the runtime that made them ends, and may themselves end before anybody has
 * read their pid from the runtime's file. Such exits are kept while a process is being made.
 */
#pragma once

#include <stdint.h>
#include <sys/types.h>

#include "base/attr.h"
#include "base/auto.h"
#include "base/list.h"

struct loop;
struct loop_watch;
struct reaper;

struct exit_watch {
	struct list node;
	pid_t pid;
	/* Once; the watch is off the list then. status: exit code, or 128 + signal. */
	void (*ended)(struct exit_watch *w, int status, int64_t wall_ns);
	struct reaper *reaper; /* private, these too */
	int pidfd;
	struct loop_watch *stranger;
};

/* SIGCHLD must be blocked. */
MUST_USE struct reaper *reaper_new(struct loop *l);
void reaper_free(struct reaper *r);
DEFINE_AUTO(struct reaper *, reaper_free)

/* While held, exits of children that nobody watches are remembered for reaper_watch(). */
void reaper_hold(struct reaper *r);
void reaper_release(struct reaper *r);

/* Tells when the process ends; at once if it has. A process that is no child of ours (the
 * runtime named a stranger) is watched as well; nobody knows its status, which is 255. */
void reaper_watch(struct reaper *r, struct exit_watch *w, pid_t pid);
void reaper_unwatch(struct exit_watch *w); /* fine if not watching */
