/* SPDX-License-Identifier: Apache-2.0 */
/* The socket that a runtime sends the master side of a new terminal to. */
#pragma once

#include <stdint.h>

#include "base/attr.h"
#include "base/auto.h"

struct err;
struct loop;
struct ptysock;

MUST_USE int ptysock_new(struct loop *l, struct ptysock **ret_sock, struct err *err);
/* Removes the socket and its directory. */
void ptysock_free(struct ptysock *ps);
DEFINE_AUTO(struct ptysock *, ptysock_free)

const char *ptysock_path(const struct ptysock *ps);

/* Calls back once, maybe at once, with the master (the callee's to close), or with an err that
 * is its to read. Waits at most timeout_ms. */
void ptysock_receive(struct ptysock *ps, int64_t timeout_ms,
		void (*got)(void *arg, int own_master, const struct err *err), void *arg);
