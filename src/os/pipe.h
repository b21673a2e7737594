/* SPDX-License-Identifier: Apache-2.0 */
/* Pipes and named pipes, and moving bytes between descriptors without copying them. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "base/attr.h"

/* Both ends close-on-exec, and blocking: the other program expects that. 0 or -errno. */
MUST_USE int pipe_make(int *ret_read, int *ret_write);

/* Asks for room for "size" bytes; ignored where the kernel does not grant it. */
void pipe_enlarge(int fd, int size);

MUST_USE int fd_set_nonblocking(int fd, bool on); /* 0 or -errno */

enum fifo_mode {
	FIFO_READ,  /* does not wait for a writer */
	FIFO_WRITE, /* -ENXIO without a reader */
	FIFO_BOTH,  /* waits for nobody, and the other side may come and go */
};

/* Opens an existing named pipe, non-blocking and close-on-exec. The name is looked up once:
 * what is checked is what is opened. -EPROTOTYPE if it is something else than a pipe. */
MUST_USE int fifo_open(const char *path, enum fifo_mode mode);

/* Creates a named pipe; one that exists is fine. 0 or -errno. */
MUST_USE int fifo_make(const char *path, mode_t mode);
