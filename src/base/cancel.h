/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Cancellation of one call: fired at most once, from any thread; whoever waits for something
 * hooks in to be told. Counted references, because the waiter may outlive the call.
 */
#pragma once

#include <stdbool.h>

#include "base/attr.h"
#include "base/auto.h"
#include "base/list.h"

struct cancel;

struct cancel_hook {
	struct list node;
	/* Runs once, on the thread that cancels, without locks held. Must not block. */
	void (*fired)(struct cancel_hook *hook);
};

MUST_USE struct cancel *cancel_new(void);
struct cancel *cancel_ref(struct cancel *c);
void cancel_unref(struct cancel *c);
DEFINE_AUTO(struct cancel *, cancel_unref)

void cancel_fire(struct cancel *c);
bool cancel_is_fired(const struct cancel *c);

/* False (and not hooked) if it has fired already. */
bool cancel_hook_add(struct cancel *c, struct cancel_hook *hook);
/* False if the hook has run, or is running; true if now it never will. */
bool cancel_hook_remove(struct cancel *c, struct cancel_hook *hook);
