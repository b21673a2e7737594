/* SPDX-License-Identifier: Apache-2.0 */
/* Stream sockets of the unix family. All descriptors are close-on-exec. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "base/attr.h"

/* Longest path of a socket, without the 0 byte. */
#define UNIX_PATH_MAX_LEN 107

/* Listens, non-blocking, on a new socket file that nobody but "mode" may open at any moment.
 * -EADDRINUSE if the name exists, -ENAMETOOLONG. The descriptor or -errno. */
MUST_USE int unix_listen(const char *path, mode_t mode);

/* Takes over a listening socket that another process made: non-blocking, close-on-exec, and
 * from now on peers are told our pid. 0 or -errno. */
MUST_USE int unix_adopt_listener(int fd);

/* Connects without waiting: -EAGAIN when the other side's queue is full. The socket stays
 * non-blocking. "@name" is abstract. The descriptor or -errno. */
MUST_USE int unix_connect(const char *path);

/* 0 if somebody accepts connections there, else -errno. */
MUST_USE int unix_probe(const char *path);

/* One message with exactly one descriptor, as runtimes send their console: at most "room" bytes
 * of text, of which *ret_size came. -EAGAIN if it has not come yet, -EPROTO for anything else.
 */
MUST_USE int unix_recv_fd(int sock, void *text, size_t room, size_t *ret_size, int *ret_fd);

/* Accepts one connection, non-blocking; the descriptor or -errno (-EAGAIN: none yet). */
MUST_USE int unix_accept(int listener);
