/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Commands are tables: parser, help and the check against the manual read the same rows. The
 * behaviour (where flags end, what is printed where, which status) is that of the original's
 * framework (reference 03 §3.1).
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"

struct buf;
struct cx;

enum flag_kind {
	FLAG_END,      /* ends a table */
	FLAG_SWITCH,   /* bool */
	FLAG_TEXT,     /* const char *; NULL if not given and without a fallback */
	FLAG_LIST,     /* char **, owned: one entry each time it is given */
	FLAG_INT,      /* int64_t */
	FLAG_UINT,     /* uint64_t */
	FLAG_REAL,     /* double */
	FLAG_DURATION, /* int64_t, nanoseconds */
};

struct flag {
	const char *names; /* "quiet, q": long and short forms */
	enum flag_kind kind;
	size_t at;	      /* offset in the command's arguments */
	const char *help;     /* a word in `back quotes` names the value */
	const char *fallback; /* value if it is not given; NULL: none, false or 0 */
	const char *env;      /* variable that gives the value, or NULL */
	bool required, hidden;
};

/* A row; what is optional follows as ".fallback = ...". */
#define FLAG(names_, kind_, at_, help_, ...)                                                   \
	{                                                                                      \
		.names = names_, .kind = kind_, .at = at_, .help = help_, ##__VA_ARGS__        \
	}

struct command {
	const char *names; /* "delete, del, remove, rm" */
	const char *help;
	const char *args; /* as the usage line shows them; NULL: none */
	const char *description;
	const struct flag *flags; /* NULL: none */
	size_t args_size;	  /* of the struct that the flags fill */
	int (*run)(struct cx *cx);
	const struct command *commands; /* ends with names NULL; NULL: a leaf */
};

/* What was given on the command line, at every level. */
struct cx {
	const struct command *command;
	struct cx *parent; /* NULL at the top */
	void *args;	   /* filled from the flags */
	uint64_t given;	   /* one bit for each row of flags */
	char **argv;	   /* positional arguments, NULL-terminated */
	int argc;
};

/* args of the command, or of an enclosing one. */
#define CX_ARGS(cx, type) ((const type *)(cx)->args)

/* Positional argument, "" if it is not there. */
const char *cx_arg(const struct cx *cx, int i);
/* True if the flag stands on the command line or in the environment. */
bool cx_is_given(const struct cx *cx, const char *flag);
const struct cx *cx_top(const struct cx *cx);

/* Runs what the arguments ask for; the process's exit status. */
int command_main(const struct command *top, int argc, char **argv);

/* The help of the command, on stdout. Always 0. */
int cx_show_help(const struct cx *cx);
void help_format(const struct cx *cx, struct buf *out);

/* One name of a "a, b, c" list; NULL past the end. Owned. */
char *name_at(const char *names, size_t i);
bool name_is_in(const char *names, const char *name);
