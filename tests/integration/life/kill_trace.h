/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Follows daemon, shims and runtimes through an operation, system call by system call, and
 * kills whoever of them comes to the n-th call.
 */
#pragma once

#include <stdbool.h>
#include <sys/types.h>

enum role {
	ROLE_DAEMON,
	ROLE_HELPER, /* "shim start" */
	ROLE_SHIM,
	ROLE_RUNTIME, /* with all that it forks, until the container's own program */
	ROLE_DELETER, /* "shim delete" */
	ROLE_OTHER,
};

struct kill_trace {
	enum role role;		   /* whose calls count */
	long n;			   /* at which to kill; 0: only count */
	pid_t daemon, shim;	   /* those that run already; 0 if not */
	int (*operate)(void *arg); /* in a process of its own */
	void *arg;
	/* found out */
	long calls;
	pid_t victim; /* 0: it was over before */
	long number;  /* of the call it was killed at */
	int status;   /* what operate() returned; -1 if it did not */
};

/* False where nobody may trace. */
bool kill_trace_possible(pid_t pid);
/* Runs it. False if that took longer than a generous time. */
bool kill_trace_run(struct kill_trace *t);
