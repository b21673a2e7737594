/* SPDX-License-Identifier: Apache-2.0 */
/* The command line of containerd: one table, read by the parser and the help text. */
#pragma once

#include <stdbool.h>

#include "base/attr.h"

struct err;

struct daemon_flags {
	const char *config; /* NULL: not given */
	const char *log_level;
	const char *address;
	const char *root;
	const char *state;
	bool takeover;
	bool help;
	bool version;
};

/* Reads flags from argv[1] on; *ret_rest is the first argument that is none. INVALID in the
 * words of the original. The texts are argv's. */
MUST_USE int daemon_flags_parse(int argc, char **argv, struct daemon_flags *ret_flags,
		int *ret_rest, struct err *err);

void daemon_help(void);	       /* of containerd */
void daemon_help_config(void); /* of containerd config */
void daemon_help_publish(void);
void daemon_help_oci_hook(void);
void daemon_help_verify(void);
