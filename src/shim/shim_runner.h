/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Running another program to its end without waiting for it: what it wrote is collected within
 * a bound, its exit is an event.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/attr.h"

struct loop;
struct reaper;
struct runner;
struct spawn;

struct runner_result {
	int status; /* exit code, or 128 + signal */
	/* Standard output and error together, if captured; borrowed. */
	const char *output;
	size_t output_size;
	bool output_cut; /* there was more than the bound */
};

/* In spawn->fds: give the write end of a pipe that the result collects. */
#define RUNNER_CAPTURE (-2)

/* 0 and "done" later, exactly once; or -errno of the start. A program that leaves something
 * behind that holds the pipe open is not waited for beyond its own end. */
MUST_USE int runner_start(struct loop *l, struct reaper *r, struct spawn *s,
		void (*done)(void *arg, const struct runner_result *result), void *arg,
		struct runner **ret_runner);
/* SIGKILL; done() comes as usual. */
void runner_kill(struct runner *r);
