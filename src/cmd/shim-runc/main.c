/* SPDX-License-Identifier: Apache-2.0 */
/* containerd-shim-runc-v2 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/io.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "cmd/shim-runc/runc_actions.h"
#include "shim/shim_flags.h"

int action_fail(const struct err *err)
{
	AUTO_BUF struct buf line = { .limit = SIZE_MAX };

	buf_addf(&line, RUNC_SHIM_NAME ": %s", err_text(err));
	IGNORE(io_write_all(STDERR_FILENO, line.data, line.size)); /* nobody else to tell */
	return 1;
}

static int print_version(const char *program)
{
	AUTO_BUF struct buf text = { .limit = SIZE_MAX };

	buf_addf(&text, "%s:\n  Version:  %s\n  Revision: \n\n", program, CTRD_VERSION);
	return io_write_all(STDOUT_FILENO, text.data, text.size) < 0 ? 1 : 0;
}

static int print_usage(const char *argv0)
{
	AUTO_BUF struct buf text = { .limit = SIZE_MAX };

	buf_addf(&text, "Usage of %s:\n", argv0);
	shim_flags_describe(&text);
	return io_write_all(STDERR_FILENO, text.data, text.size) < 0 ? 1 : 0;
}

/* The loop reads these; the short actions are not to be interrupted half way. */
static void set_signals(void)
{
	const struct sigaction ignore = { .sa_handler = SIG_IGN };
	sigset_t mask;

	(void)sigaction(SIGPIPE, &ignore, NULL);
	(void)sigemptyset(&mask);
	(void)sigaddset(&mask, SIGCHLD);
	(void)sigaddset(&mask, SIGTERM);
	(void)sigaddset(&mask, SIGINT);
	(void)sigaddset(&mask, SIGUSR1);
	(void)sigprocmask(SIG_BLOCK, &mask, NULL);
}

static int run(const struct shim_flags *flags)
{
	AUTO_ERR struct err err = { 0 };

	if (flags->info)
		return action_info(flags);
	if (flags->ns[0] == '\0') {
		(void)err_plain(&err, ERR_INVALID, "shim namespace cannot be empty");
		return action_fail(&err);
	}
	if (str_eq(flags->action, "start"))
		return action_start(flags);
	if (str_eq(flags->action, "delete"))
		return action_delete(flags);
	return action_serve(flags);
}

int main(int argc, char **argv)
{
	const char *slash = argc > 0 ? strrchr(argv[0], '/') : NULL;
	AUTO_ERR struct err err = { 0 };
	struct shim_flags flags;

	mem_tune();
	set_signals();
	(void)unsetenv("NOTIFY_SOCKET"); /* the daemon's, not its children's */
	if (shim_flags_parse(argc, argv, &flags, &err) < 0) {
		IGNORE(io_write_all(STDERR_FILENO, err_text(&err), strlen(err_text(&err))));
		return 2;
	}
	log_setup(STDERR_FILENO, flags.debug ? LOG_DEBUG : LOG_INFO, false);
	if (flags.help)
		return print_usage(argv[0]);
	if (flags.version)
		return print_version(slash == NULL ? str_or(argv[0], "shim") : slash + 1);
	return run(&flags);
}
