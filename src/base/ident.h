/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "base/attr.h"

struct err;

/* containerd's identifier rule (reference 01 §2.4): 1 to 76 letters and digits, with single
 * '.', '_' or '-' between them. INVALID otherwise. */
#define IDENT_MAX 76
MUST_USE int ident_check(const char *id, struct err *err);
