/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The controller "shim": sandboxes run by shims that serve
 * containerd.runtime.sandbox.v1.Sandbox (reference 01 §10.1).
 */
#pragma once

#include "base/attr.h"

struct runtime;
struct sandbox_controller;

/* Over the pods of the runtime (pods_open()), which must outlive it. */
MUST_USE struct sandbox_controller *sandbox_shim_new(struct runtime *rt);
