/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A program that takes a container's output (binary:// URLs): it reads the output at
 * descriptors 3 and 4, and says by closing (or writing to) 5 that it is ready.
 */
#pragma once

#include <stdbool.h>

#include "base/attr.h"

struct err;
struct logger;
struct loop;
struct reaper;

struct logger_call {
	const char *path;
	char *const *args; /* behind the path */
	const char *id;	   /* of the process whose output it is */
	const char *ns;
	bool strict; /* it must say that it is ready, not just end */
};

/* 0, and "ready" once from the loop (err is set, and the callee's to read, if it did not get
 * ready; the logger is still to be freed); or -1. It waits as long as the program does. */
MUST_USE int logger_start(struct loop *l, struct reaper *r, const struct logger_call *call,
		void (*ready)(void *arg, const struct err *err), void *arg,
		struct logger **ret_logger, struct err *err);

/* Write ends for the container's output; borrowed, open until logger_end(). */
int logger_stdout(const struct logger *lg);
int logger_stderr(const struct logger *lg);

/* Closes those two before the end: copies of them are what the program reads from now on. */
void logger_release(struct logger *lg);

/* Closes the pipes; the program may finish what it has read, asked to end after that if
 * "terminate". "ended" comes once, maybe at once; the logger is gone then. Also ends one that
 * never got ready. */
void logger_end(struct logger *lg, bool terminate, void (*ended)(void *arg), void *arg);
