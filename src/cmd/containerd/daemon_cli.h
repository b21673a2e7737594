/* SPDX-License-Identifier: Apache-2.0 */
/* Commands of the containerd program other than serving; each returns an exit status. */
#pragma once

#include "base/attr.h"

struct daemon_flags;

/* argv[0] is the word behind "config". */
MAY_BLOCK int command_config(const struct daemon_flags *f, int argc, char **argv);

/* The same for "publish". */
MAY_BLOCK int command_publish(const struct daemon_flags *f, int argc, char **argv);

/* The same for "oci-hook"; comes back only with a failure. */
MAY_BLOCK int command_oci_hook(int argc, char **argv);

/* The same for "verify". */
MAY_BLOCK int command_verify(const struct daemon_flags *f, int argc, char **argv);

/* "containerd: <error>" on stderr; returns 1. */
struct err;
int command_fail(const struct err *err);
/* No such (sub)command; returns 3. */
int command_unknown(const char *word);
