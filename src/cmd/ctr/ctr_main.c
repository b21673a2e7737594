/* SPDX-License-Identifier: Apache-2.0 */
#include <stddef.h>
#include <stdio.h>

#include "base/attr.h"
#include "cmd/ctr/cmd_run.h"
#include "cmd/ctr/cmd_snapshots.h"
#include "cmd/ctr/ctr_client.h"
#include "cmd/ctr/ctr_cmds.h"

static const struct flag global_flags[] = {
	FLAG("debug", FLAG_SWITCH, offsetof(struct ctr_args, debug),
			"print debugging messages"),
	FLAG("address, a", FLAG_TEXT, offsetof(struct ctr_args, address),
			"socket of the daemon", .fallback = CTRD_DEFAULT_ADDRESS,
			.env = "CONTAINERD_ADDRESS"),
	FLAG("timeout", FLAG_DURATION, offsetof(struct ctr_args, timeout_ns),
			"how long the whole command may take"),
	FLAG("connect-timeout", FLAG_DURATION, offsetof(struct ctr_args, connect_timeout_ns),
			"how long connecting may take"),
	FLAG("namespace, n", FLAG_TEXT, offsetof(struct ctr_args, ns), "namespace to work in",
			.fallback = "default", .env = "CONTAINERD_NAMESPACE"),
	{ 0 },
};

static const struct command commands[] = {
	{ .names = "plugins, plugin",
			.help = "show the daemon's plugins",
			.commands = plugins_commands },
	{ .names = "version",
			.help = "print the versions of client and server",
			.run = run_version },
	{ .names = "containers, c, container",
			.help = "manage containers",
			.commands = containers_commands },
	{ .names = "content", .help = "manage content", .commands = content_commands },
	{ .names = "events, event", .help = "show events as they happen", .run = run_events },
	{ .names = "images, image, i", .help = "manage images", .commands = images_commands },
	{ .names = "leases", .help = "manage leases", .commands = leases_commands },
	{ .names = "namespaces, namespace, ns",
			.help = "manage namespaces",
			.commands = namespaces_commands },
	{ .names = "run",
			.help = "run a container",
			.args = "[flags] Image|RootFS ID [COMMAND] [ARG...]",
			.flags = run_flags,
			.args_size = sizeof(struct run_args),
			.run = run_run },
	{ .names = "sandboxes, sandbox, sb, s",
			.help = "manage sandboxes",
			.commands = sandboxes_commands },
	{ .names = "snapshots, snapshot",
			.help = "manage snapshots",
			.commands = snapshots_commands,
			.flags = snapshots_flags,
			.args_size = sizeof(struct snapshots_args) },
	{ .names = "tasks, t, task", .help = "manage tasks", .commands = tasks_commands },
	{ .names = "oci", .help = "tools for OCI documents", .commands = oci_commands },
	{ .names = "install",
			.help = "install programs from an image",
			.args = "[flags] <ref>",
			.flags = install_flags,
			.args_size = sizeof(struct install_args),
			.run = run_install },
	{ .names = "info",
			.help = "print what the daemon says about itself",
			.run = run_server_info },
	{ .names = "deprecations",
			.help = "show deprecated features in use",
			.commands = deprecations_commands },
	{ 0 },
};

static const struct command ctr = {
	.names = "ctr",
	.help = "command line client of containerd",
	.description = "ctr is a tool for looking into a containerd daemon and for trying "
		       "things "
		       "out.\n   Its commands and options may change from release to release.",
	.flags = global_flags,
	.args_size = sizeof(struct ctr_args),
	.commands = commands,
};

int main(int argc, char **argv)
{
	int status = command_main(&ctr, argc, argv);

	if (fflush(stdout) != 0 && status == 0)
		status = 1;
	return status;
}
