/* SPDX-License-Identifier: Apache-2.0 */
/* The side of the daemon that takes over from another one: what it gets, and when it may act.
 */
#pragma once

#include <stdbool.h>

#include "base/attr.h"

struct err;
struct heritage;
struct rpc_server;

/* Finds the daemon that started us to be replaced, or, asked to take over, the one that serves
 * on "address"; waits until it has let go of everything on disk. *ret_heritage stays NULL when
 * there is nothing to take over. */
MAY_BLOCK MUST_USE int heritage_begin(bool is_asked, const char *address, const char *state_dir,
		struct heritage **ret_heritage, struct err *err);

/* The listening socket of this name, the caller's from now on; -1 if there is none. */
MUST_USE int heritage_listener(struct heritage *h, const char *name);

/* Takes the connections over. The server must be held at RPC_HOLD_ALL. */
MAY_BLOCK MUST_USE int heritage_adopt(
		struct heritage *h, struct rpc_server *s, struct err *err);

/* Says that we could serve, and waits for the word that we are to. */
MAY_BLOCK MUST_USE int heritage_confirm(struct heritage *h, struct err *err);

void heritage_free(struct heritage *h);
