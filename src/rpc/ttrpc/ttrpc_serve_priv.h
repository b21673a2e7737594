/* SPDX-License-Identifier: Apache-2.0 */
/* The serving side of one ttrpc connection: bytes in, bytes out, no I/O. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "rpc/rpc_sock_priv.h"
#include "rpc/server_priv.h"

struct ttrpc_conn;

MUST_USE struct ttrpc_conn *ttrpc_conn_new(struct rpc_server *s);
/* input, output …; the last entry frees the connection. */
extern const struct rpc_sock_ops ttrpc_conn_ops;
