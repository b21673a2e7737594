/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where the standard streams of one process come from and go to: the client's fifos, a file, a
 * logging program, nowhere, or a terminal (reference 02 §3.6). The fifos are opened for both
 * directions: a client may leave and another come without the process noticing.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"

struct console_hub;
struct err;
struct loop;
struct reaper;
struct stdio;

struct stdio_env {
	struct loop *loop;
	struct reaper *reaper;
	struct console_hub *hub;
	const char *ns;
};

struct stdio_names {
	const char *in, *out, *err; /* as the client sent them; "" for none */
	bool terminal;
	const char *id;	   /* of the process */
	uint32_t uid, gid; /* owner of the pipes */
};

MUST_USE struct stdio *stdio_new(
		const struct stdio_env *env); /* env is borrowed for its life */
/* "opened" comes exactly once, maybe before this returns, with an err that is its to read on
 * failure. The stdio is to be closed in any case. */
void stdio_open(struct stdio *io, const struct stdio_names *names,
		void (*opened)(void *arg, const struct err *err), void *arg);

/* For os/spawn.h: descriptors of the runtime's child, borrowed; -1 is /dev/null. False: none
 * are set, the runtime's own output is of interest (terminals). */
bool stdio_child_fds(const struct stdio *io, int fds[3]);
/* The child has them: ours are closed, and copying begins. */
void stdio_spawned(struct stdio *io);
/* Terminals: takes the master over, and copying begins. 0 or -errno. */
MUST_USE int stdio_attach_console(struct stdio *io, int own_master);

/* 0 or -errno; no terminal: 0. */
MUST_USE int stdio_resize(struct stdio *io, uint16_t columns, uint16_t rows);
/* Closes our own writer of the input: the process meets the end when the clients' are closed
 * too. */
void stdio_close_input(struct stdio *io);
/* The process has ended: a terminal is emptied and then ends by itself. */
void stdio_process_ended(struct stdio *io);

/* All that the process wrote has been passed on. */
bool stdio_is_drained(const struct stdio *io);
/* Tells when that happens; one listener, NULL to stop. */
void stdio_on_drained(struct stdio *io, void (*drained)(void *arg), void *arg);

/* Closes everything, whatever state it is in. "closed" comes once, maybe at once (a logging
 * program gets time to end); the stdio is gone then. */
void stdio_close(struct stdio *io, void (*closed)(void *arg), void *arg);

/* A parsed stdout, for tests. */
enum stdio_kind {
	STDIO_FIFO,
	STDIO_FILE,
	STDIO_BINARY,
	STDIO_BINARY_STRICT,
};
struct stdio_url {
	enum stdio_kind kind;
	char *path;
	char **args; /* keys and values of the query, in order */
};
MUST_USE int stdio_url_parse(const char *text, struct stdio_url *ret, struct err *err);
void stdio_url_done(struct stdio_url *u);
