/* SPDX-License-Identifier: Apache-2.0 */
/* Unix sockets that keep messages apart, and carry descriptors with them. All descriptors are
 * close-on-exec; waiting is bounded. */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/attr.h"

/* Both ends. 0 or -errno. */
MUST_USE int packet_pair(int ret_fds[2]);
/* A name for one visitor: nobody but us may come in. The descriptor or -errno. */
MUST_USE int packet_listen(const char *path);
/* The visitor; -ETIMEDOUT. */
MAY_BLOCK MUST_USE int packet_accept(int listener, int64_t mono_deadline_ns);
/* -ECONNREFUSED, -ENOENT: nobody is there. */
MUST_USE int packet_connect(const char *path);
/* The process at the other end, if it is of our user; -EPERM if not. */
MUST_USE pid_t packet_peer(int fd);

#define PACKET_MAX_FDS 2

/* 0 or -errno; -EPIPE when the other end has gone. */
MAY_BLOCK MUST_USE int packet_send(int fd, const void *data, size_t size, const int *fds,
		size_t count, int64_t mono_deadline_ns);
/* How many bytes, 0 when the other end has gone, or -errno. Descriptors that do not come are
 * -1; more than "count" are -EPROTO. */
MAY_BLOCK MUST_USE ssize_t packet_receive(int fd, void *data, size_t room, int *ret_fds,
		size_t count, int64_t mono_deadline_ns);
