/* SPDX-License-Identifier: Apache-2.0 */
/* The serving side of one gRPC connection: bytes in, bytes out, no I/O. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "rpc/rpc_sock_priv.h"
#include "rpc/server_priv.h"

struct grpc_conn;

MUST_USE struct grpc_conn *grpc_conn_new(struct rpc_server *s);
/* input, output …; the last entry frees the connection. */
extern const struct rpc_sock_ops grpc_conn_ops;
/* For tests, which have no socket to ask. */
struct rpc_conn *grpc_conn_base(struct grpc_conn *c);
