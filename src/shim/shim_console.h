/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A container's terminal: its master side, copied to and from the client's fifos. All terminals
 * of a shim share one set of edges to wait on (os/tty.h says why edges).
 */
#pragma once

#include <stdint.h>

#include "base/attr.h"
#include "base/auto.h"

struct console;
struct console_hub;
struct loop;

MUST_USE struct console_hub *console_hub_new(struct loop *l);
void console_hub_free(struct console_hub *h); /* after its consoles */
DEFINE_AUTO(struct console_hub *, console_hub_free)

/* Copies from_fifo -> master -> to_pipe; -1 for a side that is not wanted (output is then
 * dropped). Takes all three over, also on failure, which is -errno. "done" comes once, from the
 * loop, when all output has been passed on after the terminal's end; to_pipe is closed then. */
MUST_USE int console_start(struct console_hub *h, int own_master, int own_from_fifo,
		int own_to_pipe, void (*done)(void *arg), void *arg,
		struct console **ret_console);
/* Ends it now, without "done". */
void console_free(struct console *c);
DEFINE_AUTO(struct console *, console_free)

/* 0 or -errno. After the end: 0. */
MUST_USE int console_resize(struct console *c, uint16_t columns, uint16_t rows);

/* The process has ended: what is left in the terminal is passed on, then it ends. */
void console_shutdown(struct console *c);
