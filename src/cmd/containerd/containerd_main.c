/* SPDX-License-Identifier: Apache-2.0 */
/* The containerd program: reference 03 §4.1. */
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

#include "base/err.h"
#include "base/mem.h"
#include "base/str.h"
#include "base/version.h"
#include "cmd/containerd/daemon.h"
#include "cmd/containerd/daemon_cli.h"
#include "cmd/containerd/daemon_flags.h"

/* Before the first thread: the loop reads what is blocked, and nobody else may take it. */
static void block_signals(void)
{
	static const int read_by_loop[] = { SIGTERM, SIGINT, SIGUSR1, SIGUSR2 };
	struct sigaction ignore = { .sa_handler = SIG_IGN };
	sigset_t set;

	(void)sigemptyset(&set);
	for (size_t i = 0; i < ARRAY_LEN(read_by_loop); i++)
		(void)sigaddset(&set, read_by_loop[i]);
	(void)sigprocmask(SIG_BLOCK, &set, NULL);
	(void)sigaction(SIGPIPE, &ignore, NULL);
	(void)sigaction(SIGHUP, &ignore, NULL);
}

/* Our path as it is now: an upgrade puts another file there. */
static char *own_program(void)
{
	char self[PATH_MAX];
	ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);

	self[n < 0 ? 0 : n] = '\0';
	return n < 0 ? NULL : xstrdup(self);
}

static int serve(const struct daemon_flags *flags, char **argv)
{
	AUTO_DAEMON struct daemon d = DAEMON_INIT;
	AUTO_ERR struct err err = { 0 };

	block_signals();
	d.argv = argv;
	d.program = own_program();
	if (daemon_boot(flags, &d, &err) < 0 || daemon_serve(&d, &err) < 0)
		return command_fail(&err);
	return 0;
}

static int run_command(const struct daemon_flags *flags, int argc, char **argv)
{
	if (str_eq(argv[0], "config"))
		return command_config(flags, argc - 1, argv + 1);
	if (str_eq(argv[0], "oci-hook"))
		return command_oci_hook(argc - 1, argv + 1);
	if (str_eq(argv[0], "publish"))
		return command_publish(flags, argc - 1, argv + 1);
	if (str_eq(argv[0], "verify"))
		return command_verify(flags, argc - 1, argv + 1);
	if (str_eq(argv[0], "help") || str_eq(argv[0], "h")) {
		daemon_help();
		return 0;
	}
	return command_unknown(argv[0]);
}

int main(int argc, char **argv)
{
	AUTO_ERR struct err err = { 0 };
	struct daemon_flags flags = { 0 };
	int rest = 0;

	mem_tune();
	if (daemon_flags_parse(argc, argv, &flags, &rest, &err) < 0) {
		printf("Incorrect Usage: %s\n\n", err_text(&err));
		daemon_help();
		(void)fflush(stdout);
		return command_fail(&err);
	}
	if (flags.help) {
		daemon_help();
		return 0;
	}
	if (flags.version) {
		printf("containerd " CTRD_VERSION_PACKAGE " " CTRD_FULL_VERSION
		       " " CTRD_REVISION "\n");
		return 0;
	}
	if (rest < argc)
		return run_command(&flags, argc - rest, argv + rest);
	return serve(&flags, argv);
}
