/* SPDX-License-Identifier: Apache-2.0 */
/* A sandbox controller that only answers. Of the id "none" there is no sandbox; a WAIT for
 * "long" lasts until fake_controller_exit(). */
#pragma once

#include "base/mutex.h"
#include "core/sandbox_controller.h"

struct fake_controller {
	struct sandbox_controller base;
	struct mutex lock;
	struct cond changed;
	char last[256]; /* under lock: what was asked */
	struct {
		sandbox_done done;
		void *arg;
	} waiting[64];
	size_t waiters; /* under lock */
};

void fake_controller_init(struct fake_controller *f);
void fake_controller_done(struct fake_controller *f);
/* Answers all that wait. NULL: with success. */
void fake_controller_exit(struct fake_controller *f, const struct err *err);
void fake_controller_await_waiters(struct fake_controller *f, size_t count);
