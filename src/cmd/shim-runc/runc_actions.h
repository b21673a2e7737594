/* SPDX-License-Identifier: Apache-2.0 */
/* What the program can be called for (reference 02 §2). Each returns the exit status; what is
 * wrong is told on standard error. */
#pragma once

struct shim_flags;

int action_start(const struct shim_flags *flags);
int action_delete(const struct shim_flags *flags);
int action_info(const struct shim_flags *flags);
int action_serve(const struct shim_flags *flags);

struct err;
/* "io.containerd.runc.v2: <why>", as daemons print it. Returns 1. */
int action_fail(const struct err *err);

#define RUNC_SHIM_NAME "io.containerd.runc.v2"
