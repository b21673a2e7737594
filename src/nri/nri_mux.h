/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The socket to a plugin, taken apart into its two connections: each has a socket of its own
 * here, which the ttrpc client and server take as they take any other. Holds a few kilobytes,
 * however much the peer sends: what one side does not take stays in the kernel.
 */
#pragma once

#include "base/attr.h"

struct loop;
struct nri_mux;

/* Takes own_fd over. ret_plugin and ret_runtime get our end of the two connections. "ended"
 * runs once on the loop, not from within these functions, when the peer or one of those ends
 * has gone or the peer broke the rules; the mux is still to be freed. 0 or -errno. */
ON_LOOP MUST_USE int nri_mux_new(struct loop *loop, int own_fd, void (*ended)(void *arg),
		void *arg, struct nri_mux **ret_mux, int *ret_plugin, int *ret_runtime);
/* Closes the socket. Fine from within "ended"; NULL too. */
ON_LOOP void nri_mux_free(struct nri_mux *m);
