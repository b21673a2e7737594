/* SPDX-License-Identifier: Apache-2.0 */
/* One row per command of the top level; each lives in a file of its own. */
#pragma once

#include "cmd/ctr/ctr_command.h"

extern const struct command containers_commands[];
extern const struct command content_commands[];
extern const struct command deprecations_commands[];
extern const struct command images_commands[];
extern const struct command leases_commands[];
extern const struct command namespaces_commands[];
extern const struct command oci_commands[];
extern const struct command plugins_commands[];
extern const struct command sandboxes_commands[];
extern const struct command snapshots_commands[];
extern const struct command tasks_commands[];

struct install_args {
	bool libs, replace;
	const char *path;
};
extern const struct flag install_flags[];
extern const struct flag run_flags[];
extern const struct flag snapshots_flags[];

int run_content_verify(struct cx *cx);
int run_events(struct cx *cx);
int run_install(struct cx *cx);
int run_server_info(struct cx *cx);
int run_run(struct cx *cx);
int run_version(struct cx *cx);
