/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

struct rpc_server;
struct shim;

/* Offers the task service in both versions that daemons ask for: they differ in name only. */
void runc_service_add(struct rpc_server *server, struct shim *s);
