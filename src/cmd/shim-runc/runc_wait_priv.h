/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdbool.h>

#include "base/attr.h"

struct call;
struct proc;

/* Answers the call, now or when the process is over. False if the call has been cancelled
 * already: nothing is kept then. */
MUST_USE bool proc_wait(struct proc *p, struct call *call);
