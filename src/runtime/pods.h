/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Shims that serve a sandbox. They stand in the same table as the shims of tasks, so that tasks
 * find the one they are to live in; their bundles are in directories of their own.
 */
#pragma once

#include <stdbool.h>

#include "base/attr.h"

struct ctx;
struct err;
struct runtime;
struct sandbox;
struct shim;

/* Makes the directories (0700) and connects to the pods that an earlier daemon left there.
 * Once, before serving, after runtime_load(). */
MAY_BLOCK MUST_USE int pods_open(struct runtime *rt, const char *state_dir,
		const char *root_dir, struct err *err);

/* A shim by the sandbox's runtime and its options, in a new bundle. EXISTS, INVALID. It is
 * claimed: nobody else cleans up after it until pod_release(). */
MAY_BLOCK MUST_USE int pod_start(struct runtime *rt, struct ctx *ctx, const struct sandbox *s,
		struct shim **ret_shim, struct err *err);
/* From now on the end of its connection is its end. */
ANY_THREAD void pod_release(struct runtime *rt, struct shim *shim);

/* A reference, or NULL. */
ANY_THREAD MUST_USE struct shim *pod_find(struct runtime *rt, const char *ns, const char *id);

/* Waits for the shim's end, as long as shims may take to shut down, and removes what it had.
 * "is_told": it has been asked to end already. The shim must be claimed. */
MAY_BLOCK void pod_end(struct runtime *rt, struct shim *shim, bool is_told);
/* The same on a thread of the runtime's; then "done", which must not block. */
ANY_THREAD void pod_end_soon(struct runtime *rt, struct shim *own_shim, bool is_told,
		void (*done)(void *arg), void *arg);
