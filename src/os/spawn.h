/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Starting other programs. The child shares our memory until it executes the new program
 * (vfork semantics), so that nothing is copied and the error of execve() comes back as the
 * result. It gets exactly the descriptors named, default signal handlers and no blocked signal.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "base/attr.h"

#define SPAWN_MAX_FDS 16

struct spawn {
	const char *path; /* a path; spawn_find() looks in PATH */
	char *const *argv;
	char *const *envp; /* NULL: ours */
	const char *cwd;   /* NULL: ours; so too if it does not exist (any more) */
	/* The child's descriptors 0 … count - 1; -1 is /dev/null. At least three. */
	int fds[SPAWN_MAX_FDS];
	size_t fd_count;
	int death_signal; /* sent to the child when the calling thread ends; 0: none */
	bool new_group;	  /* leads a process group of its own */
};

/* 0 or -errno of whatever failed up to and including execve(); nothing is left running then.
 * ret_pidfd may be NULL, and is close-on-exec. The child is the caller's to wait for. */
MUST_USE int spawn_child(const struct spawn *s, pid_t *ret_pid, int *ret_pidfd);

/*
 * Calls fn in a process of its own that shares our memory but has its own copies of our
 * descriptors, and returns when it has. What fn leaves open is closed after that, while nobody
 * waits. The process is our child and for whoever reaps any; it sends a SIGCHLD. fn is to be
 * marked SPAWN_IN_CHILD and to make bare system calls only. 0, or -errno if there was no call.
 */
MUST_USE int spawn_apart(int (*fn)(void *arg), void *arg);

/* What runs there must neither leave marks of its frames in the memory of the sanitizers (they
 * are never left), nor tell of calls that concern the child's descriptors and signals only. */
#define SPAWN_IN_CHILD __attribute__((no_sanitize("address", "thread", "undefined"), noinline))

/* What execvp() would run: "name" itself if it has a slash, else the first executable file of
 * that name in "path" (colon-separated). -ENOENT, or -EACCES if only unusable ones were there.
 */
MUST_USE int spawn_find(const char *name, const char *path, char **ret_path);
