/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Standing by while a process runs: its streams are ours, our signals are its own, and its exit
 * status becomes ours.
 */
#pragma once

#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"

struct ctrd_client;
struct ctrd_console;
struct ctrd_io;

struct attend {
	struct ctrd_client *client;
	const char *container, *exec_id; /* exec_id NULL: the task itself */
	struct ctrd_io *io;
	struct ctrd_console *console; /* ours, in raw mode; NULL without a terminal */
	int console_fd;
	/* from here on private */
	unsigned long waiter;
	bool is_waiting, has_ended;
	atomic_bool input_ended;
	int wake_fd, signal_fd;
	sigset_t signals, before;
	uint32_t status;
	char *wait_error; /* owned */
};

/* Where the streams go: with a terminal, ours must be one. Prints what goes wrong. */
MUST_USE int attend_open(struct attend *a, struct ctrd_client *client, const char *container,
		const char *exec_id, bool terminal);
/* Catches signals and starts to wait for the end. Before the process is started. */
MUST_USE int attend_prepare(struct attend *a);
/* Copies between the streams and a->io, which must be set. Without input: what is ours ends
 * with us, and that must not look like its end to a process that goes on. */
MUST_USE int attend_copy(struct attend *a, bool with_input);
/* Once the process is started: input that had ended before it was there ends for it too. */
void attend_started(struct attend *a);
/* Passes signals and sizes on until the process has ended; its status. */
MUST_USE int attend_wait(struct attend *a, uint32_t *ret_status);
/* Puts the terminal back, and ends a->io. True if the client had to be cancelled, because the
 * process has not ended. */
bool attend_close(struct attend *a, bool keep_io);

/* The pipes, or what flags ask for instead. */
MUST_USE int attend_make_io(struct attend *a, const char *id, bool null_io, const char *log_uri,
		const char *fifo_dir, bool terminal);
