/* SPDX-License-Identifier: Apache-2.0 */
/* The sockets that this daemon listens on, by name: a successor gets them, and we may have got
 * them ourselves. */
#pragma once

#include <stddef.h>
#include <sys/types.h>

#include "base/attr.h"

struct heritage;
struct listeners;

/* The heritage is borrowed as long as sockets are opened; NULL is fine. */
MUST_USE struct listeners *listeners_new(struct heritage *heritage);
void listeners_free(struct listeners *l); /* closes nothing */

/* Listens at a path, or at host:port; "what" is only part of the name. The descriptor, which is
 * the caller's, or -errno. */
MAY_BLOCK MUST_USE int listeners_open(struct listeners *l, const char *what,
		const char *address, uid_t uid, gid_t gid);

/* Until one call fails. */
MUST_USE int listeners_each(const struct listeners *l,
		int (*each)(void *arg, const char *name, int fd), void *arg);
/* Peers are told our pid again, after a successor that came to nothing. */
void listeners_reclaim(const struct listeners *l);
